//! For callers that have a pace of their own: they are to see each throttled call, at once.

use super::fault;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};

/// The same client, but it doesn't make a throttled call again by itself. All else that may pass it still does.
pub fn paced(client: &aws_sdk_s3::Client) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(client.config().to_builder().retry_classifier(Paced).build())
}

#[derive(Debug)]
struct Paced;

impl ClassifyRetry for Paced {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response() {
            Some(response) if fault::says_slow_down(response) => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "Paced"
    }
}
