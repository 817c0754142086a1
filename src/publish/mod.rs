//! Brings finished reports to where they are read: folders, object storage, channels.
//!
//! Read this file first (what a place can do), then `descriptor` (what the program has to know of a kind), [`TARGETS`] and
//! `registry`, `shelf` (in which order the files of a report are written, so that the index never names one that is not
//! whole), `channel` (how nothing is posted twice), and one folder, such as `folder` or `slack`. `file` writes files of
//! this machine whole or not at all.
//!
//! A new kind is a folder and its two lines here: its module, and its place in [`TARGETS`].
//!
//! Places see names and bytes only. What a report means is decided in `review`, what a message says in `render`.

pub mod channel;
pub mod descriptor;
pub mod file;
pub mod folder;
mod hook;
pub mod object_store;
pub mod registry;
pub mod shelf;
pub mod slack;
pub mod teams;
pub mod webhook;

use std::io;
use std::path::PathBuf;

use async_trait::async_trait;

use crate::model::secret::SecretError;
use crate::source::http::HttpError;

pub use descriptor::{OpenTarget, TargetDescriptor};

/// Every kind of place, in the order in which help and docs list them.
pub static TARGETS: &[&TargetDescriptor] =
    &[&folder::DESCRIPTOR, &object_store::DESCRIPTOR, &slack::DESCRIPTOR, &teams::DESCRIPTOR, &webhook::DESCRIPTOR];

/// A file to be written at a place.
#[derive(Debug, Clone, Copy)]
pub struct Parcel<'a> {
    /// Its name below the place, with `/` between folders.
    pub name: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// How a file is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileKind {
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// Value of `Cache-Control`.
    pub cache_control: &'static str,
}

/// Returns how a file is served, by its name.
///
/// Every file may be written again (a report that is made anew, the index), so browsers ask each time whether theirs is
/// still the newest, and nothing in between keeps a copy.
pub fn file_kind(name: &str) -> FileKind {
    let content_type = match name.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("md") => "text/markdown; charset=utf-8",
        Some("xml") => "application/atom+xml; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    };
    FileKind { content_type, cache_control: "private, no-cache" }
}

/// A file as a place has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What the place calls this version of it.
    pub version: Version,
}

/// What a place calls one version of a file: for [`Place::replace`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// The entity tag, where the place has one.
    pub tag: Option<String>,
    /// The generation, where the place has one.
    pub generation: Option<String>,
}

/// Where files are kept and read.
#[async_trait]
pub trait Place: Send + Sync {
    /// Returns a file; `None` if there is none.
    ///
    /// # Errors
    /// The place cannot be read.
    async fn read(&self, name: &str) -> Result<Option<Stored>, PublishError>;

    /// Writes a file, whole or not at all, whatever was there.
    ///
    /// # Errors
    /// The place cannot be written.
    async fn write(&self, parcel: Parcel<'_>) -> Result<(), PublishError>;

    /// Writes a file if it is still the version that was read; `None`: if there is still none.
    ///
    /// # Errors
    /// [`PublishError::Changed`] if somebody else wrote it meanwhile; the place cannot be written.
    async fn replace(&self, parcel: Parcel<'_>, version: Option<&Version>) -> Result<(), PublishError>;

    /// Returns an address of a file that needs no key, and for how many seconds it lives.
    ///
    /// # Errors
    /// The place cannot make one.
    async fn signed(&self, name: &str, seconds: u64) -> Result<Signed, PublishError>;
}

/// An address that needs no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The address.
    pub url: String,
    /// For how many seconds it lives at most, as far as is known.
    pub seconds: u64,
    /// What may end it sooner, in words; empty if nothing.
    pub caveat: String,
}

/// Why a report did not get to its place. Every text continues "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The folder cannot be made.
    #[error("make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written or moved to its name.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of that name is there, and may be worth keeping.
    #[error("{} is there already", path.display())]
    There {
        /// The file.
        path: PathBuf,
    },
    /// The table in the config has no meaning.
    #[error("read the config of the place `{id}`")]
    Config {
        /// Id of the place.
        id: String,
        /// Why.
        #[source]
        source: Box<crate::config::ConfigError>,
    },
    /// The place cannot be opened: a key that is not there, an address without a meaning.
    #[error("open the place: {reason}")]
    Open {
        /// Why.
        reason: String,
        /// What to do next; empty if nothing is known.
        help: String,
    },
    /// Object storage refused, or could not be reached.
    #[error("{action} {name}: {reason}")]
    Remote {
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// The file.
        name: String,
        /// Why, from outside: sanitised.
        reason: String,
        /// What to do next; empty if nothing is known.
        help: String,
    },
    /// Somebody else wrote the file between reading and writing.
    #[error("write {name}: it was changed at the same time by somebody else")]
    Changed {
        /// The file.
        name: String,
    },
    /// The place holds a report of another period under the same name.
    #[error("publish {key}: the place has a report from {from} to {to} under that name")]
    OtherPeriod {
        /// The name: the first local day.
        key: String,
        /// Start of the report that is there.
        from: String,
        /// Its end.
        to: String,
    },
    /// The archive of the place cannot be read.
    #[error("read index.json of the place: {reason}")]
    Archive {
        /// Why.
        reason: String,
    },
    /// The log of what was posted cannot be read.
    #[error("read posts.json, the log of what was posted: {reason}")]
    Log {
        /// Why.
        reason: String,
    },
    /// A service refuses what it was sent.
    #[error("post to {channel}: {reason}")]
    Refused {
        /// The channel.
        channel: String,
        /// What the service said, from outside: sanitised.
        reason: String,
        /// What to do next; empty if nothing is known.
        help: String,
    },
    /// A service cannot be reached.
    #[error("post to {channel}")]
    Unreached {
        /// The channel.
        channel: String,
        /// Why.
        #[source]
        source: HttpError,
    },
    /// An answer was lost, and the service cannot be asked whether the message arrived.
    #[error("post to {channel}: it is not known whether the message of an earlier run arrived")]
    Unknown {
        /// The channel.
        channel: String,
        /// Id of the target.
        target: String,
    },
    /// A secret is not there.
    #[error("read the key of the place `{id}`")]
    Secret {
        /// Id of the place.
        id: String,
        /// Why.
        #[source]
        source: SecretError,
    },
    /// The place has no address to give away.
    #[error("make a link to {name}: {reason}")]
    NoLink {
        /// The file.
        name: String,
        /// Why.
        reason: &'static str,
    },
}

impl PublishError {
    /// Returns what to do next, if anything is known.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Config { source, .. } => return source.help(),
            Self::Open { help, .. } | Self::Remote { help, .. } => help.clone(),
            Self::Changed { .. } => "run it again: nothing was lost, the other run's files are there".to_owned(),
            Self::OtherPeriod { .. } => {
                "publish to another folder or prefix, or remove that report there first".to_owned()
            }
            Self::Archive { .. } => {
                "look at index.json there; if it is moved away, publishing makes a new one".to_owned()
            }
            Self::Refused { help, .. } => help.clone(),
            Self::Unreached { source, .. } => source.help().unwrap_or_default().to_owned(),
            Self::Unknown { target, .. } => {
                format!("look there; if it is missing, run `fortnight publish --only {target} --again`")
            }
            Self::Secret { source, .. } => source.help(),
            Self::Log { .. } => "look at posts.json; if it is moved away, messages may be posted twice".to_owned(),
            _ => String::new(),
        };
        Some(help).filter(|help| !help.is_empty())
    }
}
