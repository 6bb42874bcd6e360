//! What became of records in `processor test`, for people and for programs.

use super::Paint;
use crate::cli::Output;
use crate::data::{escape, spell_controls};
use crate::processor::Becomes;
use serde_json::{Value, json};

/// Turns what became of records into lines, one after the other.
pub struct TestedLines {
    output: Output,
    paint: Paint,
}

impl TestedLines {
    pub(super) fn new(output: Output, paint: Paint) -> Self {
        TestedLines { output, paint }
    }

    /// The line of a record, by the number of the line that it stood in.
    pub fn line(&self, number: usize, becomes: &Becomes) -> String {
        match self.output {
            Output::Json => json(number, becomes),
            Output::Text => self.words(number, becomes),
        }
    }

    fn words(&self, number: usize, becomes: &Becomes) -> String {
        let (result, text) = match becomes {
            Becomes::Row(row) => (self.paint.good("Ok     "), String::from_utf8_lossy(row).into_owned()),
            Becomes::Dropped => (self.paint.dim("Dropped"), String::new()),
            Becomes::Failed(reason) => (self.paint.bad("Failed "), reason.clone()),
        };
        // A row of several lines would be taken for several records, and none may move a cursor.
        let text = escape(text.trim_end());
        format!("{number:>6}  {result}  {text}").trim_end().to_owned() + "\n"
    }
}

/// `row` is the row itself where it is JSON, else its text.
fn json(number: usize, becomes: &Becomes) -> String {
    let line = match becomes {
        Becomes::Row(row) => {
            let text = String::from_utf8_lossy(row);
            // Its own spelling is kept: digits that a number of a program would lose.
            let is_json =
                serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() && !text.contains('\n');
            let row = if is_json { text.into_owned() } else { Value::from(text).to_string() };
            format!(r#"{{"line":{number},"result":"Ok","row":{row}}}"#)
        }
        Becomes::Dropped => json!({ "line": number, "result": "Dropped" }).to_string(),
        Becomes::Failed(reason) => {
            json!({ "line": number, "result": "ProcessingFailed", "reason": reason }).to_string()
        }
    };
    spell_controls(&line).into_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_is_one_line_for_people_and_for_programs() {
        let became = [
            (1, Becomes::Row(br#"{"price": 65.060000000000000001}"#.to_vec())),
            (2, Becomes::Row(b"two\nlines".to_vec())),
            (3, Becomes::Dropped),
            (10, Becomes::Failed("not JSON".to_owned())),
        ];
        let lines = |output| -> String {
            let lines = TestedLines::new(output, Paint(false));
            became.iter().map(|(number, becomes)| lines.line(*number, becomes)).collect()
        };
        assert_eq!(
            lines(Output::Text),
            "     1  Ok       {\"price\": 65.060000000000000001}\n     2  Ok       two\\nlines\n     3  Dropped\n    10  Failed   not JSON\n"
        );
        assert_eq!(
            lines(Output::Json),
            r#"{"line":1,"result":"Ok","row":{"price": 65.060000000000000001}}
{"line":2,"result":"Ok","row":"two\nlines"}
{"line":3,"result":"Dropped"}
{"line":10,"result":"ProcessingFailed","reason":"not JSON"}
"#
        );
    }
}
