//! The place kind `teams`: a Workflows webhook of Microsoft Teams.
//!
//! Its address holds a signature, so it stays in the environment. It answers before it posts, cannot change a message and
//! knows no thread: one message a report.

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::PublishError;
use super::channel::{Channel, Delivered, Entry, Notice};
use super::descriptor::{OpenTarget, TargetDescriptor, TargetSettings};
use super::hook::{Hook, HookSettings};
use crate::config::{Config, ConfigError, EntryTable, Language};
use crate::render::chat::{News, teams};

/// What the program has to know of this kind.
pub static DESCRIPTOR: TargetDescriptor = TargetDescriptor {
    kind: "teams",
    about: "A Workflows webhook of Microsoft Teams",
    keeps_files: false,
    example: include_str!("example.toml"),
    schema: || schemars::schema_for!(RawTeams).to_value(),
    settings: |table| Ok(Box::new(TeamsSettings::of(table)?)),
};

/// A channel of Microsoft Teams.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawTeams {
    /// The variable that holds the address of the workflow. Default: `"TEAMS_WEBHOOK_URL"`.
    /// Example: `url_env = "TEAMS_PERF_URL"`
    url_env: Option<String>,
    /// Language of the messages. Default: the report's first. Example: `language = "ja"`
    #[schemars(extend("enum" = ["en", "ja"]))]
    language: Option<String>,
}

/// A channel of Teams, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TeamsSettings {
    hook: HookSettings,
}

impl TeamsSettings {
    fn of(table: &EntryTable) -> Result<Self, ConfigError> {
        let raw: RawTeams = table.read()?;
        Ok(Self { hook: HookSettings::of(table, raw.url_env, "TEAMS_WEBHOOK_URL", raw.language)? })
    }
}

impl TargetSettings for TeamsSettings {
    fn variables(&self) -> Vec<String> {
        vec![self.hook.url_env.clone()]
    }

    fn open(&self, id: &str, _config: &Config) -> Result<OpenTarget, PublishError> {
        Ok(OpenTarget::Channel(Box::new(Teams { hook: Hook::open(id, &self.hook)? })))
    }
}

struct Teams {
    hook: Hook,
}

#[async_trait]
impl Channel for Teams {
    fn compose(&self, news: News<'_>) -> Notice {
        Notice { message: teams::compose(news), replies: Vec::new(), page: None }
    }

    fn name(&self) -> String {
        self.hook.name("Teams workflow")
    }

    fn language(&self) -> Option<Language> {
        self.hook.language
    }

    fn mentions(&self) -> &BTreeMap<String, String> {
        &self.hook.mentions
    }

    async fn deliver(&self, notice: &Notice, log: &mut Entry<'_>, again: bool) -> Result<Delivered, PublishError> {
        self.hook.deliver(&self.name(), notice, log, again, false, |_| Vec::new()).await
    }
}
