//! The fast path: a flat object as producers write it.
//!
//! It reads the text once, from left to right, writing the row as it goes. Whatever is unusual (escapes, nesting,
//! exponents, a key twice, `stockId` or `tradeTime` already there, many fields, any mistake) makes it give up, and
//! [`crate::general`] decides. So it can only be faster, never different; `tests/properties.rs` holds it to that.

use crate::{firehose::json::Cursor, number, record::Rule, time::TradeTime};

/// With more fields than this, looking for a key among those seen stops being cheap.
const MOST_FIELDS: usize = 16;

/// What a row may be longer than twice its record: the time, one number that is spelled out, and a piece.
const ROOM: usize = 40 + 40 + 2 * PIECE;

/// Appends the row to `row`, which is empty, or returns `None` with anything appended.
///
/// The text is cut at quotes and punctuation only, so where it is UTF-8 its pieces are as well.
#[inline]
pub(crate) fn transform(text: &[u8], now: &TradeTime, row: &mut Vec<u8>) -> Option<()> {
    row.resize(2 * text.len() + ROOM, 0);
    let mut to = To { row, at: 0 };
    let mut from = Cursor::new(text);
    // Where other keys than a trade's begin and end.
    let mut keys = [(0_u16, 0_u16); MOST_FIELDS];
    let mut others = 0;
    let mut known = 0_u8;
    let mut symbol = None;

    from.take(b'{').ok()?;
    to.push(b"{")?;
    // Fields that the row has as the record spells them, one after the other, are copied at once: from here to there.
    let mut same = (0, 0);
    loop {
        // Where the last one ended, if what is between is as it is in a row.
        let joins = from.at();
        let key_at = skip_space(&mut from)?;
        let rule = match known_key(&mut from) {
            Some((rule, bit)) => {
                if known & bit != 0 {
                    return None;
                }
                known |= bit;
                rule
            }
            None => {
                let key = from.plain_string()?;
                let is_it = |at: &(u16, u16)| text[usize::from(at.0)..usize::from(at.1)] == *key;
                if keys[..others].iter().any(is_it) {
                    return None;
                }
                *keys.get_mut(others)? = (u16::try_from(key_at).ok()?, u16::try_from(from.at()).ok()?);
                others += 1;
                Rule::of(&key[1..key.len() - 1])
            }
        };
        let key_ends = from.at();
        let is_spaced = from.takes(b": ");
        if !is_spaced {
            from.take(b':').ok()?;
        }
        let after_colon = from.at();
        let value_at = skip_space(&mut from)?;
        let value = scalar(&mut from)?;
        let value_ends = from.at();

        match (rule, &value) {
            (Rule::Symbol, _) => symbol = Some((value_at, value_ends)),
            (Rule::Written, _) => return None,
            (Rule::Keep, _) | (Rule::Float, Scalar::Float) | (Rule::Integer, Scalar::Integer)
                if is_spaced && value_at == after_colon =>
            {
                if same.1 + 1 == joins && key_at == joins + 1 && text[joins] == b' ' {
                    same.1 = value_ends;
                } else {
                    to.copy_field(text, same)?;
                    same = (key_at, value_ends);
                }
            }
            _ => {
                to.copy_field(text, same)?;
                same = (0, 0);
                to.copy(text, key_at, key_ends)?;
                to.push(b": ")?;
                match (rule, &value) {
                    (Rule::Float, Scalar::Integer | Scalar::Other) => {
                        to.write(&converted(number::float, &text[value_at..value_ends]))?;
                    }
                    (Rule::Integer, Scalar::Float | Scalar::Other) => {
                        to.write(&converted(number::integer, &text[value_at..value_ends]))?;
                    }
                    _ => to.copy(text, value_at, value_ends)?,
                }
                to.push(b", ")?;
            }
        }
        if !from.goes_on(b'}').ok()? {
            break;
        }
    }
    to.copy_field(text, same)?;
    from.end().ok()?;
    if !from.saw_ascii_only() {
        std::str::from_utf8(text).ok()?;
    }

    if let Some((start, end)) = symbol {
        to.push(b"\"stockId\": ")?;
        to.copy(text, start, end)?;
        to.push(b", ")?;
    }
    to.push(b"\"tradeTime\": ")?;
    to.push(now.as_json())?;
    to.push(b"}")?;
    let length = to.at;
    row.truncate(length);
    Some(())
}

/// Takes a key of a trade, which a glance tells apart. Its bit is its own.
#[inline(always)]
fn known_key(from: &mut Cursor<'_>) -> Option<(Rule, u8)> {
    if from.takes(br#""tickerSymbol""#) {
        Some((Rule::Symbol, 1))
    } else if from.takes(br#""tradeType""#) {
        Some((Rule::Keep, 2))
    } else if from.takes(br#""price""#) {
        Some((Rule::Float, 4))
    } else if from.takes(br#""quantity""#) {
        Some((Rule::Integer, 8))
    } else if from.takes(br#""id""#) {
        Some((Rule::Integer, 16))
    } else {
        None
    }
}

#[inline(always)]
fn skip_space(from: &mut Cursor<'_>) -> Option<usize> {
    from.peek().ok()?;
    Some(from.at())
}

/// How a value can be converted.
enum Scalar {
    /// Already what `int` makes of it.
    Integer,
    /// Already what `float` makes of it.
    Float,
    /// Anything else.
    Other,
}

/// Takes a string, a number without an exponent, or a word.
#[inline(always)]
fn scalar(from: &mut Cursor<'_>) -> Option<Scalar> {
    match from.peek().ok()? {
        b'"' => from.plain_string().map(|_| Scalar::Other),
        b'-' | b'0'..=b'9' => number(from),
        _ => {
            let is_word = from.takes(b"null") || from.takes(b"true") || from.takes(b"false");
            is_word.then_some(Scalar::Other)
        }
    }
}

#[inline(always)]
fn number(from: &mut Cursor<'_>) -> Option<Scalar> {
    let is_negative = from.takes(b"-");
    let whole = from.digits();
    if whole.is_empty() || whole[0] == b'0' && whole.len() > 1 {
        return None;
    }
    // An exponent is left for the caller to stumble over.
    if !from.takes(b".") {
        return (!is_negative || whole != b"0").then_some(Scalar::Integer);
    }
    let fraction = from.digits();
    if fraction.is_empty() {
        return None;
    }
    Some(if number::is_repr(whole, fraction) { Scalar::Float } else { Scalar::Other })
}

/// Pieces are copied so many bytes at once: most are shorter, and what is too much is overwritten by the next one.
const PIECE: usize = 32;

/// A row that is being written.
struct To<'a> {
    /// With room for all of it.
    row: &'a mut [u8],
    at: usize,
}

impl To<'_> {
    #[inline(always)]
    fn push<const N: usize>(&mut self, text: &[u8; N]) -> Option<()> {
        *self.row.get_mut(self.at..)?.first_chunk_mut()? = *text;
        self.at += N;
        Some(())
    }

    #[inline(always)]
    fn copy(&mut self, text: &[u8], start: usize, end: usize) -> Option<()> {
        let length = end - start;
        let room = self.row.get_mut(self.at..)?;
        match (room.first_chunk_mut::<PIECE>(), text.get(start..)?.first_chunk::<PIECE>()) {
            (Some(room), Some(piece)) if length <= PIECE => *room = *piece,
            _ => room.get_mut(..length)?.copy_from_slice(&text[start..end]),
        }
        self.at += length;
        Some(())
    }

    /// Copies fields, if there are any, and a comma.
    #[inline(always)]
    fn copy_field(&mut self, text: &[u8], (start, end): (usize, usize)) -> Option<()> {
        if end == 0 {
            return Some(());
        }
        self.copy(text, start, end)?;
        self.push(b", ")
    }

    #[inline(always)]
    fn write(&mut self, text: &[u8]) -> Option<()> {
        self.copy(text, 0, text.len())
    }
}

#[cold]
fn converted(convert: fn(&[u8], &mut Vec<u8>), token: &[u8]) -> Vec<u8> {
    let mut number = Vec::new();
    convert(token, &mut number);
    number
}
