//! Microsoft Teams: an Adaptive Card for a Workflows webhook.

use serde_json::{Value, json};

use super::{Markup, News, Writer};

/// Writes the body that a Workflows webhook takes.
pub fn compose(news: News<'_>) -> Value {
    let writer = Writer::new(news, Teams);
    let lines = writer.lines();
    let block = |text: &String| json!({"type": "TextBlock", "text": text, "wrap": true});
    let all = lines.head.iter().chain(&lines.findings).chain(&lines.tail);
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": Teams.text(&lines.plain),
        "body": all.map(block).collect::<Vec<Value>>(),
    });
    if let (Some(card), false) = (card.as_object_mut(), news.link.is_empty()) {
        let title = writer.label("chat.open");
        let action = json!([{"type": "Action.OpenUrl", "title": title, "url": news.link}]);
        card.insert("actions".to_owned(), action);
    }
    let attachment = json!({
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": null,
        "content": card,
    });
    json!({"type": "message", "attachments": [attachment]})
}

/// The part of Markdown that a text block knows.
struct Teams;

impl Markup for Teams {
    fn text(&self, text: &str) -> String {
        super::super::escape::markdown(text)
    }

    fn strong(&self, text: &str) -> String {
        format!("**{}**", self.text(text))
    }

    fn code(&self, text: &str) -> String {
        // Text blocks know no code.
        self.text(text)
    }

    fn link(&self, url: &str, text: &str) -> String {
        let url = url.replace('(', "%28").replace(')', "%29").replace('<', "%3C").replace('>', "%3E");
        format!("[{}]({url})", self.text(text))
    }

    fn mention(&self, id: &str) -> String {
        // A webhook cannot call people by itself; the name is all that it can give.
        self.text(id)
    }
}
