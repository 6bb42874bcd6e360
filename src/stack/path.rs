//! The critical path: which resources an operation's time went to.

use crate::event::PathStep;

/// The work on one resource, in seconds of the service's clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The name in the template.
    pub logical_id: String,
    /// For instance `AWS::Kinesis::Stream`.
    pub resource_type: String,
    /// When it began.
    pub began: f64,
    /// When it ended.
    pub ended: f64,
}

/// From the last resource to end backwards: each waited for the one that ended last before it began. CloudFormation
/// begins a resource as soon as all that it depends on is there, so that is what held it up.
pub fn critical_path(spans: &[Span]) -> Vec<PathStep> {
    let mut path = Vec::new();
    let mut next = spans.iter().max_by(|a, b| a.ended.total_cmp(&b.ended));
    while let Some(span) = next {
        let before = spans.iter().filter(|it| it.ended <= span.began && it.began < span.began);
        next = before.max_by(|a, b| a.ended.total_cmp(&b.ended).then(b.began.total_cmp(&a.began)));
        path.push(PathStep {
            logical_id: span.logical_id.clone(),
            resource_type: span.resource_type.clone(),
            seconds: span.ended - span.began,
            idle_seconds: next.map_or(0.0, |before| span.began - before.ended),
        });
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(logical_id: &str, began: f64, ended: f64) -> Span {
        Span { logical_id: logical_id.to_owned(), resource_type: String::new(), began, ended }
    }

    #[test]
    fn the_path_leads_from_the_first_resource_to_the_last_along_what_held_each_up() {
        let spans = [
            span("Bucket", 1.0, 19.0),
            span("DeliveryLogGroup", 1.0, 3.0),
            span("ProcessorRole", 1.0, 17.0),
            span("Processor", 17.5, 24.0),
            span("BucketPolicy", 19.5, 21.0),
            span("Delivery", 24.5, 92.0),
        ];
        let path = critical_path(&spans);
        let names: Vec<&str> = path.iter().map(|step| step.logical_id.as_str()).collect();
        assert_eq!(names, ["ProcessorRole", "Processor", "Delivery"]);
        assert_eq!((path[2].seconds, path[2].idle_seconds), (67.5, 0.5));
        assert_eq!(path[0].idle_seconds, 0.0);
    }

    #[test]
    fn nothing_done_is_no_path_and_things_at_one_instant_end() {
        assert!(critical_path(&[]).is_empty());
        let path = critical_path(&[span("A", 0.0, 0.0), span("B", 0.0, 0.0)]);
        assert_eq!(path.len(), 1);
    }
}
