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

use super::lists::ListError;
use crate::model::sanitize::excerpt;

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

/// A kind of failure, each with its own words and its own way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing in the chain gives credentials.
    NoCredentials,
    /// The role may not be assumed.
    RoleDenied,
    /// The session or token is over.
    Expired,
    /// The key is not known, or not the right one.
    BadKey,
    /// The action is not allowed.
    Denied,
    /// The clocks are too far apart.
    ClockSkew,
    /// Too many requests, and it did not get better.
    Throttled,
    /// No connection.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// An answer that is none: cut off, HTML, another protocol.
    Garbled,
    /// The request is not understood.
    Refused,
    /// The service has a fault of its own.
    Service,
}

impl Fault {
    fn words(self) -> &'static str {
        match self {
            Self::NoCredentials => "no credentials found",
            Self::RoleDenied => "the role cannot be assumed",
            Self::Expired => "the session has expired",
            Self::BadKey => "the access key is not accepted",
            Self::Denied => "not allowed",
            Self::ClockSkew => "this machine's clock is wrong",
            Self::Throttled => "still throttled after every retry",
            Self::Unreachable => "cannot be reached",
            Self::TimedOut => "no answer in time",
            Self::Garbled => "the answer cannot be read",
            Self::Refused => "the request was refused",
            Self::Service => "the service failed after every retry",
        }
    }

    fn help(self, action: &str) -> Option<String> {
        let text = match self {
            Self::NoCredentials => {
                "give credentials the usual way (AWS_PROFILE, AWS_ACCESS_KEY_ID, a role of the machine), or `profile` in the config"
            }
            Self::RoleDenied => {
                "the role's trust policy has to name who asks here, and the external id has to be the one in `external_id_env`"
            }
            Self::Expired => "get new credentials (`aws sso login`, a new session token) and run it again",
            Self::BadKey => {
                "check the access key and its secret; a key of another partition (China, GovCloud) counts as unknown"
            }
            Self::Denied => return Some(format!("allow {action} on \"*\" in the policy of the role that asks")),
            Self::ClockSkew => "set the clock (timedatectl set-ntp true); Amazon allows five minutes",
            Self::Throttled => "somebody else asks this account a lot; run it again later, or name fewer `resources`",
            Self::Unreachable => "check the network, HTTPS_PROXY, the spelling of `regions` and `endpoint`",
            Self::TimedOut | Self::Service => "run it again; health.aws.amazon.com tells of disturbances",
            Self::Garbled => "something between here and Amazon answers in its place: check HTTPS_PROXY and `endpoint`",
            Self::Refused => return None,
        };
        Some(text.to_owned())
    }
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
        let (fault, said) = of_credentials(&chain(&error));
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
            _ if is_about_credentials(error) => of_credentials(&chain),
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

/// Tells why there are no credentials: none at all, or a role that lets nobody in.
fn of_credentials(chain: &[String]) -> (Fault, String) {
    let told = chain.iter().rev().find(|text| text.contains("AccessDenied")).cloned();
    let holds = |word: &str| chain.iter().any(|text| text.contains(word));
    let fault = if told.is_some() {
        Fault::RoleDenied
    } else if holds("ExpiredToken") || holds("expired") {
        Fault::Expired
    } else if holds("RequestTimeTooSkewed") || holds("Signature expired") || holds("Signature not yet current") {
        Fault::ClockSkew
    } else if holds("InvalidClientTokenId") || holds("SignatureDoesNotMatch") {
        Fault::BadKey
    } else if holds("Throttling") {
        Fault::Throttled
    } else {
        Fault::NoCredentials
    };
    (fault, told.map_or_else(|| last(chain), |text| format!(": {}", bounded(&text))))
}

fn is_about_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(one) = cause {
        if one.is::<CredentialsError>() {
            return true;
        }
        cause = one.source();
    }
    false
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
    chain.last().map_or_else(String::new, |text| format!(": {}", bounded(text)))
}

/// Cuts and escapes words from outside, without keys. Amazon's longest, those about policies, are about 300 signs.
pub(super) fn bounded(text: &str) -> String {
    const LONGEST: usize = 320;
    let text = without_keys(text);
    let (cut, rest) = match text.char_indices().nth(LONGEST) {
        Some((end, _)) => (text.get(..end).unwrap_or_default(), "…"),
        None => (text.as_str(), ""),
    };
    crate::model::sanitize::escape(cut) + rest
}

/// Leaves out what looks like an access key's id, a secret key or a session token.
fn without_keys(text: &str) -> String {
    let is_part = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '+' | '/' | '=');
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(is_part) {
        let (before, from) = rest.split_at(begin);
        let (run, after) = from.split_at(from.find(|sign| !is_part(sign)).unwrap_or(from.len()));
        kept.push_str(before);
        kept.push_str(if is_key(run) { "[left out]" } else { run });
        rest = after;
    }
    kept + rest
}

/// Ids are 20 signs that begin with a word of Amazon's; secrets are 40 and tokens hundreds of signs of base 64, in which
/// capitals, small letters and digits all occur, as they hardly do in names of that length.
fn is_key(run: &str) -> bool {
    let has = |kind: fn(&char) -> bool| run.chars().any(|sign| kind(&sign));
    let is_id = run.len() == 20 && (run.starts_with("AKIA") || run.starts_with("ASIA"));
    let is_long = run.len() >= 36;
    let is_mixed = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
    is_id || is_long && is_mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_that_a_server_repeats_is_told() {
        // The keys of Amazon's own documentation.
        let (id, secret) = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let token = "FwoGZXIvYXdzEBYaDK7Example/".repeat(12);
        // Wherever the cut falls, no half of a key stays.
        for words in 0..40 {
            let text =
                format!("{}x-amz-security-token:{token} Credential={id}/20261123 {secret}", "word ".repeat(words));
            let told = bounded(&text);
            for part in [&id[..8], &secret[..8], &secret[20..28], &token[..8]] {
                assert!(!told.contains(part), "{told}");
            }
        }
    }

    #[test]
    fn names_of_resources_stay() {
        let text =
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/paymentserviceproduction/943f017f100becff";
        assert_eq!(bounded(text), text);
        assert_eq!(
            bounded("User: arn:aws:sts::1:assumed-role/Reader/me is not authorized"),
            "User: arn:aws:sts::1:assumed-role/Reader/me is not authorized"
        );
    }
}
