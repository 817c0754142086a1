//! Why there is no answer, and what to do about it.

/// Why there is no answer. Texts name no address and no header.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The client cannot be made, or a header cannot be written.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
    /// A header that cannot be sent.
    #[error("the header `{0}` cannot be sent")]
    Header(&'static str),
    /// No connection, or one that broke.
    #[error("no connection after {}", times(*tries))]
    Broken {
        /// How often it was tried.
        tries: u32,
        /// What the network said, without the address.
        #[source]
        source: reqwest::Error,
    },
    /// Nothing came in time.
    #[error("no answer in time after {}", times(*tries))]
    TimedOut {
        /// How often it was tried.
        tries: u32,
    },
    /// A status that says no.
    #[error("HTTP status {status} after {}: {words}", times(*tries))]
    Status {
        /// The status.
        status: u16,
        /// How often it was tried.
        tries: u32,
        /// The first words of the answer, escaped.
        words: String,
    },
    /// The server asks to wait longer than this program does.
    #[error("HTTP status {status}: the server asks to wait {seconds} s, which is longer than is left of the budget")]
    Wait {
        /// The status.
        status: u16,
        /// What it asked for.
        seconds: u64,
    },
    /// It points elsewhere.
    #[error("HTTP status {status} sends on to `{host}`, and the key does not go there")]
    Redirect {
        /// The status.
        status: u16,
        /// The host, escaped; `another address` if it is not to be read.
        host: String,
    },
    /// Something else than JSON: a proxy's page, most of the time.
    #[error("the answer is not JSON; it begins with: {words}")]
    NotJson {
        /// The first words, escaped.
        words: String,
    },
    /// It stops in the middle.
    #[error("the answer stops in the middle, at byte {at_by}, after {}", times(*tries))]
    CutOff {
        /// Where.
        at_by: usize,
        /// How often it was tried.
        tries: u32,
    },
    /// More than this program takes.
    #[error("the answer is larger than {limit_by} bytes")]
    TooLarge {
        /// How much it takes.
        limit_by: usize,
    },
}

fn times(tries: u32) -> String {
    if tries == 1 { "1 try".to_owned() } else { format!("{tries} tries") }
}

impl HttpError {
    /// Returns the status of the answer, if there was one that says no.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } | Self::Wait { status, .. } | Self::Redirect { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Returns what to do next.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Broken { .. } | Self::TimedOut { .. } => {
                Some("is the network up, and does a proxy have to be named in HTTPS_PROXY?")
            }
            Self::NotJson { .. } | Self::Redirect { .. } => {
                Some("something between here and the service answered; look at HTTPS_PROXY and at `endpoint`")
            }
            Self::Status { status: 429, .. } | Self::Wait { .. } => {
                Some("the account's limit is used up; run again later, nothing is lost")
            }
            Self::Status { status: 500.., .. } | Self::CutOff { .. } => {
                Some("the service has trouble; run again later, nothing is lost")
            }
            _ => None,
        }
    }
}
