//! A bot's calls of the Web API: post, change, look for what a killed run posted, reply.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::model::sanitize;
use crate::model::secret::Secret;
use crate::publish::PublishError;
use crate::publish::channel::{Delivered, Entry, Notice, Sent};
use crate::publish::hook::client;
use crate::publish::shelf::sha256;
use crate::source::http::{Http, HttpError};

/// Name of the metadata by which a message is found again.
const EVENT: &str = "fortnight_report";
/// How often a call is tried that surely did nothing.
const TRIES: usize = 4;
/// The longest wait that Slack may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Key of the uploaded page among the replies of a post; no finding has such an id.
const PAGE: &str = "page";
/// Messages that are searched for one of ours.
const SEARCHED: usize = 100;

/// How a call ended badly.
enum Miss {
    /// Slack says no: nothing was done.
    Refused { error: String, needed: String },
    /// It is not known what was done.
    Unknown(HttpError),
}

/// A bot in a channel.
pub(super) struct Bot {
    http: Http,
    endpoint: String,
    channel: String,
    bearer: Secret,
    token: Secret,
    upload: bool,
}

impl Bot {
    pub(super) fn new(endpoint: &str, channel: &str, token: Secret, upload: bool) -> Result<Self, PublishError> {
        let http = client().map_err(|source| PublishError::Unreached { channel: channel.to_owned(), source })?;
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Ok(Self { http, endpoint, channel: channel.to_owned(), bearer: token.bearer(), token, upload })
    }

    pub(super) fn channel(&self) -> &str {
        &self.channel
    }

    /// Posts or changes the message, then the replies that are not there.
    pub(super) async fn deliver(
        &self,
        notice: &Notice,
        log: &mut Entry<'_>,
        again: bool,
    ) -> Result<Delivered, PublishError> {
        if again {
            log.post.message = Sent::default();
            log.post.replies.clear();
        }
        let mark = format!("{}/{}", log.post.target, log.post.key);
        let delivered = self.message(notice, log, &mark).await?;
        let Some(thread) = log.post.message.place.get(1).cloned() else { return Ok(delivered) };
        for (finding, reply) in &notice.replies {
            let known = log.post.replies.get(finding).cloned().unwrap_or_default();
            if !known.sha256.is_empty() && !known.is_open {
                continue;
            }
            let mark = format!("{mark}/{finding}");
            let found = if known.is_open { self.find(&mark, Some(&thread)).await? } else { None };
            let sent = match found {
                Some(place) => place,
                None => {
                    let open = Sent { is_open: true, sha256: String::new(), place: Vec::new() };
                    log.post.replies.insert(finding.clone(), open);
                    log.save().await?;
                    self.post(reply, &mark, Some(&thread)).await?
                }
            };
            let sha256 = sha256(reply.to_string().as_bytes());
            log.post.replies.insert(finding.clone(), Sent { is_open: false, sha256, place: sent });
            log.save().await?;
        }
        if let (true, Some((name, bytes))) = (self.upload, &notice.page) {
            self.upload(name, bytes, &thread, log).await?;
        }
        Ok(delivered)
    }

    /// Uploads the page into the thread once. An upload cannot be found again, so one whose answer was lost is left alone.
    async fn upload(&self, name: &str, bytes: &[u8], thread: &str, log: &mut Entry<'_>) -> Result<(), PublishError> {
        if log.post.replies.contains_key(PAGE) {
            return Ok(());
        }
        let open = Sent { is_open: true, ..Sent::default() };
        let asked = json!({"filename": name, "length": bytes.len()});
        let told = self.must("files.getUploadURLExternal", &asked).await?;
        let word = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
        let (address, id) = (word("upload_url"), word("file_id"));
        let is_local = address.starts_with("http://127.0.0.1") || address.starts_with("http://localhost");
        if !(address.starts_with("https://") || is_local) {
            let (reason, help) = ("it names no address to upload to".to_owned(), String::new());
            return Err(PublishError::Refused { channel: self.name(), reason, help });
        }
        log.post.replies.insert(PAGE.to_owned(), open);
        log.save().await?;
        let unreached = |source| PublishError::Unreached { channel: self.name(), source };
        let reply = self.http.send_once(Method::POST, &address, &[], &[], bytes.to_vec()).await.map_err(unreached)?;
        if !(200..300).contains(&reply.status) {
            let words = sanitize::excerpt(reply.text.trim());
            return Err(unreached(HttpError::Status { status: reply.status, tries: 1, words }));
        }
        let done = json!({"files": [{"id": id, "title": name}], "channel_id": self.channel, "thread_ts": thread});
        self.must("files.completeUploadExternal", &done).await?;
        log.post.replies.insert(PAGE.to_owned(), Sent { is_open: false, sha256: sha256(bytes), place: vec![id] });
        log.save().await
    }

    /// Calls a method whose every bad end is an error.
    async fn must(&self, method: &str, body: &Value) -> Result<Value, PublishError> {
        self.call(method, body).await.map_err(|miss| match miss {
            Miss::Refused { error, needed } => self.refused(method, &error, &needed),
            Miss::Unknown(source) => PublishError::Unreached { channel: self.name(), source },
        })
    }

    async fn message(&self, notice: &Notice, log: &mut Entry<'_>, mark: &str) -> Result<Delivered, PublishError> {
        let digest = sha256(notice.message.to_string().as_bytes());
        if log.post.message.is_open
            && let Some(place) = self.find(mark, None).await?
        {
            // What that run sent is not known for sure, so it is written over.
            log.post.message = Sent { is_open: false, sha256: "found".to_owned(), place };
            log.save().await?;
        }
        let known = log.post.message.clone();
        if !known.is_open && known.sha256 == digest {
            return Ok(Delivered::There);
        }
        if let ([channel, stamp], false) = (known.place.as_slice(), known.is_open)
            && self.change(channel, stamp, &notice.message, mark).await?
        {
            log.post.message = Sent { is_open: false, sha256: digest, place: known.place.clone() };
            log.save().await?;
            return Ok(Delivered::Updated);
        }
        // New, or deleted by hand: its thread went with it.
        log.post.message = Sent { is_open: true, sha256: String::new(), place: Vec::new() };
        log.post.replies.clear();
        log.save().await?;
        let place = self.post(&notice.message, mark, None).await;
        if matches!(place, Err(PublishError::Refused { .. })) {
            log.post.message = Sent::default();
            log.save().await?;
        }
        log.post.message = Sent { is_open: false, sha256: digest, place: place? };
        log.save().await?;
        Ok(Delivered::Posted)
    }

    /// Posts a message and returns channel and time stamp.
    async fn post(&self, message: &Value, mark: &str, thread: Option<&str>) -> Result<Vec<String>, PublishError> {
        let body = self.body(&self.channel, message, mark, &[("thread_ts", thread)]);
        match self.call("chat.postMessage", &body).await {
            Ok(answer) => Ok(place_of(&answer).unwrap_or_default()),
            Err(Miss::Refused { error, needed }) => Err(self.refused("chat.postMessage", &error, &needed)),
            // It may be there; the next run looks for it too, should this look fail.
            Err(Miss::Unknown(source)) => match self.find(mark, thread).await? {
                Some(place) => Ok(place),
                None => Err(PublishError::Unreached { channel: self.name(), source }),
            },
        }
    }

    /// Changes a message; `false` if it is not there any more.
    async fn change(&self, channel: &str, stamp: &str, message: &Value, mark: &str) -> Result<bool, PublishError> {
        let body = self.body(channel, message, mark, &[("ts", Some(stamp))]);
        match self.call("chat.update", &body).await {
            Ok(_) => Ok(true),
            Err(Miss::Refused { error, .. }) if error == "message_not_found" => Ok(false),
            Err(Miss::Refused { error, needed }) => Err(self.refused("chat.update", &error, &needed)),
            // To change it twice does no harm: the next run does.
            Err(Miss::Unknown(source)) => Err(PublishError::Unreached { channel: self.name(), source }),
        }
    }

    /// Looks for a message by its mark, in the channel or in a thread.
    async fn find(&self, mark: &str, thread: Option<&str>) -> Result<Option<Vec<String>>, PublishError> {
        let method = if thread.is_some() { "conversations.replies" } else { "conversations.history" };
        let mut body = json!({"channel": self.channel, "limit": SEARCHED, "include_all_metadata": true});
        if let (Some(thread), Some(body)) = (thread, body.as_object_mut()) {
            body.insert("ts".to_owned(), json!(thread));
        }
        let answer = self.must(method, &body).await?;
        let is_ours = |message: &&Value| {
            message.pointer("/metadata/event_type").and_then(Value::as_str) == Some(EVENT)
                && message.pointer("/metadata/event_payload/mark").and_then(Value::as_str) == Some(mark)
        };
        let found = answer["messages"].as_array().and_then(|all| all.iter().find(is_ours));
        let stamp = found.and_then(|message| message["ts"].as_str());
        Ok(stamp.map(|stamp| vec![self.channel.clone(), stamp.to_owned()]))
    }

    fn body(&self, channel: &str, message: &Value, mark: &str, more: &[(&str, Option<&str>)]) -> Value {
        let mut body = message.clone();
        let metadata = json!({"event_type": EVENT, "event_payload": {"mark": mark}});
        if let Some(body) = body.as_object_mut() {
            body.insert("channel".to_owned(), json!(channel));
            body.insert("metadata".to_owned(), metadata);
            for key in ["unfurl_links", "unfurl_media", "link_names"] {
                body.insert(key.to_owned(), json!(false));
            }
            for (key, value) in more.iter().filter_map(|(key, value)| Some((*key, (*value)?))) {
                body.insert(key.to_owned(), json!(value));
            }
        }
        body
    }

    /// Calls a method. What surely did nothing (429) is tried again; nothing else is.
    async fn call(&self, method: &str, body: &Value) -> Result<Value, Miss> {
        let url = format!("{}/{method}", self.endpoint);
        let (secrets, hidden) = ([("authorization", &self.bearer)], [("token", &self.token)]);
        let mut tries = 0;
        loop {
            tries += 1;
            let body = body.to_string().into_bytes();
            let reply =
                self.http.send_once(Method::POST, &url, &secrets, &hidden, body).await.map_err(Miss::Unknown)?;
            if reply.status == 429 && tries < TRIES {
                self.http.sleep(reply.after.unwrap_or(Duration::from_secs(1)).min(LONGEST_WAIT)).await;
                continue;
            }
            let words = || sanitize::excerpt(reply.text.trim());
            if reply.status >= 500 {
                return Err(Miss::Unknown(HttpError::Status { status: reply.status, tries: 1, words: words() }));
            }
            let Ok(answer) = serde_json::from_str::<Value>(&reply.text) else {
                return Err(Miss::Unknown(HttpError::NotJson { words: words() }));
            };
            if answer["ok"].as_bool() == Some(true) {
                return Ok(answer);
            }
            let said = |key: &str| answer[key].as_str().map(sanitize::excerpt).unwrap_or_default();
            let error = said("error");
            if ["internal_error", "fatal_error", "service_unavailable"].contains(&error.as_str()) {
                return Err(Miss::Unknown(HttpError::Status { status: reply.status, tries: 1, words: error }));
            }
            let details: Vec<String> = answer
                .pointer("/response_metadata/messages")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|text| text.as_str().map(sanitize::excerpt))
                .collect();
            let error = if details.is_empty() { error } else { format!("{error} ({})", details.join("; ")) };
            return Err(Miss::Refused { error, needed: said("needed") });
        }
    }

    fn name(&self) -> String {
        format!("Slack channel {}", self.channel)
    }

    fn refused(&self, method: &str, error: &str, needed: &str) -> PublishError {
        let help = match error.split(' ').next().unwrap_or_default() {
            "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive" => {
                "the token is not valid: copy the bot's token (xoxb-…) of the app into the variable".to_owned()
            }
            "missing_scope" => format!("give the app the scope `{needed}`, and install it again"),
            "channel_not_found" | "not_in_channel" => {
                "invite the bot: type `/invite @its-name` in the channel, and check the channel's id".to_owned()
            }
            "is_archived" => "the channel is archived: name another one in the config".to_owned(),
            "restricted_action" => "the workspace does not let bots post there: ask its administrators".to_owned(),
            "ratelimited" => "Slack asks to wait: run `fortnight publish --only slack` later".to_owned(),
            _ => String::new(),
        };
        PublishError::Refused { channel: self.name(), reason: format!("{method} says {error}"), help }
    }
}

fn place_of(answer: &Value) -> Option<Vec<String>> {
    let word = |key: &str| answer[key].as_str().map(str::to_owned);
    Some(vec![word("channel")?, word("ts")?])
}
