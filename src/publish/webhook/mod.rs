//! The place kind `webhook`: a JSON body for a program of one's own, signed as Standard Webhooks says.
//!
//! Source of the signature: <https://www.standardwebhooks.com>, `v1`: base64 of HMAC-SHA256 over `id.timestamp.body`. HMAC
//! is RFC 2104 over SHA-256. The id is the same for every try of a message, so that the receiver can drop a second one.

use std::collections::BTreeMap;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::PublishError;
use super::channel::{Channel, Delivered, Entry, Notice};
use super::descriptor::{OpenTarget, TargetDescriptor, TargetSettings};
use super::hook::{Hook, HookSettings};
use crate::config::{Config, ConfigError, EntryTable, Language};
use crate::model::clock::Clock;
use crate::model::secret::Secret;
use crate::render::chat::{News, webhook};

/// What the program has to know of this kind.
pub static DESCRIPTOR: TargetDescriptor = TargetDescriptor {
    kind: "webhook",
    about: "A JSON body for a program of one's own",
    keeps_files: false,
    example: include_str!("example.toml"),
    schema: || schemars::schema_for!(RawWebhook).to_value(),
    settings: |table| Ok(Box::new(WebhookSettings::of(table)?)),
};

/// A program of one's own that gets each report.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawWebhook {
    /// The variable that holds the address. Default: `"FORTNIGHT_WEBHOOK_URL"`. Example: `url_env = "PERF_HOOK_URL"`
    url_env: Option<String>,
    /// The variable that holds the signing key (`whsec_` and base64). Default: none, and nothing is signed.
    /// Example: `secret_env = "PERF_HOOK_SECRET"`
    secret_env: Option<String>,
    /// Language of the sentence. Default: the report's first. Example: `language = "ja"`
    #[schemars(extend("enum" = ["en", "ja"]))]
    language: Option<String>,
}

/// A webhook, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct WebhookSettings {
    hook: HookSettings,
    secret_env: String,
}

impl WebhookSettings {
    fn of(table: &EntryTable) -> Result<Self, ConfigError> {
        let raw: RawWebhook = table.read()?;
        Ok(Self {
            hook: HookSettings::of(table, raw.url_env, "FORTNIGHT_WEBHOOK_URL", raw.language)?,
            secret_env: table.variable("secret_env", raw.secret_env)?.unwrap_or_default(),
        })
    }
}

impl TargetSettings for WebhookSettings {
    fn variables(&self) -> Vec<String> {
        let secret = Some(&self.secret_env).filter(|name| !name.is_empty());
        std::iter::once(&self.hook.url_env).chain(secret).cloned().collect()
    }

    fn open(&self, id: &str, _config: &Config) -> Result<OpenTarget, PublishError> {
        let key = match self.secret_env.as_str() {
            "" => None,
            name => Some(signing_key(id, name)?),
        };
        Ok(OpenTarget::Channel(Box::new(Webhook { hook: Hook::open(id, &self.hook)?, key })))
    }
}

/// Reads `whsec_` and base64.
fn signing_key(id: &str, variable: &str) -> Result<Vec<u8>, PublishError> {
    let secret = Secret::from_env(variable).map_err(|source| PublishError::Secret { id: id.to_owned(), source })?;
    let text = secret.reveal().strip_prefix("whsec_").unwrap_or(secret.reveal());
    STANDARD.decode(text).map_err(|_| PublishError::Open {
        reason: format!("`{variable}` is no signing key"),
        help: "write it as whsec_ and base64, as Standard Webhooks says".to_owned(),
    })
}

struct Webhook {
    hook: Hook,
    key: Option<Vec<u8>>,
}

#[async_trait]
impl Channel for Webhook {
    fn compose(&self, news: News<'_>) -> Notice {
        Notice { message: webhook::compose(news), replies: Vec::new(), page: None }
    }

    fn name(&self) -> String {
        self.hook.name("webhook")
    }

    fn language(&self) -> Option<Language> {
        self.hook.language
    }

    fn mentions(&self) -> &BTreeMap<String, String> {
        &self.hook.mentions
    }

    async fn deliver(&self, notice: &Notice, log: &mut Entry<'_>, again: bool) -> Result<Delivered, PublishError> {
        let (target, key) = (log.post.target.clone(), log.post.key.clone());
        let id = format!("{target}-{key}-{}", super::shelf::sha256(notice.message.to_string().as_bytes()));
        let sign = |body: &[u8]| {
            let seconds = (Clock::System.now() / 1000).to_string();
            let mut headers = vec![("webhook-id", id.clone()), ("webhook-timestamp", seconds.clone())];
            if let Some(key) = &self.key {
                headers.push(("webhook-signature", signature(key, &id, &seconds, body)));
            }
            headers
        };
        // The receiver knows the id, so what may have arrived can be sent again.
        self.hook.deliver(&self.name(), notice, log, again, true, sign).await
    }
}

/// Signs a body.
fn signature(key: &[u8], id: &str, seconds: &str, body: &[u8]) -> String {
    let signed = [id.as_bytes(), b".", seconds.as_bytes(), b".", body].concat();
    format!("v1,{}", STANDARD.encode(hmac_sha256(key, &signed)))
}

/// HMAC over SHA-256: RFC 2104.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut padded = [0_u8; BLOCK];
    let digest;
    let key = if key.len() > BLOCK {
        digest = Sha256::digest(key);
        &digest[..]
    } else {
        key
    };
    padded.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
    let mixed = |pad: u8| padded.map(|byte| byte ^ pad);
    let inner = Sha256::new().chain_update(mixed(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(mixed(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the Standard Webhooks libraries.
    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let body = br#"{"test": 2432232314}"#;
        let found = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(found, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    /// RFC 4231, test cases 2 and 6: a short key, and one longer than a block.
    #[test]
    fn hmac_is_that_of_the_rfc() {
        let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let short = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(short), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = hmac_sha256(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex(long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }
}
