//! What the numbers of rows come to.

use super::filter::lookup;
use super::rows::Fields;
use crate::event::ColumnSum;
use serde_json::Value;

/// Adds up every column that has numbers, in the order in which they are first seen.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// These columns alone, where any are named.
    wanted: Vec<String>,
    columns: Vec<(ColumnSum, f64)>,
}

impl Sums {
    pub(super) fn of(wanted: &[String]) -> Self {
        Sums { wanted: wanted.to_vec(), columns: Vec::new() }
    }

    /// Adds the numbers of one row.
    pub(super) fn add(&mut self, fields: &Fields) {
        if self.wanted.is_empty() {
            fields.iter().for_each(|(name, value)| self.add_number(name, value));
            return;
        }
        for name in self.wanted.clone() {
            if let Some(value) = lookup(fields, &name) {
                self.add_number(&name, value);
            }
        }
    }

    fn add_number(&mut self, name: &str, value: &Value) {
        let Some(number) = value.as_f64() else { return };
        let place = self.columns.iter().position(|(column, _)| column.column == name).unwrap_or_else(|| {
            let column = name.to_owned();
            let new = ColumnSum { column, count: 0, sum: 0.0, mean: 0.0, least: number, most: number };
            self.columns.push((new, 0.0));
            self.columns.len() - 1
        });
        let (column, lost) = &mut self.columns[place];
        column.count += 1;
        column.least = column.least.min(number);
        column.most = column.most.max(number);
        // What a float loses when it is added to a larger one is kept apart (Neumaier).
        let sum = column.sum + number;
        *lost += if column.sum.abs() >= number.abs() {
            (column.sum - sum) + number
        } else {
            (number - sum) + column.sum
        };
        column.sum = sum;
    }

    pub(super) fn finish(self) -> Vec<ColumnSum> {
        let finished = |(column, lost): (ColumnSum, f64)| {
            let sum = column.sum + lost;
            ColumnSum { sum, mean: sum / column.count as f64, ..column }
        };
        self.columns.into_iter().map(finished).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(wanted: &[&str], rows: &[&str]) -> Vec<ColumnSum> {
        let mut sums = Sums::of(&wanted.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
        rows.iter().for_each(|row| sums.add(&serde_json::from_str(row).unwrap()));
        sums.finish()
    }

    #[test]
    fn each_column_of_numbers_has_its_count_sum_mean_least_and_most() {
        let found = sums(&[], &[r#"{"a": 1, "b": "x", "c": 2.5}"#, r#"{"a": -3, "c": null}"#]);
        let shown: Vec<_> = found
            .iter()
            .map(|it| (it.column.as_str(), it.count, it.sum, it.mean, it.least, it.most))
            .collect();
        assert_eq!(shown, [("a", 2, -2.0, -1.0, -3.0, 1.0), ("c", 1, 2.5, 2.5, 2.5, 2.5)]);
        let named = sums(&["d.e", "a"], &[r#"{"a": 1, "d": {"e": 4}, "c": 1}"#]);
        assert_eq!(named.iter().map(|it| it.column.as_str()).collect::<Vec<_>>(), ["d.e", "a"]);
    }

    #[test]
    fn cents_that_are_added_a_million_times_stay_cents() {
        let mut sums = Sums::default();
        let fields: Fields = serde_json::from_str(r#"{"price": 0.1}"#).unwrap();
        (0..1_000_000).for_each(|_| sums.add(&fields));
        assert!((sums.finish()[0].sum - 100_000.0).abs() < 1e-9);
    }
}
