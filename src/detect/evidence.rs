//! What the judge found out on the way to a verdict.
//!
//! It is written down where a decision is made and only copied afterwards, so that an explanation can never say anything
//! else than what decided. It holds keys and no indices: it means the same wherever it is read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::effect::{PeerEvidence, ScaledEstimate};
use crate::model::verdict::Verdict;

/// Which deploy group: the service, and the first deploy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupKey {
    /// The service.
    pub service: Arc<str>,
    /// When the first deploy began, UTC ms.
    pub at: i64,
    /// Its id.
    pub deploy: Arc<str>,
}

/// The evidence behind one comparison.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Line of the verdict table that fits the effect; `None` without one.
    pub table: Option<Verdict>,
    /// Line that fitted before anything was taken out of the effect.
    pub table_unadjusted: Option<Verdict>,
    /// Why the verdict is not that of the table, in the order in which it was found out.
    pub withdrawn: Vec<Withdrawal>,
    /// A change was located at this deploy; without that nothing is an alarm.
    pub is_located: bool,
    /// Where the change may belong, if there is one near.
    pub attribution: Option<AttributionEvidence>,
    /// What is known of the load.
    pub load: LoadCheck,
    /// How the services that were not deployed moved; `None` where nobody asked, because nothing moved here.
    pub peers: Option<PeerEvidence>,
    /// What is known of the mix of requests.
    pub mix: MixCheck,
    /// Ids of the incidents, campaigns and drills whose hours were left out of the compared ones.
    pub events: Vec<String>,
    /// The slow climb or fall over the whole history that was taken out first.
    pub drift: Option<ScaledEstimate>,
    /// The interval was widened because a point rests on few requests.
    pub is_small_sample: bool,
    /// Why the hours before begin and the hours after end where they do.
    pub bounds: [Bound; 2],
}

/// Why the verdict of the table did not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Withdrawal {
    /// It does not stand out among all comparisons of the report.
    FalseDiscovery,
    /// It was not located at this deploy.
    Location,
    /// Something else explains it.
    Explained,
}

/// Where a change may belong. All shares are 1 together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributionEvidence {
    /// Deploy groups with their shares, by time, this one among them; shares under 1 % are not named.
    pub groups: Vec<(GroupKey, f64)>,
    /// The share of all moments without a deploy, and of what is not named.
    pub unattributed: f64,
}

/// What is known of the load behind a series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadCheck {
    /// Load is not looked at for such a series.
    #[default]
    NotChecked,
    /// Nobody counts its requests.
    Unknown,
    /// The requests are known, and the values do not depend on them.
    Independent,
    /// The usual curve of values over load was taken out.
    CurveTakenOut,
}

/// What is known of the mix of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MixCheck {
    /// Not looked at: only changes of a whole service can come from its mix.
    #[default]
    NotChecked,
    /// The operations do not account for the whole, or one of them changed itself.
    CannotTell,
    /// The mix moved the whole by as much, on the effect's scale.
    Composed(f64),
}

/// Why a compared stretch goes no further.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The grid ends here: the history that the report reads, or the period.
    #[default]
    Grid,
    /// The series has no earlier point.
    FirstData,
    /// Another change of the series lies here, at this deploy group if at one.
    Change(Option<GroupKey>),
}
