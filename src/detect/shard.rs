//! The boundary of the judge: what goes in, what one shard gives, by keys and without indices.
//!
//! A shard is a set of whole services. Shards can be judged one after the other, on several cores or on several machines;
//! their results can be written down, sent and merged in any order, and the judgement is the same to the byte.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::confounders::fleet::PeerMovements;
use super::context::Context;
use super::evidence::GroupKey;
use super::judgement::{Comparison, SeriesSummary, Unattributed};
use crate::model::event::Event;
use crate::model::metric::Series;
use crate::model::time::Window;

/// What one shard is judged from.
#[derive(Debug, Clone, Copy)]
pub struct Shard<'a> {
    /// Every series of its services, sorted by key.
    pub series: &'a [Series],
    /// Every event of the report, sorted by time: those of other services say when to ask how far these moved.
    pub events: &'a [Event],
    /// What the report is about.
    pub context: Context<'a>,
}

/// What the judge found out about the services of one shard; [`merge`](super::merge) brings them together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ShardResult {
    /// What each service gave.
    pub services: Vec<ServiceResult>,
}

/// What the judge found out about one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceResult {
    /// The service.
    pub service: Arc<str>,
    /// Its deploy groups of the period, by time.
    pub groups: Vec<GroupResult>,
    /// Its series, by key.
    pub series: Vec<SeriesResult>,
    /// Placebo deploys judged.
    pub placebos: usize,
    /// p of those whose step was as large as the limit.
    pub material_placebos: Vec<f64>,
    /// How far it moved when the others were deployed.
    pub movements: PeerMovements,
}

/// One deploy group of the period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupResult {
    /// Its key.
    pub key: GroupKey,
    /// From the first deploy's start to the last one's end.
    pub window: Window,
    /// Its deploys by time: when each began and its id.
    pub deploys: Vec<(i64, Arc<str>)>,
}

/// One series with everything that was found out about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesResult {
    /// The series as it is drawn.
    pub summary: SeriesSummary,
    /// Its comparisons, by deploy group.
    pub comparisons: Vec<ComparisonResult>,
    /// Its changes with no deploy near.
    pub unattributed: Vec<Unattributed>,
}

/// One series against one deploy group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonResult {
    /// The deploy group.
    pub group: GroupKey,
    /// With a pattern of recovery: the group that took the change back, if one did.
    pub taken_back_by: Option<GroupKey>,
    /// What the judge says, without positions in a report.
    pub comparison: Comparison,
}
