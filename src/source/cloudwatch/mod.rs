//! The source kind `cloudwatch`: one account of Amazon CloudWatch, in one or several regions.
//!
//! # API
//! `ListMetrics` says what there is, `GetMetricData` the points, CloudTrail's `LookupEvents` what was deployed; by the
//! official SDK, which speaks CBOR (`smithy-rpc-v2-cbor`). What is asked are [`lists`] of metrics, which are data.
//! Math and `SEARCH` are not used: a cut answer of theirs has no next page. Shares and rates are computed here, per bucket.
//!
//! # Credentials
//! The standard chain of the SDK (environment, shared files and `profile`, web identity, container, machine), then
//! `role_arn` with the external id from the variable that the config names. The SDK keeps all of it; here is none.
//! A denied region, or one that fails, is an error of the whole source that names the region: half an account would
//! be kept as all of it. Sources do not disturb each other.
//!
//! # Limits
//! 500 queries and 100,800 requested points a request, 50 requests and 396,000 points a second ([`period`]); throttled
//! requests are tried again by the SDK. Bucket widths follow from the age of the UTC day, because CloudWatch answers
//! nothing, without an error, to who asks finer than it keeps.
//!
//! # Quirks
//! - The same query comes back on every page ([`requests`]); an answer can be whole by HTTP and partial by its status.
//! - Counters of errors have no points where nothing failed; latencies have none where nothing was asked. A list says
//!   which of the two silence means.
//! - `ListMetrics` knows what had a point within two weeks. What was switched off before is not found any more.
//! - A metric appears up to 15 minutes late, and points may come late: the last hours are asked again by whoever keeps them.
//! - A resource is known by its name. Its hash is left out, so a load balancer that was made anew goes on.

#[cfg(feature = "aws")]
mod account;
#[cfg(feature = "aws")]
mod checks;
#[cfg(feature = "aws")]
mod client;
#[cfg(feature = "aws")]
mod clock;
mod config;
#[cfg(feature = "aws")]
mod credentials;
#[cfg(feature = "aws")]
pub mod error;
#[cfg(feature = "aws")]
mod events;
#[cfg(feature = "aws")]
mod fault;
#[cfg(feature = "aws")]
mod list;
#[cfg(feature = "aws")]
mod list_file;
#[cfg(feature = "aws")]
pub mod lists;
#[cfg(feature = "aws")]
mod parse;
#[cfg(feature = "aws")]
mod period;
#[cfg(feature = "aws")]
mod requests;
#[cfg(feature = "aws")]
mod resources;
#[cfg(feature = "aws")]
mod retry;
#[cfg(feature = "aws")]
mod rollouts;
#[cfg(feature = "aws")]
mod tags;
#[cfg(feature = "aws")]
mod template;
#[cfg(feature = "aws")]
mod versions;

use std::path::Path;

use super::descriptor::{
    DocsRow, Gives, Reading, Setup, SetupFile, SetupSecret, SourceDescriptor, SourceSettings, Variable,
};
use super::{OpenSource, SourceError};
use crate::config::Config;
use crate::model::clock::Clock;

#[cfg(feature = "aws")]
pub use client::{ChainSettings, chain};
pub use config::CloudWatchSettings;

/// What the program has to know of this kind.
pub static DESCRIPTOR: SourceDescriptor = SourceDescriptor {
    kind: "cloudwatch",
    about: "Load balancers, containers, functions, databases and queues in Amazon CloudWatch",
    docs: Some(DocsRow {
        needs: "`cloudwatch:GetMetricData`, `cloudwatch:ListMetrics`; `cloudtrail:LookupEvents` to see deployments; \
                with `service_tag` also `tag:GetResources`",
        place: "the standard AWS chain, then `role_arn`",
    }),
    gives: &[Gives::Resources, Gives::Deploys],
    reading: Reading::Collected,
    example: include_str!("example.toml"),
    setup: Setup {
        section: include_str!("../../../templates/init/cloudwatch/section.toml"),
        files: &[
            SetupFile {
                path: "setup/reader-policy.json",
                text: include_str!("../../../templates/init/cloudwatch/reader-policy.json"),
            },
            SetupFile {
                path: "setup/tags-policy.json",
                text: include_str!("../../../templates/init/cloudwatch/tags-policy.json"),
            },
            SetupFile {
                path: "setup/reader-trust.json",
                text: include_str!("../../../templates/init/cloudwatch/reader-trust.json"),
            },
            SetupFile {
                path: "setup/collector-policy.json",
                text: include_str!("../../../templates/init/cloudwatch/collector-policy.json"),
            },
            SetupFile { path: "setup/aws.md", text: include_str!("../../../templates/init/cloudwatch/aws.md") },
            SetupFile { path: "setup/ecs.md", text: include_str!("../../../templates/init/cloudwatch/ecs.md") },
        ],
        secrets: &[SetupSecret { variable: "FORTNIGHT_EXTERNAL_ID", hint: "...   # setup/aws.md" }],
        github_steps: include_str!("../../../templates/init/cloudwatch/github-steps.yml"),
    },
    schema: || schemars::schema_for!(config::RawCloudWatch).to_value(),
    settings: |table| Ok(Box::new(CloudWatchSettings::of(table)?)),
};

impl SourceSettings for CloudWatchSettings {
    fn account(&self) -> &str {
        &self.account
    }

    fn resource_account(&self) -> &str {
        &self.account
    }

    fn variables(&self) -> Vec<Variable> {
        let external_id = Variable { name: self.external_id_env.clone(), holds: "the external id of the role" };
        if self.external_id_env.is_empty() { Vec::new() } else { vec![external_id] }
    }

    fn placeholders(&self) -> Vec<(&'static str, String)> {
        /// Account numbers of the templates here and of Amazon's documentation.
        const EXAMPLES: [&str; 4] = ["111122223333", "444455556666", "999988887777", "123456789012"];
        let keys = [("account", &self.account), ("role_arn", &self.role_arn)];
        let is_example = |value: &str| value.split(':').any(|part| EXAMPLES.contains(&part));
        keys.into_iter().filter(|(_, value)| is_example(value)).map(|(key, value)| (key, value.clone())).collect()
    }

    fn queries(&self) -> Option<&Path> {
        self.queries.as_deref()
    }

    fn help_if_empty(&self) -> &'static str {
        "no resource fits `resources` of the source, or none of them measured anything lately; check `regions`"
    }

    #[cfg(feature = "aws")]
    fn open(&self, id: &str, config: &Config, clock: Clock) -> Result<OpenSource, SourceError> {
        let account = account::Account::open(id, self, config, clock)?;
        Ok(OpenSource::Collected(super::CollectedSource::whole(account, period::RETENTION_MS)))
    }

    #[cfg(not(feature = "aws"))]
    fn open(&self, id: &str, _config: &Config, _clock: Clock) -> Result<OpenSource, SourceError> {
        Err(SourceError::NotBuiltIn { id: id.to_owned(), feature: "aws" })
    }
}
