//! Where to cut a range of keys in two. No clients, no clocks.
//!
//! Keys are read as numbers whose digits are the symbols that their positions have, as far as a page shows: what is
//! the same in all keys weighs nothing, so that only what differs is halved. The page also tells how far its keys lie
//! apart, and so about how many pages a range has. A bad guess costs one call that lists nothing; whatever is
//! guessed, a cut lies between the ends of the range, and the two halves cover it.

/// Keys of a page that are looked at.
const SAMPLE: usize = 64;
/// Numbers are below this: enough for 38 decimal digits.
const MOST: u128 = 1 << 126;
/// A range with fewer pages isn't cut.
const FEWEST_PAGES: f64 = 2.0;
/// A range that seems to have more has gaps, or its end isn't known: keys hold dates, and the next one may be an hour
/// away, or years.
const MOST_PAGES: f64 = 4096.0;

/// What the keys of a page look like.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    first: String,
    /// By position, the symbols that were seen there.
    seen: Vec<Symbols>,
}

type Symbols = [u64; 4];

/// Where in a range to cut it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// In its middle.
    Half,
    /// The same, but where it seems to have very many pages, after the square root of them: what there is can lie close
    /// together at its beginning.
    Near,
}

/// A place to cut at: keys up to it stay in the range, those behind it are the new one's.
#[derive(Debug, Clone, PartialEq)]
pub struct Cut {
    /// The last key that stays. There needn't be such a key.
    pub key: String,
    /// About how many pages the range has.
    pub pages: f64,
}

impl Shape {
    /// Of the keys of a page, in order. `None` where there are none.
    pub fn of(keys: &[&str]) -> Option<Self> {
        let (first, last) = (keys.first()?, keys.last()?);
        let mut seen: Vec<Symbols> = Vec::new();
        for key in keys.iter().step_by(keys.len().div_ceil(SAMPLE)).chain([last]) {
            seen.resize(seen.len().max(key.len()), Symbols::default());
            for (symbols, byte) in seen.iter_mut().zip(key.bytes()) {
                symbols[usize::from(byte >> 6)] |= 1 << (byte & 63);
            }
        }
        Some(Shape { first: (*first).to_owned(), seen })
    }

    /// A cut between the last key that was listed and the end of its range, where one is worth a call. Where the
    /// range has no end, letters are looked for that no key has had so far.
    pub fn cut(&self, after: &str, until: Option<&str>, guess: Guess) -> Option<Cut> {
        let cut = self.cut_among(after, until, guess, false);
        cut.or_else(|| until.is_none().then(|| self.cut_among(after, None, guess, true)).flatten())
    }

    fn cut_among(&self, after: &str, until: Option<&str>, guess: Guess, wide: bool) -> Option<Cut> {
        let start = until.map_or(0, |until| common(after, until));
        let scale = self.scale(start, wide);
        let low = scale.number(after);
        let high = until.map_or(scale.size, |until| scale.number(until));
        let first = if common(after, &self.first) >= start { scale.number(&self.first) } else { 0 };
        let page = low.saturating_sub(first).max(1);
        let span = high.saturating_sub(low);
        let pages = span as f64 / page as f64;
        if pages < FEWEST_PAGES {
            return None;
        }
        let is_near = guess == Guess::Near && pages > MOST_PAGES;
        let step = if is_near { (pages.sqrt() * page as f64) as u128 } else { span / 2 };
        let key = scale.key(after, low + step)?;
        (key.as_str() > after && until.is_none_or(|until| key.as_str() < until)).then_some(Cut { key, pages })
    }

    /// The digits from a position on.
    fn scale(&self, start: usize, wide: bool) -> Scale {
        let (mut digits, mut size) = (Vec::new(), 1_u128);
        for position in start..self.seen.len() {
            let digit = self.symbols(position, wide);
            let Some(larger) = size.checked_mul(digit.len() as u128).filter(|size| *size < MOST) else {
                break;
            };
            size = larger;
            digits.push(digit);
        }
        Scale { start, digits, size }
    }

    /// The symbols of a position: with one digit come all of them, since dates and numbers go on.
    fn symbols(&self, position: usize, wide: bool) -> Vec<u8> {
        let seen = |byte: u8| self.seen[position][usize::from(byte >> 6)] >> (byte & 63) & 1 == 1;
        let has = |mut class: std::ops::RangeInclusive<u8>| class.any(seen);
        let classes = [(b'0'..=b'9', true), (b'A'..=b'Z', wide), (b'a'..=b'z', wide)];
        let [digits, upper, lower] = classes.map(|(class, meant)| (class.clone(), meant && has(class)));
        let all = |byte: u8| {
            [&digits, &upper, &lower].into_iter().any(|(class, meant)| *meant && class.contains(&byte))
        };
        (0..=u8::MAX).filter(|byte| seen(*byte) || all(*byte)).collect()
    }
}

/// Keys as numbers.
struct Scale {
    start: usize,
    /// By position from the start on, the symbols there, in order.
    digits: Vec<Vec<u8>>,
    /// How many numbers there are.
    size: u128,
}

impl Scale {
    /// The number of a key: never less than that of a key before it.
    fn number(&self, key: &str) -> u128 {
        let mut bytes = key.bytes().skip(self.start);
        let (mut number, mut rest) = (0, None);
        for symbols in &self.digits {
            let last = symbols.len() - 1;
            let digit = rest.unwrap_or_else(|| {
                let Some(byte) = bytes.next() else { return 0 };
                let digit = symbols.partition_point(|symbol| *symbol < byte);
                // What comes after a symbol that no key has had lies before, or behind, all that is known there.
                if symbols.get(digit) != Some(&byte) {
                    rest = Some(if digit > last { usize::MAX } else { 0 });
                }
                digit
            });
            number = number * symbols.len() as u128 + digit.min(last) as u128;
        }
        number
    }

    /// The shortest key of a number that begins like another key.
    fn key(&self, like: &str, number: u128) -> Option<String> {
        let mut rest = number.min(self.size - 1);
        let mut tail = Vec::with_capacity(self.digits.len());
        for symbols in self.digits.iter().rev() {
            let digit = (rest % symbols.len() as u128) as usize;
            rest /= symbols.len() as u128;
            if digit > 0 || !tail.is_empty() {
                tail.push(symbols[digit]);
            }
        }
        let key: Vec<u8> = like.bytes().take(self.start).chain(tail.into_iter().rev()).collect();
        // A cut through the bytes of one character is moved before it.
        let whole = std::str::from_utf8(&key).map_or_else(|error| error.valid_up_to(), str::len);
        String::from_utf8(key[..whole].to_vec()).ok()
    }
}

/// How many bytes two keys begin with alike.
fn common(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As Firehose names them: the same second again and again, then an id.
    fn row(minute: u32, second: u32) -> String {
        format!(
            "rows/2026/11/24/18/kinesis-stack-dev-1-2026-11-24-18-{minute:02}-{second:02}-5b7e9c{second:02}"
        )
    }

    fn shape(keys: &[String]) -> Shape {
        Shape::of(&keys.iter().map(String::as_str).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_all_keys_share_is_left_alone_and_what_differs_is_halved() {
        let page: Vec<String> = (0..120).map(|second| row(second / 60, second % 60)).collect();
        let cut = shape(&page).cut(&row(1, 59), Some(&row(9, 59)), Guess::Half).unwrap();
        assert!(cut.key.starts_with("rows/2026/11/24/18/kinesis-stack-dev-1-2026-11-24-18-05"), "{cut:?}");
        assert!((3.0..6.0).contains(&cut.pages), "{cut:?}");
    }

    #[test]
    fn without_an_end_it_is_found_in_a_few_guesses() {
        let page: Vec<String> = (0..120).map(|second| row(second / 60, second % 60)).collect();
        let (shape, after, mut until) = (shape(&page), row(1, 59), None::<String>);
        let (mut guesses, real) = (0, row(59, 59));
        loop {
            let cut = shape.cut(&after, until.as_deref(), Guess::Near).unwrap();
            if cut.key < real {
                break;
            }
            (guesses, until) = (guesses + 1, Some(cut.key));
        }
        assert!(guesses < 12, "{guesses} guesses");
    }

    #[test]
    fn what_little_is_left_is_not_cut() {
        let page: Vec<String> = (0..120).map(|second| row(second / 60, second % 60)).collect();
        assert_eq!(shape(&page).cut(&row(1, 59), Some(&row(2, 20)), Guess::Near), None);
        assert_eq!(Shape::of(&[]), None);
    }

    proptest! {
        #[test]
        fn a_cut_lies_between_its_ends_whatever_keys_are_like(
            mut keys in proptest::collection::vec("[a-c0-3/é🦀\u{0}-\u{7f}]{0,12}", 3..40),
            bounded: bool,
            guess in prop_oneof![Just(Guess::Half), Just(Guess::Near)],
        ) {
            keys.sort();
            let (until, listed) = keys.split_last().unwrap();
            let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
            let (after, until) = (*listed.last().unwrap(), bounded.then_some(until.as_str()));
            if let Some(cut) = Shape::of(&listed).unwrap().cut(after, until, guess) {
                prop_assert!(after < cut.key.as_str());
                prop_assert!(until.is_none_or(|until| cut.key.as_str() < until));
            }
        }

        #[test]
        fn numbers_are_in_the_order_of_keys(mut keys in proptest::collection::vec("[a-f0-9é/-]{0,9}", 2..30)) {
            keys.sort();
            let scale = shape(&keys[..keys.len() / 2 + 1]).scale(0, false);
            let numbers: Vec<u128> = keys.iter().map(|key| scale.number(key)).collect();
            prop_assert!(numbers.is_sorted(), "{:?}", numbers);
        }
    }
}
