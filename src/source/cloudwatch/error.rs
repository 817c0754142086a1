//! What can go wrong between here and Amazon, told short.
//!
//! The errors of the SDK carry whole requests and answers; of them only the code, the server's words and the number of
//! the request are kept, without what looks like a key, cut and escaped. A server that refuses a signature may repeat the
//! request it should have been made for, session token and all.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::credentials;
use super::fault::{Fault, bounded};
use super::lists::ListError;
use super::retry;
use crate::model::diagnostic;
use crate::model::scrub::excerpt;

/// Why an account cannot be asked, or did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum CloudWatchError {
    /// A list of metrics is broken.
    #[error("list of metrics")]
    List(#[from] ListError),
    /// The variable of the external id is not set, or holds what Amazon does not take.
    #[error("environment variable `{variable}`, which holds the role's external id, {reason}")]
    ExternalId {
        /// The variable.
        variable: String,
        /// What is wrong, never the value.
        reason: &'static str,
    },
    /// A pattern in `resources` cannot be understood.
    #[error("pattern of resources `{pattern}` is not valid")]
    Pattern {
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        #[source]
        source: glob::PatternError,
    },
    /// A call failed, whatever was tried.
    #[error("{place}: {action}: {}{said}", fault.words())]
    Call {
        /// Region and account.
        place: String,
        /// The permission, such as `cloudwatch:GetMetricData`.
        action: &'static str,
        /// What kind of failure it is.
        fault: Fault,
        /// Code, words and number of the request; begins with `: ` or is empty.
        said: String,
    },
    /// The answer is not what was asked for, or only a part of it.
    #[error("{place}: {action}: {reason}")]
    Answer {
        /// Region and account.
        place: String,
        /// The permission.
        action: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The window is older than anything that is kept.
    #[error("{place}: nothing is kept of {day} any more")]
    Forgotten {
        /// Region and account.
        place: String,
        /// The UTC day.
        day: String,
    },
}

impl CloudWatchError {
    /// Returns what to do next, for a `help:` line.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::List(_) => Some("how a list is written stands in queries/README.md".to_owned()),
            Self::ExternalId { variable, .. } => Some(format!(
                "put the external id of the role's trust policy into the environment: export {variable}=..."
            )),
            Self::Pattern { .. } => Some("`*`, `?` and `[…]` are special".to_owned()),
            Self::Call { fault, action, .. } => fault.help(action),
            Self::Answer { .. } => Some("run it again; nothing of this answer was kept".to_owned()),
            Self::Forgotten { .. } => Some("CloudWatch keeps nothing longer than 455 days".to_owned()),
        }
    }

    /// Returns whether a permission is missing.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Call { fault: Fault::Denied, .. })
    }

    /// Makes an error of credentials that cannot be had.
    pub fn of_credentials(place: &str, action: &'static str, error: CredentialsError) -> Self {
        let (fault, said) = credentials::fault(&error);
        Self::Call { place: place.to_owned(), action, fault, said }
    }

    /// Makes an error of what the SDK says about a call.
    pub fn of_call<E>(place: &str, action: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let chain = chain(error);
        let (fault, said) = match error {
            SdkError::ServiceError(inner) => of_service(inner.err(), inner.raw()),
            SdkError::ResponseError(_) => (Fault::Garbled, String::new()),
            SdkError::TimeoutError(_) => (Fault::TimedOut, String::new()),
            _ if credentials::is_about(error) => credentials::fault(error),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => (Fault::TimedOut, last(&chain)),
            SdkError::DispatchFailure(_) => (Fault::Unreachable, last(&chain)),
            _ => (Fault::Refused, last(&chain)),
        };
        Self::Call { place: place.to_owned(), action, fault, said }
    }
}

/// Tells what a service said: `: AccessDenied: User … is not authorized (request 4b2c…)`.
fn of_service<E: ProvideErrorMetadata>(error: &E, raw: &HttpResponse) -> (Fault, String) {
    let code = error.code().unwrap_or_default();
    // A code may come with its namespace or as an address; the last part is the name.
    let code = code.rsplit(['#', '/']).next().unwrap_or_default();
    let code = code.split(':').next().unwrap_or_default();
    let message = error.message().unwrap_or_default();
    let status = raw.status().as_u16();
    let fault = of_code(code, message, status);
    let mut said = String::new();
    for text in [code, message] {
        if !text.is_empty() {
            said.push_str(": ");
            said.push_str(&bounded(text));
        }
    }
    if said.is_empty() {
        said = format!(": HTTP {status}");
    }
    if let Some(wait) = retry::wanted(raw).filter(|wait| *wait > retry::LONGEST_WAIT) {
        said.push_str(&format!("; the server asks to wait {} s, which is longer than this run waits", wait.as_secs()));
    }
    if let Some(request) = raw.headers().get("x-amzn-requestid") {
        said.push_str(&format!(" (request {})", excerpt(request)));
    }
    (fault, said)
}

fn of_code(code: &str, message: &str, status: u16) -> Fault {
    let is_late = message.contains("Signature expired") || message.contains("Signature not yet current");
    match code {
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => Fault::ClockSkew,
        "SignatureDoesNotMatch" | "InvalidSignatureException" | "InvalidSignature" if is_late => Fault::ClockSkew,
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => Fault::Expired,
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidAccessKeyId"
        | "InvalidSignatureException"
        | "InvalidSignature"
        | "IncompleteSignature"
        | "MissingAuthenticationToken" => Fault::BadKey,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "NotAuthorized" | "OptInRequired" => {
            Fault::Denied
        }
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException" => Fault::Throttled,
        "LimitExceeded" | "LimitExceededException" | "LimitExceededFault" => Fault::Throttled,
        "" if status == 429 => Fault::Throttled,
        "" if status < 500 && status != 400 => Fault::Garbled,
        _ if status >= 500 => Fault::Service,
        _ => Fault::Refused,
    }
}

/// Returns what an error and its causes say, the deepest last.
fn chain(error: &dyn Error) -> Vec<String> {
    /// More than any real error has; an error that is its own cause must not hang this.
    const DEEPEST: usize = 16;
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(one) = cause.filter(|_| texts.len() < DEEPEST) {
        texts.push(one.to_string());
        cause = one.source();
    }
    texts
}

fn last(chain: &[String]) -> String {
    chain.last().map_or_else(String::new, |text| format!(": {}", bounded(&diagnostic::without_code(text))))
}
