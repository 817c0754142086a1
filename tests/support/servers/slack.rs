//! A channel of Slack as its Web API shows it: keeps messages, checks every call against the documented names and limits,
//! and misbehaves when told to.
//!
//! Names and limits: <https://docs.slack.dev/reference/methods>, <https://docs.slack.dev/reference/block-kit/blocks>.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

pub const CHANNEL: &str = "C0123456789";
pub const TOKEN: &str = "xoxb-canary-token";

/// What the server does to the next calls of a method, before it goes back to normal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// 429 with a `Retry-After` of nothing: it did nothing.
    Limited,
    /// 500 before anything is done.
    Down,
    /// The message is there, and the answer is a 500.
    LostAnswer,
    /// `ok: false` with this word.
    Says(&'static str),
    /// A proxy's page.
    Html,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<Value>,
    next: u32,
    calls: Vec<String>,
    wrong: Vec<String>,
    trouble: BTreeMap<String, Vec<Trouble>>,
    uploads: Vec<(String, usize)>,
}

/// A running server.
pub struct Slack {
    pub server: MockServer,
    state: Arc<Mutex<State>>,
}

impl Slack {
    pub async fn start() -> Self {
        let server = MockServer::start().await;
        let state = Arc::new(Mutex::new(State::default()));
        let answer = Answer { state: state.clone(), uri: server.uri() };
        Mock::given(any()).respond_with(answer).mount(&server).await;
        Self { server, state }
    }

    /// Lets calls of a method go wrong in this order.
    pub fn make(&self, method: &str, troubles: &[Trouble]) {
        self.state.lock().expect("alone").trouble.insert(method.to_owned(), troubles.to_vec());
    }

    /// Returns the messages of the channel, without the replies.
    pub fn messages(&self) -> Vec<Value> {
        self.all().into_iter().filter(|one| one.get("thread_ts").is_none()).collect()
    }

    /// Returns the replies in all threads.
    pub fn replies(&self) -> Vec<Value> {
        self.all().into_iter().filter(|one| one.get("thread_ts").is_some()).collect()
    }

    fn all(&self) -> Vec<Value> {
        self.state.lock().expect("alone").messages.clone()
    }

    /// Deletes every message, as somebody in the channel may.
    pub fn clear(&self) {
        self.state.lock().expect("alone").messages.clear();
    }

    /// Returns the methods that were called since the last look.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().expect("alone").calls)
    }

    /// Returns what no documentation allows.
    pub fn wrong(&self) -> Vec<String> {
        self.state.lock().expect("alone").wrong.clone()
    }

    /// Returns names and sizes of uploaded files that were completed.
    pub fn uploads(&self) -> Vec<(String, usize)> {
        self.state.lock().expect("alone").uploads.clone()
    }
}

struct Answer {
    state: Arc<Mutex<State>>,
    uri: String,
}

fn ok(more: Value) -> ResponseTemplate {
    let mut body = json!({"ok": true});
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    ResponseTemplate::new(200).set_body_json(body)
}

fn no(word: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"ok": false, "error": word, "needed": "chat:write"}))
}

impl Respond for Answer {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.state.lock().expect("alone");
        let method = request.url.path().trim_start_matches('/').to_owned();
        state.calls.push(method.clone());
        if method == "upload" {
            let size = request.body.len();
            state.uploads.push((String::new(), size));
            return ResponseTemplate::new(200).set_body_string(format!("OK - {size}"));
        }
        let trouble = state.trouble.get_mut(&method).filter(|list| !list.is_empty()).map(|list| list.remove(0));
        match trouble {
            Some(Trouble::Limited) => {
                return ResponseTemplate::new(429)
                    .insert_header("Retry-After", "0")
                    .set_body_json(json!({"ok": false, "error": "ratelimited"}));
            }
            Some(Trouble::Down) => return ResponseTemplate::new(500).set_body_string("down"),
            Some(Trouble::Says(word)) => return no(word),
            Some(Trouble::Html) => {
                return ResponseTemplate::new(200).set_body_raw(format!("<html>{TOKEN}</html>"), "text/html");
            }
            Some(Trouble::LostAnswer) | None => {}
        }
        if request.headers.get("authorization").is_none_or(|value| value != format!("Bearer {TOKEN}").as_str()) {
            return no("invalid_auth");
        }
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else { return no("invalid_json") };
        let wrong = check(&method, &body);
        state.wrong.extend(wrong);
        let answer = act(&mut state, &method, &body, &self.uri);
        if trouble == Some(Trouble::LostAnswer) { ResponseTemplate::new(500).set_body_string("lost") } else { answer }
    }
}

fn act(state: &mut State, method: &str, body: &Value, uri: &str) -> ResponseTemplate {
    if method.starts_with("chat.") || method.starts_with("conversations.") {
        let is_there = body["channel"] == CHANNEL;
        if !is_there {
            return no("channel_not_found");
        }
    }
    match method {
        "chat.postMessage" => {
            state.next += 1;
            let stamp = format!("1700000000.{:06}", state.next);
            let mut message = body.clone();
            message["ts"] = json!(stamp);
            state.messages.push(message);
            ok(json!({"channel": CHANNEL, "ts": stamp}))
        }
        "chat.update" => match state.messages.iter_mut().find(|one| one["ts"] == body["ts"]) {
            Some(message) => {
                *message = body.clone();
                ok(json!({"channel": CHANNEL, "ts": body["ts"]}))
            }
            None => no("message_not_found"),
        },
        "conversations.history" => {
            let all: Vec<&Value> = state.messages.iter().filter(|one| one.get("thread_ts").is_none()).rev().collect();
            ok(json!({"messages": all}))
        }
        "conversations.replies" => {
            let own: Vec<&Value> = state.messages.iter().filter(|one| one["thread_ts"] == body["ts"]).collect();
            ok(json!({"messages": own}))
        }
        "files.getUploadURLExternal" => ok(json!({"upload_url": format!("{uri}/upload"), "file_id": "F0123456789"})),
        "files.completeUploadExternal" => {
            let title = body.pointer("/files/0/title").and_then(Value::as_str).unwrap_or_default().to_owned();
            if let Some(last) = state.uploads.last_mut() {
                last.0 = title;
            }
            ok(json!({"files": body["files"]}))
        }
        _ => no("unknown_method"),
    }
}

/// Returns what the documentation does not allow.
fn check(method: &str, body: &Value) -> Vec<String> {
    let keys: &[&str] = match method {
        "chat.postMessage" => {
            &["channel", "text", "blocks", "metadata", "thread_ts", "unfurl_links", "unfurl_media", "link_names"]
        }
        "chat.update" => &["channel", "ts", "text", "blocks", "metadata", "link_names", "unfurl_links", "unfurl_media"],
        "conversations.history" => &["channel", "limit", "include_all_metadata", "oldest"],
        "conversations.replies" => &["channel", "ts", "limit", "include_all_metadata"],
        "files.getUploadURLExternal" => &["filename", "length"],
        "files.completeUploadExternal" => &["files", "channel_id", "thread_ts"],
        _ => &[],
    };
    let mut wrong = Vec::new();
    for key in body.as_object().into_iter().flat_map(|body| body.keys()) {
        if !keys.contains(&key.as_str()) {
            wrong.push(format!("{method} takes no {key}"));
        }
    }
    if !method.starts_with("chat.") {
        return wrong;
    }
    if body["text"].as_str().is_none_or(|text| text.is_empty() || text.chars().count() > 4_000) {
        wrong.push(format!("{method}: text is {}", body["text"]));
    }
    let blocks = body["blocks"].as_array().cloned().unwrap_or_default();
    if blocks.is_empty() || blocks.len() > 50 {
        wrong.push(format!("{method}: {} blocks", blocks.len()));
    }
    for block in &blocks {
        let (kind, texts): (&str, Vec<&Value>) = match block["type"].as_str() {
            Some("section") => ("mrkdwn", vec![&block["text"]]),
            Some("context") => ("mrkdwn", block["elements"].as_array().into_iter().flatten().collect()),
            other => {
                wrong.push(format!("{method}: a block {other:?}"));
                continue;
            }
        };
        for text in texts {
            let length = text["text"].as_str().map_or(0, |text| text.chars().count());
            if text["type"] != kind || !(1..=3_000).contains(&length) {
                wrong.push(format!("{method}: a text of {length} characters and type {}", text["type"]));
            }
        }
    }
    wrong
}
