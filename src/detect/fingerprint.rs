//! What makes two findings the same trouble, in whatever period and at whatever deploy.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::metric::{Class, Kind};

/// What is the same when a trouble comes back: where it is and which way it goes, not which deploy it began with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FindingFingerprint {
    /// The service.
    pub service: Arc<str>,
    /// What was measured.
    pub kind: Kind,
    /// The first target by name among those that moved.
    pub target: Arc<str>,
    /// The golden signal, whichever of its signals moved most.
    pub family: Class,
    /// Which way it went.
    pub direction: HarmDirection,
}

/// Which way a finding went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HarmDirection {
    /// For the worse.
    Worse,
    /// For the better.
    Better,
}

impl FindingFingerprint {
    /// Returns a short id of the finding whose deploy group began at some time: `F-` and six hexadecimal digits.
    ///
    /// `onset`: UTC ms. `attempt`: 0, or counted up where the id is taken.
    pub fn id_at(&self, onset: i64, attempt: usize) -> String {
        let mut hash = self.hash();
        hash.update(onset.to_le_bytes());
        if attempt > 0 {
            hash.update((attempt as u64).to_le_bytes());
        }
        let digest = hash.finalize();
        format!("F-{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])
    }

    fn hash(&self) -> Sha256 {
        let Self { service, kind, target, family, direction } = self;
        let (family, direction) = (format!("{family:?}"), format!("{direction:?}"));
        let mut hash = Sha256::new();
        for part in [service, kind.as_str(), target, &family, &direction] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash
    }
}

/// Sixteen hexadecimal digits, the same in every report: names come from outside and must not steer what stores them.
impl fmt::Display for FindingFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hash().finalize().iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(target: &str) -> FindingFingerprint {
        FindingFingerprint {
            service: "api".into(),
            kind: Kind::Operation,
            target: target.into(),
            family: Class::Latency,
            direction: HarmDirection::Worse,
        }
    }

    #[test]
    fn it_stays_when_the_deploy_is_another_and_the_id_does_not() {
        let one = fingerprint("GET /");
        assert_eq!(one.to_string(), fingerprint("GET /").to_string());
        assert_eq!(one.to_string().len(), 16);
        assert_ne!(one.id_at(0, 0), one.id_at(1, 0), "another deploy");
        assert_ne!(one.id_at(0, 0), one.id_at(0, 1), "taken");
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let (mut one, mut other) = (fingerprint("b"), fingerprint("ab"));
        (one.service, other.service) = ("xa".into(), "x".into());
        assert_ne!(one.to_string(), other.to_string());
        let better = FindingFingerprint { direction: HarmDirection::Better, ..fingerprint("b") };
        assert_ne!(better.to_string(), fingerprint("b").to_string());
    }
}
