//! The fast path: a flat object as producers write it.
//!
//! It reads the text once, from left to right, writing the row as it goes. Whatever is
//! unusual (escapes, nesting, exponents, a key twice, `stockId` or `tradeTime` already
//! there, many fields, any mistake) makes it give up, and [`crate::general`] decides.
//! So it can only be faster, never different; `tests/properties.rs` holds it to that.

use crate::{number, record::Rule, time::TradeTime};

/// With more fields than this, looking for a key among those seen stops being cheap.
const MOST_FIELDS: usize = 16;

/// Appends the row, or returns `None` with anything appended.
///
/// `text` is UTF-8. It is cut at quotes and punctuation only, so its pieces are as well.
pub(crate) fn transform(text: &[u8], now: &TradeTime, row: &mut Vec<u8>) -> Option<()> {
    let mut scan = Scan { text, at: 0 };
    let mut keys: [&[u8]; MOST_FIELDS] = [b""; MOST_FIELDS];
    let mut symbol = None;

    scan.punctuation(b'{')?;
    row.push(b'{');
    for seen in 0..=MOST_FIELDS {
        let key = scan.string()?;
        scan.punctuation(b':')?;
        let value = scan.scalar()?;

        if keys[..seen].contains(&key) {
            return None;
        }
        *keys.get_mut(seen)? = key;

        let rule = Rule::of(&key[1..key.len() - 1]);
        match rule {
            Rule::Symbol => symbol = Some(value.token()),
            Rule::Written => return None,
            Rule::Float | Rule::Integer | Rule::Keep => {
                row.extend_from_slice(key);
                row.extend_from_slice(b": ");
                match (rule, &value) {
                    (Rule::Float, Scalar::Integer(token) | Scalar::Other(token)) => {
                        number::float(token, row);
                    }
                    (Rule::Integer, Scalar::Float(token) | Scalar::Other(token)) => {
                        number::integer(token, row);
                    }
                    _ => row.extend_from_slice(value.token()),
                }
                row.extend_from_slice(b", ");
            }
        }

        match scan.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    scan.end()?;

    if let Some(symbol) = symbol {
        row.extend_from_slice(b"\"stockId\": ");
        row.extend_from_slice(symbol);
        row.extend_from_slice(b", ");
    }
    row.extend_from_slice(b"\"tradeTime\": ");
    row.extend_from_slice(now.as_json().as_bytes());
    row.push(b'}');
    Some(())
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    /// The next byte that isn't white space, which is left where it is.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match *self.text.get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn punctuation(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    /// A string without escapes, quotes included.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.punctuation(b'"')?;
        let start = self.at - 1;
        // Eight bytes at once: keys and values are short and of many lengths, so going
        // byte by byte costs a mispredicted branch each.
        while let Some(chunk) = self.text.get(self.at..)?.first_chunk() {
            let special = special_bytes(u64::from_le_bytes(*chunk));
            self.at += special.trailing_zeros() as usize / 8;
            if special != 0 {
                break;
            }
        }
        loop {
            let byte = *self.text.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => return Some(&self.text[start..self.at]),
                b'\\' | ..b' ' => return None,
                _ => {}
            }
        }
    }

    /// A string, a number without an exponent, or a word.
    fn scalar(&mut self) -> Option<Scalar<'a>> {
        match self.peek()? {
            b'"' => self.string().map(Scalar::Other),
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.word().map(Scalar::Other),
        }
    }

    fn word(&mut self) -> Option<&'a [u8]> {
        let rest = &self.text[self.at..];
        let words: [&[u8]; 3] = [b"null", b"true", b"false"];
        let word = words.into_iter().find(|word| rest.starts_with(word))?;
        self.at += word.len();
        Some(word)
    }

    fn number(&mut self) -> Option<Scalar<'a>> {
        let start = self.at;
        self.at += usize::from(self.text[start] == b'-');
        let whole = self.digits();
        if whole.is_empty() || (whole[0] == b'0' && whole.len() > 1) {
            return None;
        }
        let mut fraction: Option<&[u8]> = None;
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            fraction = Some(self.digits());
        }
        // An exponent is left for the caller to stumble over.
        let token = &self.text[start..self.at];
        match fraction {
            None if token == b"-0" => None,
            None => Some(Scalar::Integer(token)),
            Some([]) => None,
            Some(fraction) if number::is_repr(whole, fraction) => Some(Scalar::Float(token)),
            Some(_) => Some(Scalar::Other(token)),
        }
    }

    fn digits(&mut self) -> &'a [u8] {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }
}

/// A value, sorted by how it can be converted.
enum Scalar<'a> {
    /// Already what `int` makes of it.
    Integer(&'a [u8]),
    /// Already what `float` makes of it.
    Float(&'a [u8]),
    /// Anything else.
    Other(&'a [u8]),
}

impl<'a> Scalar<'a> {
    fn token(&self) -> &'a [u8] {
        match self {
            Self::Integer(token) | Self::Float(token) | Self::Other(token) => token,
        }
    }
}

/// The high bit of every byte that ends a plain run of a string: a quote, a backslash or
/// a control character. Only the lowest one set is exact, which is the one that's asked.
fn special_bytes(chunk: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let below = |bytes: u64, limit: u64| bytes.wrapping_sub(ONES * limit) & !bytes;
    let equal = |byte: u8| below(chunk ^ (ONES * u64::from(byte)), 1);
    (below(chunk, 0x20) | equal(b'"') | equal(b'\\')) & (ONES << 7)
}
