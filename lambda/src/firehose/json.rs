//! Reads JSON from left to right, strictly, without a copy and without an allocation.
//!
//! Strings are looked through eight bytes at a time: they are short and of many lengths, so that going byte by byte
//! costs a mispredicted branch each.

/// Where, as a byte's place, the text is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake(
    /// The place.
    pub usize,
);

/// A text, and how far it is read.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    /// The bits of all bytes that were looked at.
    seen: u64,
}

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES << 7;

impl<'a> Cursor<'a> {
    /// At its beginning.
    pub fn new(text: &'a [u8]) -> Self {
        Cursor { text, at: 0, seen: 0 }
    }

    /// The place of the next byte.
    #[inline(always)]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether all strings that were taken are ASCII, so that nobody needs to ask whether they are UTF-8. Those that were
    /// taken as base64 don't count.
    pub fn saw_ascii_only(&self) -> bool {
        self.seen & HIGH == 0
    }

    /// The mistake is here.
    #[inline(always)]
    fn mistake<T>(&self) -> Result<T, Mistake> {
        Err(Mistake(self.at))
    }

    /// The next byte that isn't white space, which is left where it is.
    #[inline(always)]
    pub fn peek(&mut self) -> Result<u8, Mistake> {
        loop {
            match self.text.get(self.at) {
                // Nearly always, and then the compiler sees that a second look would find the same.
                Some(byte) if *byte > b' ' => return Ok(*byte),
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(byte) => return Ok(*byte),
                None => return self.mistake(),
            }
        }
    }

    /// Takes this byte, and white space before it.
    #[inline(always)]
    pub fn take(&mut self, expected: u8) -> Result<(), Mistake> {
        if self.peek()? != expected {
            return self.mistake();
        }
        self.at += 1;
        Ok(())
    }

    /// Takes a `,` (true) or the end of a list or an object (false).
    #[inline(always)]
    pub fn goes_on(&mut self, end: u8) -> Result<bool, Mistake> {
        match self.peek()? {
            b',' => {
                self.at += 1;
                Ok(true)
            }
            byte if byte == end => {
                self.at += 1;
                Ok(false)
            }
            _ => self.mistake(),
        }
    }

    /// Takes exactly this text, if it is next.
    #[inline(always)]
    pub fn takes(&mut self, text: &[u8]) -> bool {
        let found = self.text[self.at..].starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Only white space may be left.
    pub fn end(&mut self) -> Result<(), Mistake> {
        match self.peek() {
            Err(_) => Ok(()),
            Ok(_) => self.mistake(),
        }
    }

    /// Goes to the next byte that `stops` marks with its high bit, eight bytes at a time, and returns the bits of all that
    /// were looked at. Beyond the end are zeros, which have to be marked.
    #[inline(always)]
    fn run(&mut self, stops: impl Fn(u64) -> u64) -> u64 {
        let mut rest = self.text.get(self.at..).unwrap_or_default();
        let mut seen = 0;
        loop {
            let (window, after) = match rest.split_first_chunk() {
                Some((chunk, after)) => (u64::from_le_bytes(*chunk), after),
                None => (self.last_window(rest), &[][..]),
            };
            seen |= window;
            let stop = stops(window);
            if stop != 0 {
                self.at = self.text.len() - rest.len() + stop.trailing_zeros() as usize / 8;
                return seen;
            }
            rest = after;
        }
    }

    /// The rest of the text, shorter than eight bytes, the first one lowest.
    #[inline(always)]
    fn last_window(&self, rest: &[u8]) -> u64 {
        match self.text.last_chunk() {
            Some(chunk) if !rest.is_empty() => u64::from_le_bytes(*chunk) >> (8 * (8 - rest.len())),
            _ => rest.iter().rev().fold(0, |window, byte| window << 8 | u64::from(*byte)),
        }
    }

    /// Takes a string as it stands, quotes included.
    #[inline(always)]
    pub fn string(&mut self) -> Result<&'a [u8], Mistake> {
        self.take(b'"')?;
        let start = self.at - 1;
        loop {
            self.seen |= self.run(special_bytes);
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.text[start..self.at]);
                }
                Some(b'\\') => self.at = escape(self.text, self.at)?,
                _ => return self.mistake(),
            }
        }
    }

    /// Takes a string without escapes as it stands, quotes included.
    #[inline(always)]
    pub fn plain_string(&mut self) -> Option<&'a [u8]> {
        if self.text.get(self.at) != Some(&b'"') {
            return None;
        }
        let start = self.at;
        self.at += 1;
        self.seen |= self.run(special_bytes);
        if self.text.get(self.at) != Some(&b'"') {
            return None;
        }
        self.at += 1;
        Some(&self.text[start..self.at])
    }

    /// A string that holds base64: what is in it is looked at by whoever decodes it, and only an escape here.
    #[inline(always)]
    pub fn base64(&mut self) -> Result<&'a [u8], Mistake> {
        let before = *self;
        self.take(b'"')?;
        let start = self.at;
        match memchr::memchr(b'"', &self.text[start..]) {
            Some(length) if self.text[start + length - usize::from(length > 0)] != b'\\' => {
                self.at = start + length + 1;
                Ok(&self.text[start - 1..self.at])
            }
            _ => {
                *self = before;
                self.string()
            }
        }
    }

    /// Takes digits, perhaps none.
    #[inline(always)]
    pub fn digits(&mut self) -> &'a [u8] {
        let start = self.at;
        self.run(other_than_digits);
        &self.text[start..self.at]
    }

    /// Takes a whole number that isn't negative.
    #[inline(always)]
    pub fn plain_number(&mut self) -> Option<&'a [u8]> {
        let digits = self.digits();
        (digits.len() == 1 || digits.first().is_some_and(|first| *first != b'0')).then_some(digits)
    }

    /// Takes a number.
    #[inline(always)]
    pub fn number(&mut self) -> Result<(), Mistake> {
        self.takes(b"-");
        let whole = self.digits();
        if whole.is_empty() || whole[0] == b'0' && whole.len() > 1 {
            return self.mistake();
        }
        if self.takes(b".") && self.digits().is_empty() {
            return self.mistake();
        }
        if self.takes(b"e") || self.takes(b"E") {
            let _ = self.takes(b"+") || self.takes(b"-");
            if self.digits().is_empty() {
                return self.mistake();
            }
        }
        Ok(())
    }

    /// Takes any value. `open` is for the lists and objects that it stands in: lent, so that it is made once.
    #[inline(always)]
    pub fn value(&mut self, open: &mut Vec<u8>) -> Result<(), Mistake> {
        match self.peek()? {
            b'-' | b'0'..=b'9' => self.number()?,
            _ => *self = self.after_value(open)?,
        }
        Ok(())
    }

    #[inline(never)]
    fn after_value(&self, open: &mut Vec<u8>) -> Result<Self, Mistake> {
        let mut cursor = *self;
        open.clear();
        loop {
            match cursor.peek()? {
                b'"' => drop(cursor.string()?),
                b'-' | b'0'..=b'9' => cursor.number()?,
                b'{' => {
                    cursor.at += 1;
                    if cursor.peek()? != b'}' {
                        cursor.name()?;
                        open.push(b'}');
                        continue;
                    }
                    cursor.at += 1;
                }
                b'[' => {
                    cursor.at += 1;
                    if cursor.peek()? != b']' {
                        open.push(b']');
                        continue;
                    }
                    cursor.at += 1;
                }
                _ if cursor.takes(b"null") || cursor.takes(b"true") || cursor.takes(b"false") => {}
                _ => return cursor.mistake(),
            }
            // A value has ended, and perhaps what it stands in.
            loop {
                let Some(end) = open.last() else { return Ok(cursor) };
                if cursor.goes_on(*end)? {
                    if *end == b'}' {
                        cursor.name()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// Takes a member's name and the `:` after it.
    #[inline(always)]
    fn name(&mut self) -> Result<(), Mistake> {
        self.string()?;
        self.take(b':')
    }
}

/// Where the escape ends that begins here. Whatever isn't inlined works on a copy of its own, or the cursor would have to
/// lie in memory, and each step through the text would have to wait for the one before.
#[cold]
fn escape(text: &[u8], at: usize) -> Result<usize, Mistake> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match text.get(at + 2..at + 6) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
            _ => Err(Mistake(at)),
        },
        _ => Err(Mistake(at)),
    }
}

/// The high bit of every byte that ends a plain run of a string: a quote, a backslash or a control character. Only the
/// lowest one set is exact, which is the one that's asked.
#[inline(always)]
fn special_bytes(window: u64) -> u64 {
    let below = |bytes: u64, limit: u64| bytes.wrapping_sub(ONES * limit) & !bytes;
    // A quote (0x22) becomes the one below 0x21 that is no control character, and a space isn't below any more.
    let quote_or_control = below(window ^ (ONES * 0x02), 0x21);
    (quote_or_control | below(window ^ (ONES * u64::from(b'\\')), 1)) & HIGH
}

/// The high bit of every byte that is no digit; as above, the lowest one is exact.
#[inline(always)]
fn other_than_digits(window: u64) -> u64 {
    let value = window ^ (ONES * u64::from(b'0'));
    (value.wrapping_add(ONES * 0x76) | value) & HIGH
}

/// The text of a string token.
pub fn unescape(token: &[u8]) -> Option<std::borrow::Cow<'_, str>> {
    let token = std::str::from_utf8(token).ok()?;
    let inner = token.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(token).ok().map(std::borrow::Cow::Owned)
    } else {
        Some(std::borrow::Cow::Borrowed(inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_where_serde_takes_it_and_nowhere_else() {
        let pieces = [
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "\\u00e9",
            "\\u12",
            "a",
            "1",
            "0",
            "-",
            ".",
            "e",
            "+",
            "null",
            "true",
            " ",
            "\n",
            "\u{1}",
            "é",
            "\"name\":",
            "\"a long string of text\"",
            "123456789",
            "12.5e-3",
            "[]",
            "{}",
        ];
        let mut mixed = 1_u64;
        let mut valid = 0;
        for _ in 0..60_000 {
            let mut text = String::new();
            for _ in 0..1 + mixed % 7 {
                mixed = mixed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(pieces[(mixed >> 33) as usize % pieces.len()]);
            }
            let mut cursor = Cursor::new(text.as_bytes());
            let ours = cursor.value(&mut Vec::new()).and_then(|()| cursor.end()).is_ok();
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            assert_eq!(ours, theirs, "{text:?}");
            valid += usize::from(ours);
        }
        assert!(valid > 1000, "{valid} were JSON at all");
    }

    #[test]
    fn base64_and_string_read_the_same_token() {
        for text in [r#""""#, r#""QUJD""#, r#""QU\/D\"""#, r#""\\""#, r#""\"""#, r#""a"#, "", "\"\\"] {
            let read = |read: fn(&mut Cursor<'_>) -> Result<Vec<u8>, Mistake>| {
                read(&mut Cursor::new(text.as_bytes()))
            };
            let base64 = read(|cursor| cursor.base64().map(<[u8]>::to_vec));
            let string = read(|cursor| cursor.string().map(<[u8]>::to_vec));
            assert_eq!(base64.ok(), string.ok(), "{text}");
        }
    }
}
