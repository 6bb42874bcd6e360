//! Takes CloudFormation's wrapping off a reason: what remains is the service's own sentence, and what the
//! wrapping says about it.

/// A reason, taken apart.
pub(super) struct Told {
    /// The service's own sentence.
    pub sentence: String,
    /// The sentence in lower case, for matching.
    pub lower: String,
    /// The handler's word for it, for instance `AlreadyExists`.
    pub handler: Option<String>,
    /// The service's word for it, where the wrapping has one: only older texts do.
    pub code: Option<String>,
    /// The HTTP status of the service's answer.
    pub status: Option<u16>,
}

impl Told {
    pub fn of(text: &str) -> Told {
        let service = between(text, "(Service: ", ")").unwrap_or_default();
        let status = after(service, "Status Code: ").map(|rest| word(rest, &[',', ';', ' ']));
        let code = after(service, "Error Code: ").map(|rest| word(rest, &[',', ';', ' ']).to_owned());
        let handler = after(text, "HandlerErrorCode: ").map(|rest| word(rest, &[')', ',', ' ']).to_owned());
        let sentence = sentence(text);
        Told {
            lower: sentence.to_lowercase(),
            sentence,
            handler,
            code,
            status: status.and_then(|digits| digits.parse().ok()),
        }
    }

    /// Whether the handler or the service calls it by one of these words.
    pub fn is_called(&self, words: &[&str]) -> bool {
        [&self.handler, &self.code].into_iter().flatten().any(|word| words.contains(&word.as_str()))
    }

    /// Whether the sentence has one of these in it, in lower case.
    pub fn says(&self, parts: &[&str]) -> bool {
        parts.iter().any(|part| self.lower.contains(part))
    }
}

const WRAPPING: &str = "Resource handler returned message: \"";

/// What begins a parenthesis that is of use to AWS' support alone.
const IDS: &[&str] = &[
    "(Service: ",
    "(RequestToken: ",
    "(HandlerErrorCode: ",
    "(SDK Attempt Count: ",
    "(Request ID: ",
    "(RequestId: ",
];

/// The service's own sentence, on one line.
fn sentence(text: &str) -> String {
    let mut text = text.to_owned();
    for id in IDS {
        while let Some(start) = text.find(id) {
            text.replace_range(start..parenthesis(&text, start), "");
        }
    }
    if let Some(start) = text.find("Encoded authorization failure message: ") {
        text.truncate(start);
    }
    let mut text = text.split_whitespace().collect::<Vec<&str>>().join(" ");
    while let Some(start) = text.find(WRAPPING) {
        text.replace_range(start..start + WRAPPING.len(), "");
        // Each wrapping has a quotation mark of its own at the end, unless CloudFormation cut the text short.
        let end = text.trim_end().strip_suffix('"').map(str::len);
        text.truncate(end.unwrap_or(text.len()));
    }
    text.trim().to_owned()
}

/// The end of the parenthesis that begins here.
fn parenthesis(text: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (place, letter) in text[start..].char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return start + place + 1;
        }
    }
    text.len()
}

/// What follows the first of these.
pub(super) fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark).map(|(_, rest)| rest)
}

/// What stands between the first of these and the next of those.
pub(super) fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    after(text, start)?.split_once(end).map(|(inner, _)| inner)
}

/// The beginning of a text, up to one of these.
pub(super) fn word<'a>(text: &'a str, ends: &[char]) -> &'a str {
    text.split(ends).next().unwrap_or_default()
}

/// A name without the quotation marks and the full stop around it.
pub(super) fn bare(text: &str) -> &str {
    text.trim().trim_matches(|letter| "'\"`[]{}".contains(letter)).trim_end_matches(['.', ',', ';'])
}

/// The first number after a mark.
pub(super) fn number(text: &str, mark: &str) -> Option<u64> {
    let rest = after(text, mark)?.trim_start_matches([' ', '[', ':']);
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wrapping_comes_off_whatever_it_looks_like() {
        let new = r#"Resource handler returned message: "Rate exceeded (Service: Lambda, Status Code: 429, Request ID: 3f6b) (SDK Attempt Count: 1)" (RequestToken: 1a2b, HandlerErrorCode: Throttling)"#;
        let told = Told::of(new);
        assert_eq!(told.sentence, "Rate exceeded");
        assert_eq!((told.status, told.handler.as_deref()), (Some(429), Some("Throttling")));

        let old = "Rate exceeded (Service: AWSLambda; Status Code: 429; Error Code: TooManyRequestsException; Request ID: 3f6b; Proxy: null)";
        let told = Told::of(old);
        assert_eq!(told.sentence, "Rate exceeded");
        assert_eq!((told.status, told.code.as_deref()), (Some(429), Some("TooManyRequestsException")));

        let bare = r#"Resource handler returned message: "Limit exceeded (Service: Firehose, Status Code: 400)" (HandlerErrorCode: ServiceLimitExceeded)"#;
        assert_eq!(Told::of(bare).sentence, "Limit exceeded");
        let nested = r#"Resource handler returned message: "Add permissions. Resource handler returned message: "Access Denied (Service: S3, Status Code: 403, Request ID: 2FB9)"" (RequestToken: b4, HandlerErrorCode: UnauthorizedTaggingOperation)"#;
        assert_eq!(Told::of(nested).sentence, "Add permissions. Access Denied");

        let cut = r#"Resource handler returned message: "It went on (and on (Service: S3, Status Code: 4"#;
        assert_eq!(Told::of(cut).sentence, "It went on (and on");
        assert_eq!(Told::of("").sentence, "");
    }

    #[test]
    fn quotation_marks_of_the_service_stay() {
        let text = r#"Resource handler returned message: "Resource of type 'AWS::Logs::LogGroup' with identifier '{"/properties/LogGroupName":"/a/b"}' already exists." (RequestToken: 25, HandlerErrorCode: AlreadyExists)"#;
        let expected = r#"Resource of type 'AWS::Logs::LogGroup' with identifier '{"/properties/LogGroupName":"/a/b"}' already exists."#;
        assert_eq!(Told::of(text).sentence, expected);
    }
}
