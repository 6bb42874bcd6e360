//! Filter patterns of CloudWatch Logs, as far as they are made of terms.

/// Which lines are told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    /// Fact: all terms have to be there, of those with a `?` one, and none of those with a `-`; in quotes a term may
    /// hold anything; letters of both cases differ. Patterns for JSON and for columns aren't understood: `None`.
    pub fn of(text: &str) -> Option<Self> {
        let (mut pattern, mut rest) = (Pattern::default(), text.trim());
        if rest.starts_with(['{', '[', '%']) {
            return None;
        }
        while let Some(first) = rest.chars().next() {
            let list = match first {
                '?' => &mut pattern.any,
                '-' => &mut pattern.none,
                _ => &mut pattern.all,
            };
            let after = rest.strip_prefix(['?', '-']).unwrap_or(rest);
            let (term, left) = match after.strip_prefix('"') {
                Some(quoted) => in_quotes(quoted),
                None => {
                    let end = after.find(char::is_whitespace).unwrap_or(after.len());
                    (after[..end].to_owned(), &after[end..])
                }
            };
            list.push(term);
            rest = left.trim_start();
        }
        Some(pattern)
    }

    pub fn takes(&self, line: &str) -> bool {
        let has = |term: &String| line.contains(term.as_str());
        self.all.iter().all(has)
            && (self.any.is_empty() || self.any.iter().any(has))
            && !self.none.iter().any(has)
    }
}

/// Up to the closing quote, and what follows it.
fn in_quotes(text: &str) -> (String, &str) {
    let (mut term, mut escaped) = (String::new(), false);
    for (place, letter) in text.char_indices() {
        match letter {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return (term, &text[place + 1..]),
            _ => {
                term.push(letter);
                escaped = false;
            }
        }
    }
    (term, "")
}
