//! `Retry-After`: the SDK knows only a header of its own (`x-amz-retry-after`, milliseconds), the servers send the usual one.

use std::time::Duration;

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority};
use aws_smithy_types::retry::ErrorKind;

use crate::source::http::retry_after;

/// Longest wait that is granted to a server. It bounds the SDK's own waits as well.
pub const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Waits as long as the server wants, and gives up where that is too long.
#[derive(Debug, Clone, Copy)]
pub struct HonoursRetryAfter;

impl ClassifyRetry for HonoursRetryAfter {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let (Some(Err(_)), Some(response)) = (context.output_or_error(), context.response()) else {
            return RetryAction::NoActionIndicated;
        };
        let kind = match response.status().as_u16() {
            429 => ErrorKind::ThrottlingError,
            503 => ErrorKind::ServerError,
            // CloudWatch throttles with status 400; whether that is so the SDK knows by the code.
            400 | 500.. => ErrorKind::TransientError,
            _ => return RetryAction::NoActionIndicated,
        };
        match wanted(response) {
            Some(wait) if wait > LONGEST_WAIT => RetryAction::RetryForbidden,
            Some(wait) => RetryAction::retryable_error_with_explicit_delay(kind, wait),
            None if response.status().as_u16() == 429 => RetryAction::throttling_error(),
            None => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "HonoursRetryAfter"
    }

    fn priority(&self) -> RetryClassifierPriority {
        // Last, because the SDK's own say nothing of the wait.
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

/// Returns how long a server wants to be left alone.
pub fn wanted(response: &HttpResponse) -> Option<Duration> {
    let header = |name: &str| response.headers().get(name);
    retry_after(header("retry-after")?, header("date"))
}
