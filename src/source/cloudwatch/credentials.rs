//! Why there are no credentials. "None found" is said only where nothing in the chain was set up; a service that hands
//! them out and fails is named, with what it said.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

use super::fault::{Fault, bounded};
use crate::source::waiting::announced;

/// Credentials whose source is named while it is waited for.
#[derive(Debug)]
pub(super) struct Announced {
    what: String,
    inner: SharedCredentialsProvider,
}

impl Announced {
    /// Wraps credentials; `what`: where they come from.
    pub(super) fn new(what: String, inner: SharedCredentialsProvider) -> Self {
        Self { what, inner }
    }
}

impl ProvideCredentials for Announced {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(announced(&self.what, self.inner.provide_credentials()))
    }
}

/// Sorts an error that has to do with credentials; returns what was said besides.
pub(super) fn fault(error: &(dyn Error + 'static)) -> (Fault, String) {
    let texts = texts(error);
    let denied = texts.iter().rev().find(|text| text.contains("AccessDenied")).cloned();
    let holds = |words: &[&str]| texts.iter().any(|text| words.iter().any(|word| text.contains(word)));
    let fault = if denied.is_some() {
        Fault::RoleDenied
    } else if holds(&["ExpiredToken", "expired"]) {
        Fault::Expired
    } else if holds(&["RequestTimeTooSkewed", "Signature expired", "Signature not yet current"]) {
        Fault::ClockSkew
    } else if holds(&["InvalidClientTokenId", "SignatureDoesNotMatch"]) {
        Fault::BadKey
    } else if holds(&["Throttling"]) {
        Fault::Throttled
    } else if holds(&["identity resolver timed out"]) {
        Fault::CredentialsSilent
    } else {
        of_kind(error)
    };
    let said = match denied {
        Some(text) => format!(": {}", bounded(&text)),
        None => said(&texts),
    };
    (fault, said)
}

/// Returns whether an error has to do with credentials: they failed, or they took too long.
pub(super) fn is_about(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(one) = cause {
        if one.is::<CredentialsError>() || one.to_string().contains("identity resolver timed out") {
            return true;
        }
        cause = one.source();
    }
    false
}

/// Sorts by what the provider in the chain that did not pass on to the next one says of itself.
fn of_kind(error: &(dyn Error + 'static)) -> Fault {
    let mut fault = Fault::NoCredentials;
    let mut cause = Some(error);
    while let Some(one) = cause {
        match one.downcast_ref::<CredentialsError>() {
            Some(CredentialsError::ProviderTimedOut(_)) => return Fault::CredentialsSilent,
            Some(CredentialsError::InvalidConfiguration(_)) => fault = Fault::CredentialsWrong,
            Some(CredentialsError::ProviderError(_) | CredentialsError::Unhandled(_)) => {
                fault = Fault::CredentialsFailed
            }
            _ => {}
        }
        cause = one.source();
    }
    match fault {
        // The SDK passes over a machine whose metadata cannot be reached; who names their address wants them.
        Fault::NoCredentials if has_metadata_address() => Fault::CredentialsFailed,
        fault => fault,
    }
}

fn has_metadata_address() -> bool {
    let is_set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    let is_off = std::env::var("AWS_EC2_METADATA_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    is_set("AWS_EC2_METADATA_SERVICE_ENDPOINT") && !is_off
}

/// Returns what an error and its causes say, the deepest last, each text once.
fn texts(error: &dyn Error) -> Vec<String> {
    /// More than any real error has; an error that is its own cause must not hang this.
    const DEEPEST: usize = 24;
    let mut texts = vec![error.to_string()];
    let (mut cause, mut depth) = (error.source(), 0);
    while let Some(one) = cause.filter(|_| depth < DEEPEST) {
        let text = one.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
        (cause, depth) = (one.source(), depth + 1);
    }
    texts
}

/// Returns the two deepest causes: the deepest alone may be as short as `invalid XML`.
fn said(texts: &[String]) -> String {
    let from = texts.len().saturating_sub(2).max(usize::from(texts.len() > 1));
    texts.iter().skip(from).map(|text| format!(": {}", bounded(text))).collect()
}
