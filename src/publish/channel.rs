//! Channels: where a report is news rather than a file. What was posted is written down, so that nothing is posted twice.
//!
//! A line of the log is written before a message is sent and completed when its answer is there. A run that was killed in
//! between leaves a line without an answer; the next run asks the service, or a person, before it posts again.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Parcel, Place, PublishError};
use crate::render::chat::News;

/// Name of the log at a place.
pub const LOG: &str = "posts.json";
/// Reports that the log remembers; older ones are never posted again.
const REMEMBERED: usize = 60;
/// How often the log is read again when another run wrote it meanwhile.
const TRIES: usize = 5;

/// What a channel sends.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// The message.
    pub message: serde_json::Value,
    /// Id of the finding and message of each reply.
    pub replies: Vec<(String, serde_json::Value)>,
    /// Name and bytes of the page, for channels that take files.
    pub page: Option<(String, Vec<u8>)>,
}

/// How a message fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It was posted.
    Posted,
    /// It was there and says something else now.
    Updated,
    /// It was there with the same words.
    There,
}

/// Where reports are posted.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Writes what would be sent.
    fn compose(&self, news: News<'_>) -> Notice;

    /// Returns the name of the place in messages, such as `channel C0123`.
    fn name(&self) -> String;

    /// Returns the language of its messages, if it has one of its own.
    fn language(&self) -> Option<crate::config::Language>;

    /// Returns what the service calls the owners of services.
    fn mentions(&self) -> &std::collections::BTreeMap<String, String>;

    /// Sends a message, or changes the one that is there.
    ///
    /// `again`: post also what may be there already.
    ///
    /// # Errors
    /// The service refuses, or cannot be reached; [`PublishError::Unknown`] where it is not known whether it has the
    /// message.
    async fn deliver(&self, notice: &Notice, log: &mut Entry<'_>, again: bool) -> Result<Delivered, PublishError>;
}

/// Everything that was posted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct PostLog {
    posts: Vec<Post>,
}

/// One posted report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Id of the channel in the config.
    pub target: String,
    /// First local day of the report.
    pub key: String,
    /// The message; empty before one was sent.
    #[serde(default)]
    pub message: Sent,
    /// The replies, by finding.
    #[serde(default)]
    pub replies: std::collections::BTreeMap<String, Sent>,
}

/// One message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// It is being sent, or its answer was lost.
    #[serde(default)]
    pub is_open: bool,
    /// SHA-256 of what was sent last, hexadecimal; empty before that.
    #[serde(default)]
    pub sha256: String,
    /// Where it is, in the service's words, such as channel and time stamp; empty if the service does not say.
    #[serde(default)]
    pub place: Vec<String>,
}

/// The line of one report in the log of a place.
pub struct Entry<'a> {
    place: &'a dyn Place,
    /// What is known.
    pub post: Post,
}

impl<'a> Entry<'a> {
    /// Reads the line of a report; a new one if there is none.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn read(place: &'a dyn Place, target: &str, key: &str) -> Result<Self, PublishError> {
        let log = parse(place.read(LOG).await?.map(|stored| stored.bytes))?;
        let known = log.posts.into_iter().find(|post| post.target == target && post.key == key);
        let new = || Post { target: target.to_owned(), key: key.to_owned(), ..Post::default() };
        Ok(Self { place, post: known.unwrap_or_else(new) })
    }

    /// Writes the line down.
    ///
    /// # Errors
    /// The log cannot be written; then nothing may be sent.
    pub async fn save(&self) -> Result<(), PublishError> {
        let mut changed = PublishError::Changed { name: LOG.to_owned() };
        for _ in 0..TRIES {
            let old = self.place.read(LOG).await?;
            let version = old.as_ref().map(|stored| stored.version.clone());
            let mut log = parse(old.map(|stored| stored.bytes))?;
            log.posts.retain(|post| post.target != self.post.target || post.key != self.post.key);
            log.posts.push(self.post.clone());
            let surplus = log.posts.len().saturating_sub(REMEMBERED);
            log.posts.drain(..surplus);
            let bytes = serde_json::to_vec_pretty(&log).map_err(|error| wrong(&error))?;
            match self.place.replace(Parcel { name: LOG, bytes: &bytes }, version.as_ref()).await {
                Err(error @ PublishError::Changed { .. }) => changed = error,
                other => return other,
            }
        }
        Err(changed)
    }
}

fn parse(bytes: Option<Vec<u8>>) -> Result<PostLog, PublishError> {
    bytes.map_or_else(|| Ok(PostLog::default()), |bytes| serde_json::from_slice(&bytes).map_err(|error| wrong(&error)))
}

fn wrong(error: &serde_json::Error) -> PublishError {
    PublishError::Log { reason: error.to_string() }
}
