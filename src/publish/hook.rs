//! What all channels share that take a message at a secret address and say nothing more about it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;

use super::PublishError;
use super::channel::{Delivered, Entry, Notice, Sent};
use super::shelf::sha256;
use crate::config::{ConfigError, EntryTable, Language};
use crate::model::secret::Secret;
use crate::model::{sanitize, scrub};
use crate::source::http::{Http, Limits, RealTime, Reply};

/// How often a refusal that says "later" is followed.
const TRIES: usize = 4;
/// The longest wait that a server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A piece of an address that is shorter is a word, such as `services`.
const SHORTEST_PIECE: usize = 9;

/// The keys that such channels share, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HookSettings {
    /// The variable that holds the address.
    pub url_env: String,
    /// Language of the messages, if it has one of its own.
    pub language: Option<Language>,
}

impl HookSettings {
    pub(super) fn of(
        table: &EntryTable,
        url_env: Option<String>,
        default: &str,
        language: Option<String>,
    ) -> Result<Self, ConfigError> {
        let url_env = table.variable("url_env", url_env)?.unwrap_or_else(|| default.to_owned());
        Ok(Self { url_env, language: table.language("language", language)? })
    }
}

/// Makes the client of a channel: a few small requests, none of which may wait for long.
pub(super) fn client() -> Result<Http, crate::source::http::HttpError> {
    let limits = Limits {
        at_once: 1,
        tries: TRIES as u32,
        budget: Duration::from_secs(120),
        one_try: Duration::from_secs(30),
        largest_by: 4 << 20,
        ..Limits::default()
    };
    Http::new(limits, Arc::new(RealTime))
}

/// A secret address.
pub(super) struct Hook {
    http: Http,
    url: Secret,
    /// Pieces of the address that are secrets by themselves: an answer may repeat one of them.
    pieces: Vec<Secret>,
    pub(super) language: Option<Language>,
    pub(super) mentions: BTreeMap<String, String>,
    host: String,
}

impl Hook {
    /// Reads the address from the environment.
    ///
    /// # Errors
    /// It is not set, or is no address that a key may be sent to.
    pub(super) fn open(id: &str, settings: &HookSettings) -> Result<Self, PublishError> {
        let url =
            Secret::from_env(&settings.url_env).map_err(|source| PublishError::Secret { id: id.to_owned(), source })?;
        let wrong = || PublishError::Open {
            reason: format!("`{}` holds no address to post to", settings.url_env),
            help: "it begins with https://; http:// only to 127.0.0.1".to_owned(),
        };
        let parsed = reqwest::Url::parse(url.reveal()).map_err(|_| wrong())?;
        let host = parsed.host_str().unwrap_or_default().to_owned();
        let is_local = ["127.0.0.1", "localhost", "[::1]"].contains(&host.as_str());
        if host.is_empty() || !(parsed.scheme() == "https" || parsed.scheme() == "http" && is_local) {
            return Err(wrong());
        }
        let http = client().map_err(|source| PublishError::Unreached { channel: host.clone(), source })?;
        let path = parsed.path_segments().into_iter().flatten().map(str::to_owned);
        let query = parsed.query_pairs().map(|(_, value)| value.into_owned());
        let pieces = path.chain(query).filter(|piece| piece.len() >= SHORTEST_PIECE);
        let pieces = pieces.filter_map(|piece| Secret::checked(&piece, &settings.url_env).ok()).collect();
        Ok(Self { http, url, pieces, language: settings.language, mentions: BTreeMap::new(), host })
    }

    /// Returns a name without the secret part of the address.
    pub(super) fn name(&self, kind: &str) -> String {
        format!("{kind} at {}", sanitize::excerpt(&self.host))
    }

    /// Posts a message unless it is there.
    ///
    /// `is_known_by_id`: the receiver drops a second one, so what may have arrived is sent again. `headers`: made from the
    /// body for each try.
    pub(super) async fn deliver(
        &self,
        channel: &str,
        notice: &Notice,
        log: &mut Entry<'_>,
        again: bool,
        is_known_by_id: bool,
        headers: impl Fn(&[u8]) -> Vec<(&'static str, String)>,
    ) -> Result<Delivered, PublishError> {
        let body = notice.message.to_string().into_bytes();
        let digest = sha256(&body);
        let last = &log.post.message;
        if last.is_open && !again && !is_known_by_id {
            let (channel, target) = (channel.to_owned(), log.post.target.clone());
            return Err(PublishError::Unknown { channel, target });
        }
        // Such an address cannot change a message: one that was made anew is posted again only when that is asked for.
        let is_there = !last.sha256.is_empty() && !last.is_open && !again;
        if is_there && (last.sha256 == digest || !is_known_by_id) {
            return Ok(Delivered::There);
        }
        log.post.message = Sent { is_open: true, sha256: digest.clone(), place: Vec::new() };
        log.save().await?;
        let outcome = self.send(channel, &body, headers).await;
        // A refusal is an answer: nothing was posted.
        if matches!(outcome, Ok(()) | Err(PublishError::Refused { .. })) {
            log.post.message = match outcome {
                Ok(()) => Sent { is_open: false, sha256: digest, place: Vec::new() },
                Err(_) => Sent::default(),
            };
            log.save().await?;
        }
        outcome.map(|()| Delivered::Posted)
    }

    async fn send(
        &self,
        channel: &str,
        body: &[u8],
        headers: impl Fn(&[u8]) -> Vec<(&'static str, String)>,
    ) -> Result<(), PublishError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let extra: Vec<(&'static str, Secret)> = headers(body)
                .into_iter()
                .filter_map(|(name, value)| Some((name, Secret::checked(&value, name).ok()?)))
                .collect();
            let extra: Vec<(&'static str, &Secret)> = extra.iter().map(|(name, value)| (*name, value)).collect();
            let all = std::iter::once(&self.url).chain(&self.pieces);
            let hidden: Vec<(&'static str, &Secret)> = all.map(|secret| ("url", secret)).collect();
            let sent = self.http.send_once(Method::POST, self.url.reveal(), &extra, &hidden, body.to_vec()).await;
            let reply = sent.map_err(|source| PublishError::Unreached { channel: channel.to_owned(), source })?;
            match reply.status {
                200..300 => return Ok(()),
                429 if tries < TRIES => {
                    self.http.sleep(reply.after.unwrap_or(Duration::from_secs(2)).min(LONGEST_WAIT)).await;
                }
                // A server that has trouble may have posted it all the same.
                500.. => {
                    let source = crate::source::http::HttpError::Status {
                        status: reply.status,
                        tries: 1,
                        words: scrub::excerpt(&reply.text),
                    };
                    return Err(PublishError::Unreached { channel: channel.to_owned(), source });
                }
                _ => return Err(refused(channel, &reply)),
            }
        }
    }
}

fn refused(channel: &str, reply: &Reply) -> PublishError {
    let reason = format!("HTTP status {}: {}", reply.status, scrub::excerpt(reply.text.trim()));
    let help = match reply.status {
        401 | 403 => "the address or its key is not valid any more: make a new one and put it into the variable",
        404 | 410 => "the address is gone, or its channel is archived: make a new one and put it into the variable",
        413 => "the message is too large for the service",
        _ => "",
    };
    PublishError::Refused { channel: channel.to_owned(), reason, help: help.to_owned() }
}
