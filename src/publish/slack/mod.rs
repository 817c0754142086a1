//! The place kind `slack`: one message a report in a channel, changed when the report is made again, with a reply for each
//! new regression.
//!
//! API: <https://docs.slack.dev/reference/methods>. Quirks: refusals come with status 200 and `ok: false`; `internal_error`
//! and a lost answer may have posted all the same, so the channel's history is searched for the mark of this report in the
//! message's metadata before it is posted again; an incoming webhook says nothing about what it posted.

mod bot;
mod config;

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::PublishError;
use super::channel::{Channel, Delivered, Entry, Notice};
use super::descriptor::{OpenTarget, TargetDescriptor, TargetSettings};
use super::hook::Hook;
use crate::config::{Config, Language};
use crate::model::secret::Secret;
use crate::render::chat::{News, slack};

use bot::Bot;
use config::{SlackSettings, Way};

/// What the program has to know of this kind.
pub static DESCRIPTOR: TargetDescriptor = TargetDescriptor {
    kind: "slack",
    about: "A channel of Slack, by a bot's token or an incoming webhook",
    keeps_files: false,
    example: include_str!("example.toml"),
    schema: || schemars::schema_for!(config::RawSlack).to_value(),
    settings: |table| Ok(Box::new(SlackSettings::of(table)?)),
};

impl TargetSettings for SlackSettings {
    fn variables(&self) -> Vec<String> {
        match &self.way {
            Way::Bot { token_env, .. } => vec![token_env.clone()],
            Way::Webhook(hook) => vec![hook.url_env.clone()],
        }
    }

    fn open(&self, id: &str, _config: &Config) -> Result<OpenTarget, PublishError> {
        let way = match &self.way {
            Way::Bot { channel, token_env, upload, endpoint } => {
                let secret = |source| PublishError::Secret { id: id.to_owned(), source };
                let token = Secret::from_env(token_env).map_err(secret)?;
                Sender::Bot(Bot::new(endpoint, channel, token, *upload)?)
            }
            Way::Webhook(hook) => Sender::Webhook(Hook::open(id, hook)?),
        };
        Ok(OpenTarget::Channel(Box::new(Slack { way, language: self.language, owners: self.owners.clone() })))
    }
}

enum Sender {
    Bot(Bot),
    Webhook(Hook),
}

struct Slack {
    way: Sender,
    language: Option<Language>,
    owners: BTreeMap<String, String>,
}

#[async_trait]
impl Channel for Slack {
    fn compose(&self, news: News<'_>) -> Notice {
        let post = slack::compose(news);
        let replies = if matches!(self.way, Sender::Bot(_)) { post.replies } else { Vec::new() };
        Notice { message: post.message, replies, page: None }
    }

    fn name(&self) -> String {
        match &self.way {
            Sender::Bot(bot) => format!("Slack channel {}", bot.channel()),
            Sender::Webhook(hook) => hook.name("Slack webhook"),
        }
    }

    fn language(&self) -> Option<Language> {
        self.language
    }

    fn mentions(&self) -> &BTreeMap<String, String> {
        &self.owners
    }

    async fn deliver(&self, notice: &Notice, log: &mut Entry<'_>, again: bool) -> Result<Delivered, PublishError> {
        match &self.way {
            Sender::Bot(bot) => bot.deliver(notice, log, again).await,
            Sender::Webhook(hook) => hook.deliver(&self.name(), notice, log, again, false, |_| Vec::new()).await,
        }
    }
}
