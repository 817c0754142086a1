//! What can go wrong between here and NerdGraph.

use crate::source::http::HttpError;

/// Why an account cannot be read. Texts hold no key; words of the server are escaped and bounded.
#[derive(Debug, thiserror::Error)]
pub enum NewRelicError {
    /// No answer, or none that is JSON.
    #[error("NerdGraph gives no answer")]
    Http(#[source] HttpError),
    /// The key is not accepted.
    #[error("the key in `{key_env}` is not accepted: {words}")]
    Key {
        /// The environment variable.
        key_env: String,
        /// What the server said.
        words: String,
    },
    /// An error inside an HTTP 200.
    #[error("{what}: NerdGraph refuses ({class}): {words}")]
    Refused {
        /// What was asked: a query's id, or what is looked for.
        what: String,
        /// The server's class of errors, such as `TIMEOUT`.
        class: String,
        /// What it said.
        words: String,
    },
    /// An answer that is not as documented.
    #[error("{what}: {reason}")]
    Shape {
        /// What was asked.
        what: String,
        /// What is wrong, with the row.
        reason: String,
    },
    /// An answer that is not whole, and cannot be asked for in smaller pieces.
    #[error("{what}: the answer is cut ({reason}), and what was asked cannot be made smaller")]
    Cut {
        /// What was asked.
        what: String,
        /// How that shows.
        reason: String,
    },
    /// A query under way for longer than the server waits for the one who asked.
    #[error("{what}: not done after {seconds} s")]
    Unfinished {
        /// What was asked.
        what: String,
        /// How long it was waited for.
        seconds: u64,
    },
}

impl NewRelicError {
    /// Returns what to do next.
    pub fn help(&self) -> Option<String> {
        let text = match self {
            Self::Http(error) => error.help()?,
            Self::Key { key_env, .. } => {
                return Some(format!(
                    "put a user key (it begins with NRAK) of somebody who may read the account into `{key_env}`, \
                     and look whether `region` is right"
                ));
            }
            Self::Refused { class, .. } if class == "NOT_FOUND" || class == "FORBIDDEN" => {
                "may the key's owner read this account? is `account` right?"
            }
            Self::Refused { class, .. } if is_passing(class) => "run again later, nothing is lost",
            Self::Refused { .. } => "paste the query that `collect --dry-run` prints into New Relic's query builder",
            Self::Shape { .. } => "this is not what New Relic documents; please report it with the text above",
            Self::Cut { .. } => "name fewer applications in `applications`, or write a query with fewer facets",
            Self::Unfinished { .. } => "run again later, or name fewer applications in `applications`",
        };
        Some(text.to_owned())
    }

    /// Returns whether less in one request may help.
    pub(super) fn is_too_much(&self) -> bool {
        match self {
            Self::Refused { class, .. } => class == "TIMEOUT",
            Self::Cut { .. } | Self::Unfinished { .. } => true,
            Self::Http(HttpError::TooLarge { .. }) => true,
            _ => false,
        }
    }
}

/// Returns whether a class of errors may pass by waiting.
pub(super) fn is_passing(class: &str) -> bool {
    matches!(class, "TOO_MANY_REQUESTS" | "SERVER_ERROR" | "INTERNAL_SERVER_ERROR")
}
