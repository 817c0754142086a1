//! Slack: Block Kit, inside the limits that Slack documents and the one that it does not.

use serde_json::{Value, json};

use super::{Markup, News, Writer};

/// Characters of a section's text at most, by Slack's reference.
const SECTION: usize = 3_000;

/// A message and its replies, as the Web API takes them (without channel and thread).
#[derive(Debug, Clone, PartialEq)]
pub struct SlackPost {
    /// `text` and `blocks` of the message.
    pub message: Value,
    /// Id of the finding, with `text` and `blocks` of its reply.
    pub replies: Vec<(String, Value)>,
}

/// Writes the message of a report.
pub fn compose(news: News<'_>) -> SlackPost {
    let writer = Writer::new(news, Slack);
    let lines = writer.lines();
    let mut blocks = vec![section(&lines.head)];
    if !lines.findings.is_empty() {
        blocks.push(section(&lines.findings));
    }
    blocks.push(context(&lines.tail));
    let message = json!({"text": Slack.text(&lines.plain), "blocks": blocks});
    let replies = writer.replies().into_iter().map(|reply| {
        let blocks = json!([section(&reply.lines)]);
        (reply.finding, json!({"text": Slack.text(&reply.plain), "blocks": blocks}))
    });
    SlackPost { message, replies: replies.collect() }
}

fn section(lines: &[String]) -> Value {
    json!({"type": "section", "text": mrkdwn(lines)})
}

fn context(lines: &[String]) -> Value {
    json!({"type": "context", "elements": [mrkdwn(lines)]})
}

/// `verbatim`: Slack makes nothing of addresses, channels and names by itself.
fn mrkdwn(lines: &[String]) -> Value {
    let mut text = String::new();
    for line in lines {
        // A line is left out whole: half of one could end inside a link.
        if text.chars().count() + line.chars().count() < SECTION {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(line);
        }
    }
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

/// Slack's markup: three characters begin everything that is more than looks, by its reference.
pub(super) struct Slack;

impl Markup for Slack {
    fn text(&self, text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    }

    fn strong(&self, text: &str) -> String {
        format!("*{}*", self.text(&text.replace('*', "∗")))
    }

    fn code(&self, text: &str) -> String {
        format!("`{}`", self.text(&text.replace('`', "'")))
    }

    fn link(&self, url: &str, text: &str) -> String {
        // A bar ends the address, so one inside of it is written out.
        let url = url.replace('|', "%7C").replace('<', "%3C").replace('>', "%3E").replace('&', "&amp;");
        format!("<{url}|{}>", self.text(&text.replace('|', "¦")))
    }

    fn mention(&self, id: &str) -> String {
        if id.starts_with('S') { format!("<!subteam^{id}>") } else { format!("<@{id}>") }
    }
}
