//! The keys of a `[[publish]]` of kind `slack`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{ConfigError, EntryTable, Language};
use crate::publish::hook::HookSettings;

/// A channel of Slack, by a bot's token or by an incoming webhook.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawSlack {
    /// Id of the channel, for a bot (`chat:write`; `channels:history` finds what a killed run posted). Default: none, and
    /// an incoming webhook is used. Example: `channel = "C0123456789"`
    channel: Option<String>,
    /// The variable that holds the bot's token. Default: `"SLACK_BOT_TOKEN"`. Example: `token_env = "PERF_BOT_TOKEN"`
    token_env: Option<String>,
    /// Without `channel`: the variable that holds the address of the incoming webhook. Default: `"SLACK_WEBHOOK_URL"`.
    /// Example: `url_env = "PERF_WEBHOOK_URL"`
    url_env: Option<String>,
    /// Language of the messages. Default: the report's first. Example: `language = "ja"`
    #[schemars(extend("enum" = ["en", "ja"]))]
    language: Option<String>,
    /// What Slack calls the owners of services: a user's id (`U…`) or a group's (`S…`). They are called for new regressions
    /// only. Default: nobody is called. Example: `owners = { card-team = "S0123456789" }`
    owners: Option<BTreeMap<String, String>>,
    /// Also upload the page into the thread (`files:write`). Default: `false`. Example: `upload = true`
    upload: Option<bool>,
    /// Address of the Web API. Default: `"https://slack.com/api"`. Example: `endpoint = "https://slack-proxy.example.com/api"`
    endpoint: Option<String>,
}

/// How messages get there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// By a bot: the message can be changed, and has a thread.
    Bot {
        /// Id of the channel.
        channel: String,
        /// The variable that holds the token.
        token_env: String,
        /// Upload the page.
        upload: bool,
        /// Address of the Web API.
        endpoint: String,
    },
    /// By an incoming webhook: one message, which stays as it is.
    Webhook(HookSettings),
}

/// A channel of Slack, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SlackSettings {
    pub(super) way: Way,
    pub(super) language: Option<Language>,
    pub(super) owners: BTreeMap<String, String>,
}

impl SlackSettings {
    /// Checks the table of a place.
    ///
    /// # Errors
    /// [`ConfigError`] for ids that Slack does not have, and keys that do not go together.
    pub(super) fn of(table: &EntryTable) -> Result<Self, ConfigError> {
        let raw: RawSlack = table.read()?;
        let language = table.language("language", raw.language.clone())?;
        let owners = raw.owners.unwrap_or_default();
        for (owner, id) in &owners {
            if !is_id(id, "USW") {
                let help = "open the profile or the group in Slack and copy its id, such as U0123456789 or S0123456789";
                return Err(table.wrong(&format!("owners.{owner}"), format!("{id:?} is no id of Slack"), help));
            }
        }
        let way = match raw.channel {
            Some(channel) => {
                if !is_id(&channel, "CG") {
                    let help = "open the channel's details in Slack and copy its id, such as C0123456789";
                    return Err(table.wrong("channel", format!("{channel:?} is no id of a channel"), help));
                }
                if raw.url_env.is_some() {
                    return Err(table.wrong("url_env", "goes with an incoming webhook", "leave out it, or `channel`"));
                }
                let endpoint = table.endpoint("endpoint", raw.endpoint)?;
                Way::Bot {
                    channel,
                    token_env: table
                        .variable("token_env", raw.token_env)?
                        .unwrap_or_else(|| "SLACK_BOT_TOKEN".to_owned()),
                    upload: raw.upload.unwrap_or(false),
                    endpoint: endpoint.unwrap_or_else(|| "https://slack.com/api".to_owned()),
                }
            }
            None => {
                let bot = [("token_env", raw.token_env.is_some()), ("endpoint", raw.endpoint.is_some())];
                let upload = ("upload", raw.upload.is_some());
                if let Some((key, _)) = bot.into_iter().chain([upload]).find(|(_, is_set)| *is_set) {
                    return Err(table.wrong(key, "goes with a bot", "add `channel`, or leave it out"));
                }
                Way::Webhook(HookSettings::of(table, raw.url_env, "SLACK_WEBHOOK_URL", raw.language)?)
            }
        };
        Ok(Self { way, language, owners })
    }
}

/// Returns whether a text is an id of Slack: one of some letters, then capitals and digits.
fn is_id(text: &str, first: &str) -> bool {
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    text.starts_with(|c| first.contains(c)) && (9..=16).contains(&text.len()) && text.chars().all(fits)
}
