//! What a reader should know of the input before the findings: deploys that match nothing, units that are in doubt,
//! endpoints that are new, gone or renamed.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Instant;

/// Likeness of two names from which on one may be meant by the other (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.85;

/// What a reader should know of the input before the findings. Names come from outside: escape them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Notice {
    /// Deploys name a service that has no series.
    UnknownService {
        /// The service.
        service: String,
        /// How many deploys.
        deploys: usize,
        /// The service with series that may be meant.
        near: Option<String>,
    },
    /// Deploys lie far after the period.
    FutureDeploys {
        /// How many.
        deploys: usize,
        /// The id of the first.
        first: String,
        /// When it is said to have begun.
        at: Instant,
    },
    /// No deploy of the period is known, but others are.
    OtherTimes {
        /// How many.
        deploys: usize,
        /// When the last of them before the period began.
        last: Instant,
    },
    /// A service changed a whole number of hours beside one of its deploys.
    HoursOff {
        /// The deploy.
        deploy: String,
        /// Its service.
        service: String,
        /// Hours from the deploy to the change; negative if the change came first.
        hours: i64,
        /// When the change began.
        at: Instant,
    },
    /// The values of a service moved by the factor between two units.
    UnitFactor {
        /// The service.
        service: String,
        /// The factor, such as 1000.
        factor: u32,
        /// The values became larger.
        up: bool,
        /// When.
        at: Instant,
        /// How many series.
        series: usize,
        /// The unit that is written.
        unit: String,
        /// The first series: target and signal.
        first: [Arc<str>; 2],
    },
    /// Series count from the start of a process on.
    Counter {
        /// The service of the first.
        service: String,
        /// How many series.
        series: usize,
        /// The first series: target and signal.
        first: [Arc<str>; 2],
    },
    /// Shares of a series lie above 1.
    AboveOne {
        /// The service of the first.
        service: String,
        /// How many series.
        series: usize,
        /// The first series: target and signal.
        first: [Arc<str>; 2],
    },
    /// Shares of a source lie above 1 and were left out.
    SharesLeftOut {
        /// The source.
        source: String,
        /// How many values.
        values: u64,
        /// The first place.
        example: String,
    },
    /// An endpoint or resource goes on under another name.
    Renamed {
        /// The service.
        service: String,
        /// The name that has no data any more.
        from: String,
        /// The name that has data since.
        to: String,
        /// Since when.
        at: Instant,
    },
    /// Endpoints or resources have data only from some moment of the period on.
    New {
        /// The service of the first.
        service: String,
        /// How many.
        targets: usize,
        /// The name of the first.
        first: String,
        /// Since when the first.
        at: Instant,
    },
    /// Endpoints or resources have no data any more.
    Gone {
        /// The service of the first.
        service: String,
        /// How many.
        targets: usize,
        /// The name of the first.
        first: String,
        /// Since when the first.
        at: Instant,
    },
    /// Traffic fell away at a deploy, or the data of a target ended with it.
    TrafficLost {
        /// The service.
        service: String,
        /// Number of the deploy's group on the page.
        number: usize,
        /// How many targets.
        targets: usize,
        /// The name of the first.
        first: String,
        /// Typical requests of the first before and after, in `unit`; nothing where its data ended.
        levels: Option<[f64; 2]>,
        /// The unit that is written; empty where the data ended.
        unit: String,
    },
    /// Addresses of deploys, events or runbooks are none that may be linked.
    DroppedLinks {
        /// How many.
        links: usize,
        /// What the first belongs to: the id of an event, or a service.
        first: String,
    },
}

impl Notice {
    /// Returns whether it asks for something to be mended; a new endpoint does not.
    pub fn is_mistake(&self) -> bool {
        !matches!(self, Self::Renamed { .. } | Self::New { .. } | Self::Gone { .. })
    }
}

impl Notice {
    /// Returns whether traffic or data were lost at a group of deploys.
    pub fn is_lost_at(&self, group: usize) -> bool {
        matches!(self, Self::TrafficLost { number, .. } if *number == group)
    }

    /// Returns the service that lost traffic at a deploy, if that is what is said.
    pub fn lost_service(&self) -> Option<&str> {
        match self {
            Self::TrafficLost { service, .. } => Some(service),
            _ => None,
        }
    }
}

/// Returns the name that may be meant by another one: the same letters and digits, or nearly the same.
pub fn near<'a>(name: &str, others: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain =
        |name: &str| name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let own = plain(name);
    let scored = others.into_iter().map(|other| (strsim::jaro_winkler(&own, &plain(other)), other));
    let best = scored.filter(|(score, _)| *score >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(a.1)));
    best.map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_spelling_is_near_and_another_name_is_not() {
        let services = ["card_api", "user-api", "pay"];
        for name in ["card-api", "Card_API", "cardapi", "card-apis"] {
            assert_eq!(near(name, services), Some("card_api"), "{name}");
        }
        assert_eq!(near("billing", services), None);
    }
}
