//! What the caller may not do, so that a leg can't be tested: that says nothing of whether the leg works.

use super::cause::Cause;
use super::course::Seen;
use super::report::Leg;
use crate::cloud::fault;
use crate::cloud::reason::Reason;
use crate::error::Error;

/// A refusal of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Denied {
    pub(super) leg: Leg,
    /// What is refused: a call, and what it is about. `None` where the credentials are no good at all.
    pub(super) what: Option<String>,
    /// What the service said.
    pub(super) said: String,
    pub(super) cause: Cause,
}

impl Denied {
    /// Of a call that failed for want of a permission, or of credentials. `action` and `resource` are what it takes where
    /// the service names no permission.
    pub(super) fn of(leg: Leg, error: &Error, action: &str, resource: &str) -> Self {
        let said = error.cause.clone().unwrap_or_else(|| error.message.clone());
        let remedies = error.remedies.clone();
        if !fault::is_lasting_refusal(error) {
            let meaning = "The credentials are no good, so that nothing is known of whether it works.";
            return Denied { leg, what: None, said, cause: Cause { meaning: meaning.to_owned(), remedies } };
        }
        // It can be another than that of the call: a key's, for instance.
        let text = said.split_once(": ").map_or("", |(_, text)| text);
        let told = match Reason::of(text, "") {
            Reason::NotAuthorized(denial) | Reason::ExplicitDeny(denial) => {
                denial.action.map(|action| (action, denial.resource))
            }
            Reason::KmsDenied { action, key } => action.map(|action| (action, key)),
            _ => None,
        };
        let (action, on) = told.unwrap_or_else(|| (action.to_owned(), None));
        let on = on.unwrap_or_else(|| resource.to_owned());
        let is_named = remedies.iter().any(|remedy| remedy.contains(&action));
        let remedies = if is_named {
            remedies
        } else {
            vec![format!("Have {action} on {on} allowed to whoever runs this, or choose another --profile.")]
        };
        let what = format!("call {action} on {on}");
        let meaning = format!("Whoever runs this may not {what}: nothing is known of whether it works.");
        Denied { leg, what: Some(what), said, cause: Cause { meaning, remedies } }
    }
}

impl From<Denied> for Seen {
    fn from(denied: Denied) -> Self {
        Seen::Denied(denied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn denied(cause: &str) -> Denied {
        let error = Error::new(Kind::Credentials, "cannot look at s").because(cause).remedy("as told");
        Denied::of(Leg::Stream, &error, "kinesis:ListShards", "s")
    }

    #[test]
    fn what_is_missing_is_named_whether_the_service_names_it_or_not() {
        let it =
            denied("AccessDeniedException: User: u is not authorized to perform: kms:Decrypt on this key");
        assert!(it.what.is_some_and(|what| what.starts_with("call kms:Decrypt on ")));
        assert!(it.cause.remedies[0].starts_with("Have kms:Decrypt on "), "{:?}", it.cause);
        let it = denied("AccessDenied: Access Denied");
        assert_eq!(it.what.as_deref(), Some("call kinesis:ListShards on s"));
        assert!(
            it.cause.remedies[0].starts_with("Have kinesis:ListShards on s allowed to"),
            "{:?}",
            it.cause
        );
        let it = denied("ExpiredTokenException: The security token included in the request is expired");
        assert_eq!((it.what, it.cause.remedies), (None, vec!["as told".to_owned()]));
    }
}
