//! The source kind `newrelic`: one account, asked by NerdGraph.
//!
//! # API
//! `POST https://api.newrelic.com/graphql` (EU: `api.eu.newrelic.com`) with the header `API-Key: <user key>`. Series come
//! from NRQL, whose texts are `queries/newrelic/*.nrql`; GraphQL documents are `queries/newrelic/*.graphql`. REST v2 is
//! not used. Values and ids go as variables; names inside NRQL are quoted ([`nrql`]).
//!
//! # What comes from where
//! Percentiles from events, because timeslices have none; requests, means, errors, databases and external calls from
//! timeslices, because events are sampled. Services that speak OpenTelemetry are found by `service.name`.
//!
//! # Limits
//! 366 buckets and 5,000 rows an answer, one-minute timeslices for 8 days and hours for 90, 25 requests at once a user
//! (5 here) and 3,000 queries a minute an account. `partitioning` cuts below them; `parse` finds out when an
//! answer was cut all the same.
//!
//! # Width of a bucket
//! A UTC day is asked in the configured width while all of its minutes are younger than 8 days, that is until seven
//! days after it, and in whole hours afterwards. So every request for one day made on one day has the same width,
//! whatever part of the day it is for. "Today" is the server's.
//!
//! # Quirks
//! - Errors come inside HTTP 200, also beside data: all of it is refused then. `TIMEOUT` makes the piece smaller,
//!   `TOO_MANY_REQUESTS` and server errors are asked again.
//! - Buckets are laid back from the end, so ends are whole hours; a first bucket that is cut is left out by the vendor
//!   and found here.
//! - Empty buckets have count 0 and percentile null. A rate of 0 is kept only while something else of its service was
//!   seen, because an agent that is away counts 0 too.
//! - `async: true` needs an option that an account may lack; it is left out after the first refusal.
//! - `otherResult` is not read: it is the sum of the facets that an answer left out.
//! - The statements that take most time are chosen anew for each window; a statement may come and go.

mod account;
mod changes;
mod checks;
mod config;
mod entities;
mod error;
mod graph;
pub mod nrql;
mod parse;
mod partitioning;
pub mod query;
pub mod query_files;
mod query_header;
#[cfg(test)]
mod query_tests;
#[cfg(test)]
mod tests;
mod versions;

use std::path::Path;

use super::descriptor::{
    DocsRow, Gives, Reading, Setup, SetupSecret, SignalNature, SourceDescriptor, SourceSettings, Variable,
};
use super::{CollectedSource, OpenSource, SourceError};
use crate::config::Config;
use crate::model::clock::Clock;

pub use account::Account;
pub use config::NewRelicSettings;
pub use error::NewRelicError;

/// What the program has to know of this kind.
pub static DESCRIPTOR: SourceDescriptor = SourceDescriptor {
    kind: "newrelic",
    about: "Applications, databases and hosts in New Relic",
    docs: Some(DocsRow {
        needs: "a user key (`NRAK-…`) of a user who can read",
        place: "the variable that `key_env` names",
    }),
    gives: &[Gives::Operations, Gives::Datastores, Gives::Resources, Gives::Deploys],
    reading: Reading::Collected,
    example: include_str!("example.toml"),
    setup: Setup {
        section: include_str!("../../../templates/init/newrelic/section.toml"),
        files: &[],
        secrets: &[SetupSecret { variable: "NEW_RELIC_API_KEY", hint: "NRAK-..." }],
        github_steps: "",
    },
    schema: || schemars::schema_for!(config::RawNewRelic).to_value(),
    settings: |table| Ok(Box::new(NewRelicSettings::of(table)?)),
};

impl SourceSettings for NewRelicSettings {
    fn account(&self) -> &str {
        &self.account
    }

    fn variables(&self) -> Vec<Variable> {
        vec![Variable { name: self.key_env.clone(), holds: "a user key of New Relic (it begins with NRAK-)" }]
    }

    fn placeholders(&self) -> Vec<(&'static str, String)> {
        /// What the template and the examples have.
        const EXAMPLE: &str = "1234567";
        if self.account == EXAMPLE { vec![("account", self.account.clone())] } else { Vec::new() }
    }

    fn queries(&self) -> Option<&Path> {
        self.queries.as_deref()
    }

    fn signals(&self, id: &str) -> Result<Vec<SignalNature>, SourceError> {
        let queries = query_files::load(self.queries.as_deref()).map_err(|error| query_files::failed(id, error))?;
        let signals = queries.into_iter().flat_map(|query| query.signals);
        Ok(signals
            .map(|signal| SignalNature { signal: signal.name, class: signal.class, better: signal.better })
            .collect())
    }

    fn help_if_empty(&self) -> &'static str {
        "no application fits `applications` of the source, or none of them reported lately"
    }

    fn open(&self, id: &str, _config: &Config, _clock: Clock) -> Result<OpenSource, SourceError> {
        let account = account::open(id, self)?;
        Ok(OpenSource::Collected(CollectedSource::whole(account, account::RETENTION_MS)))
    }
}
