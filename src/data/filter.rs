//! Which rows are wanted, and which of their fields.

use super::rows::Fields;
use serde_json::Value;
use std::cmp::Ordering;

/// A condition on a field: `price>=100`, `stockId=AAPL`.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    field: String,
    comparison: Comparison,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Filter {
    /// Reads one as it is typed. The first sign of comparison parts the field from the value.
    ///
    /// # Errors
    /// The rule that it breaks, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        use Comparison::{AtLeast, AtMost, Equal, Less, More, Unequal};
        const SIGNS: &[(&str, Comparison)] = &[
            ("!=", Unequal),
            ("<=", AtMost),
            (">=", AtLeast),
            ("==", Equal),
            ("=", Equal),
            ("<", Less),
            (">", More),
        ];
        let rule = || {
            "a condition is a field, one of = != < <= > >= and a value, for instance stockId=AAPL or 'price>=100'"
                .to_owned()
        };
        let place = text.find(['=', '!', '<', '>']).filter(|place| *place > 0).ok_or_else(rule)?;
        let (field, rest) = text.split_at(place);
        let (sign, comparison) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)).ok_or_else(rule)?;
        Ok(Filter {
            field: field.trim().to_owned(),
            comparison: *comparison,
            value: rest[sign.len()..].trim().to_owned(),
        })
    }

    /// Whether a row is like this. Two numbers are compared as numbers, all else as text, true and null by these words.
    /// A field that a row doesn't have is unequal to everything, and neither less nor more.
    pub(super) fn holds(&self, fields: &Fields) -> bool {
        let order = lookup(fields, &self.field).and_then(|found| self.order(found));
        match self.comparison {
            Comparison::Equal => order == Some(Ordering::Equal),
            Comparison::Unequal => order != Some(Ordering::Equal),
            Comparison::Less => order == Some(Ordering::Less),
            Comparison::AtMost => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Comparison::More => order == Some(Ordering::Greater),
            Comparison::AtLeast => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }

    fn order(&self, found: &Value) -> Option<Ordering> {
        match found {
            Value::Number(number) => {
                // Whole numbers of 64 bits are more exact than a float.
                let whole = |text: &str| text.parse::<i128>().ok();
                if let Some((found, value)) = whole(&number.to_string()).zip(whole(&self.value)) {
                    return Some(found.cmp(&value));
                }
                match self.value.parse::<f64>() {
                    Ok(value) => number.as_f64()?.partial_cmp(&value),
                    Err(_) => None,
                }
            }
            Value::String(text) => Some(text.as_str().cmp(&self.value)),
            other => {
                let text = other.to_string();
                // Of null, true and lists only the same is asked for.
                (text == self.value).then_some(Ordering::Equal)
            }
        }
    }
}

/// A field of a row, also one within another: `data.price`.
pub(super) fn lookup<'a>(fields: &'a Fields, name: &str) -> Option<&'a Value> {
    fields.get(name).or_else(|| {
        let (outer, inner) = name.split_once('.')?;
        lookup(fields.get(outer)?.as_object()?, inner)
    })
}

/// A row with these fields only, in this order. One that it doesn't have stays missing.
pub(super) fn selected(fields: &Fields, columns: &[String]) -> Fields {
    columns.iter().filter_map(|name| Some((name.clone(), lookup(fields, name)?.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(filter: &str, row: &str) -> bool {
        Filter::parse(filter).unwrap().holds(&serde_json::from_str(row).unwrap())
    }

    #[test]
    fn numbers_compare_as_numbers_and_all_else_as_text() {
        let row = r#"{"price": 65.50, "id": 10, "stockId": "RDS.A", "note": null, "ok": true, "n": "10"}"#;
        for filter in [
            "price=65.5",
            "id=10",
            "id=10.0",
            "id>9",
            "id>=10",
            "id<=10",
            "id<1e2",
            "price!=65.51",
            "stockId=RDS.A",
            "stockId == RDS.A",
            "stockId>RDS",
            "note=null",
            "ok=true",
            "ok!=false",
            "n=10",
            "missing!=1",
            "id!=ten",
        ] {
            assert!(holds(filter, row), "{filter}");
        }
        for filter in [
            "id>10",
            "id<10",
            "id=1",
            "id=ten",
            "id>ten",
            "missing=1",
            "missing<1",
            "note=",
            "ok<true",
            "n=10.0",
        ] {
            assert!(!holds(filter, row), "{filter}");
        }
    }

    #[test]
    fn whole_numbers_are_exact_and_values_may_hold_signs() {
        assert!(!holds("id=9007199254740993", r#"{"id": 9007199254740992}"#));
        assert!(holds("id>9007199254740992", r#"{"id": 9007199254740993}"#));
        assert!(holds("text=a=b<c", r#"{"text": "a=b<c"}"#));
        assert!(holds("text=", r#"{"text": ""}"#));
    }

    #[test]
    fn fields_within_others_are_found_by_their_path_and_a_name_with_a_dot_comes_first() {
        assert!(holds("a.b=1", r#"{"a": {"b": 1}}"#));
        assert!(holds("a.b=2", r#"{"a.b": 2, "a": {"b": 1}}"#));
        assert!(holds("a.b.c=3", r#"{"a": {"b.c": 3}}"#));
    }

    #[test]
    fn what_is_no_condition_is_bad_input() {
        for text in ["", "stockId", "=AAPL", "!x", "a!b", "<1"] {
            assert!(Filter::parse(text).is_err_and(|rule| rule.contains("stockId=AAPL")), "{text}");
        }
    }

    #[test]
    fn columns_come_in_the_order_that_was_asked_for() {
        let fields: Fields = serde_json::from_str(r#"{"a": 1, "b": {"c": 2}, "d": 3}"#).unwrap();
        let columns = ["d", "b.c", "missing", "a"].map(str::to_owned);
        assert_eq!(serde_json::to_string(&selected(&fields, &columns)).unwrap(), r#"{"d":3,"b.c":2,"a":1}"#);
    }
}
