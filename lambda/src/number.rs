//! Python's `float(x)` and `int(x)` for the value of a JSON token.
//!
//! Both append a JSON number, or `null` where Python would raise, and where the number
//! would be infinite or NaN.

use std::borrow::Cow;

use crate::firehose::json::unescape;

/// CPython refuses to convert longer strings to integers (`sys.set_int_max_str_digits`).
const MOST_DIGITS: usize = 4300;

/// Up to this many significant digits a decimal and its nearest double identify each
/// other, so the token is already what `repr` would print.
const EXACT_DIGITS: usize = 15;

/// Appends `float(x)`, as `repr` prints it.
pub(crate) fn float(token: &[u8], row: &mut Vec<u8>) {
    match token {
        [b'"', ..] => {
            let number = string(token).and_then(|text| bare(&text)?.parse().ok());
            push_float(number.unwrap_or(f64::NAN), row);
        }
        b"true" => row.extend_from_slice(b"1.0"),
        b"false" => row.extend_from_slice(b"0.0"),
        // As an integer, and Python's integers have one zero only.
        b"-0" => row.extend_from_slice(b"0.0"),
        [b'-' | b'0'..=b'9', ..] => push_float(parse(token), row),
        _ => row.extend_from_slice(b"null"),
    }
}

/// Appends `int(x)`.
pub(crate) fn integer(token: &[u8], row: &mut Vec<u8>) {
    match token {
        [b'"', ..] => match string(token).and_then(|text| python_integer(&text)) {
            Some(integer) => row.extend_from_slice(integer.as_bytes()),
            None => row.extend_from_slice(b"null"),
        },
        b"true" => row.push(b'1'),
        b"false" | b"-0" => row.push(b'0'),
        [b'-' | b'0'..=b'9', rest @ ..] if is_digits(rest) => row.extend_from_slice(token),
        [b'-' | b'0'..=b'9', ..] => push_truncated(parse(token), row),
        _ => row.extend_from_slice(b"null"),
    }
}

/// Whether a number of these digits, in JSON's form, is what `repr` prints for it. May say
/// no too often.
#[inline(always)]
pub(crate) fn is_repr(whole: &[u8], fraction: &[u8]) -> bool {
    // Below 0.0001 `repr` turns to an exponent; anything below 0.1 is rare enough.
    let small = whole == b"0" && fraction.starts_with(b"0") && fraction != b"0";
    let shortest = fraction == b"0" || !fraction.ends_with(b"0");
    shortest && !small && whole.len() + fraction.len() <= EXACT_DIGITS
}

fn is_digits(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit)
}

/// The value of a number token; NaN never comes of one.
fn parse(token: &[u8]) -> f64 {
    let text = std::str::from_utf8(token).unwrap_or_default();
    text.parse().unwrap_or(f64::NAN)
}

/// The value of a string token.
fn string(token: &[u8]) -> Option<Cow<'_, str>> {
    unescape(token)
}

/// Appends a float as Python's `repr`: the shortest digits that identify it, with an
/// exponent below 1e-4 and from 1e16 on.
fn push_float(number: f64, row: &mut Vec<u8>) {
    if !number.is_finite() {
        row.extend_from_slice(b"null");
        return;
    }
    let scientific = format!("{number:e}");
    let exponent =
        scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0_i32);
    let text = match exponent {
        -4..16 if number.fract() == 0.0 => format!("{number}.0"),
        -4..16 => format!("{number}"),
        _ => {
            let mantissa = scientific.split('e').next().unwrap_or_default();
            format!("{mantissa}e{exponent:+03}")
        }
    };
    row.extend_from_slice(text.as_bytes());
}

/// Appends a float's whole part, all digits of it: `int(1e22)` is 10000000000000000000000.
fn push_truncated(number: f64, row: &mut Vec<u8>) {
    if !number.is_finite() {
        row.extend_from_slice(b"null");
        return;
    }
    // Adding zero turns −0 into 0.
    let text = format!("{:.0}", number.trunc() + 0.0);
    row.extend_from_slice(text.as_bytes());
}

/// What Python accepts around and within a number in a string: outer white space, and
/// single underscores between digits. Returns the bare number.
fn bare(text: &str) -> Option<String> {
    // `str.isspace` counts the four separators too, `char::is_whitespace` doesn't.
    let text = text.trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c));
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let misplaced =
        |(at, &byte): (usize, &u8)| byte == b'_' && !(digit(at.checked_sub(1)) && digit(at.checked_add(1)));
    if bytes.iter().enumerate().any(misplaced) {
        return None;
    }
    Some(text.replace('_', ""))
}

fn python_integer(text: &str) -> Option<String> {
    let number = bare(text)?;
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number.strip_prefix('+').unwrap_or(&number)),
    };
    let valid = !digits.is_empty() && digits.len() <= MOST_DIGITS && is_digits(digits.as_bytes());
    if !valid {
        return None;
    }
    Some(match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => format!("{sign}{digits}"),
    })
}
