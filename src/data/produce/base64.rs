//! Base64 into the end of a buffer. The SDK's makes a string for each record, a character at a time.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Two characters for each twelve bits.
static PAIRS: [[u8; 2]; 4_096] = pairs();

const fn pairs() -> [[u8; 2]; 4_096] {
    let mut pairs = [[0; 2]; 4_096];
    let mut bits = 0;
    while bits < pairs.len() {
        pairs[bits] = [ALPHABET[bits >> 6], ALPHABET[bits & 63]];
        bits += 1;
    }
    pairs
}

/// Appends these bytes, encoded and padded.
pub(super) fn append(text: &mut Vec<u8>, bytes: &[u8]) {
    text.reserve(bytes.len().div_ceil(3) * 4);
    let (triples, rest) = bytes.as_chunks::<3>();
    for [a, b, c] in triples {
        let bits = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let ([a, b], [c, d]) = (PAIRS[bits >> 12], PAIRS[bits & 4_095]);
        text.extend_from_slice(&[a, b, c, d]);
    }
    match rest {
        [a] => {
            let [a, b] = PAIRS[usize::from(*a) << 4];
            text.extend_from_slice(&[a, b, b'=', b'=']);
        }
        [a, b] => {
            let bits = usize::from(*a) << 16 | usize::from(*b) << 8;
            let ([a, b], [c, _]) = (PAIRS[bits >> 12], PAIRS[bits & 4_095]);
            text.extend_from_slice(&[a, b, c, b'=']);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_base64_that_everybody_reads(bytes: Vec<u8>) {
            let mut text = Vec::new();
            append(&mut text, &bytes);
            prop_assert_eq!(text, aws_smithy_types::base64::encode(&bytes).into_bytes());
        }
    }
}
