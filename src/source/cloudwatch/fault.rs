//! Kinds of failure in Amazon's services, and how the words of a server are repeated: short, escaped, without keys.

use crate::model::scrub;

/// A kind of failure, each with its own words and its own way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing in the chain gives credentials.
    NoCredentials,
    /// What gives the credentials is set up, and fails.
    CredentialsFailed,
    /// What gives the credentials does not answer.
    CredentialsSilent,
    /// Credentials are set up, and in a way that has no meaning.
    CredentialsWrong,
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
    /// Says what failed, as a fragment.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::NoCredentials => "no credentials found",
            Self::CredentialsFailed => "what hands out the credentials failed",
            Self::CredentialsSilent => "what hands out the credentials does not answer",
            Self::CredentialsWrong => "the settings for the credentials are wrong",
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

    /// Returns what to do next. `action`: the permission that was used.
    pub(super) fn help(self, action: &str) -> Option<String> {
        let text = match self {
            Self::NoCredentials => {
                "give credentials the usual way (AWS_PROFILE, AWS_ACCESS_KEY_ID, a role of the machine), or `profile` in the \
                 config; in a container on EC2 the metadata need a hop limit of 2"
            }
            Self::CredentialsFailed => {
                "credentials are set up; look at what hands them out (STS, SSO, `credential_process`, the metadata of the \
                 container or machine), at HTTPS_PROXY and at `endpoint`, then run it again"
            }
            Self::CredentialsSilent => {
                "check the network and HTTPS_PROXY to what hands out the credentials (STS, SSO, `credential_process`, the \
                 metadata of the container or machine), then run it again"
            }
            Self::CredentialsWrong => {
                "mend ~/.aws/config or the AWS_ variables; `aws sts get-caller-identity` tries them out"
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
            Self::TimedOut | Self::Service => "run it again; health.aws.amazon.com lists disturbances",
            Self::Garbled => "something between here and Amazon answers in its place: check HTTPS_PROXY and `endpoint`",
            Self::Refused => return None,
        };
        Some(text.to_owned())
    }
}

/// Cuts and escapes words from outside, without keys. Amazon's longest, those about policies, are about 300 signs.
pub(super) fn bounded(text: &str) -> String {
    const LONGEST: usize = 320;
    let text = without_keys(&scrub::words(text));
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
