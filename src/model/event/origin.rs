//! Who says that an event happened.

/// How the ids of events begin that were seen in the data only.
pub const INFERRED: &str = "inferred:";

/// How the ids of tracked events begin that were stored without their origin, with the kinds of their sources.
const TRACKED: [&str; 2] = ["newrelic", "cloudwatch"];

/// How the ids of events begin that stand in a log of API calls: their titles are names of calls, their authors often
/// the role of a pipeline.
pub const API_CALL: &str = "cloudwatch:";

/// Who says that an event happened. The first is known best.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A person or a pipeline: a marker, or a line in a file.
    #[default]
    Reported,
    /// A source that tracks changes: its id.
    Tracked(String),
    /// Nobody: it was seen in the data, such as a version that was not there before.
    Inferred,
}

impl Origin {
    /// Returns the origin of an event that was written without one, by how its id begins.
    pub fn of_id(id: &str) -> Self {
        match id.split_once(':') {
            Some(_) if id.starts_with(INFERRED) => Self::Inferred,
            Some((kind, _)) if TRACKED.contains(&kind) => Self::Tracked(kind.to_owned()),
            _ => Self::Reported,
        }
    }

    /// Parses what [`Self::word`] writes; `None` for anything else.
    pub fn parse(word: &str) -> Option<Self> {
        match word.split_once(':') {
            None if word == "reported" => Some(Self::Reported),
            None if word == "inferred" => Some(Self::Inferred),
            Some(("tracked", source)) if !source.is_empty() => Some(Self::Tracked(source.to_owned())),
            _ => None,
        }
    }

    /// Returns it as it is stored: `reported`, `tracked:` and the source's id, or `inferred`.
    pub fn word(&self) -> String {
        match self {
            Self::Reported => "reported".to_owned(),
            Self::Tracked(source) => format!("tracked:{source}"),
            Self::Inferred => "inferred".to_owned(),
        }
    }

    /// Returns how well known it is; the least is the best.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Reported => 0,
            Self::Tracked(_) => 1,
            Self::Inferred => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for origin in [Origin::Reported, Origin::Tracked("apm:eu".into()), Origin::Inferred] {
            assert_eq!(Origin::parse(&origin.word()), Some(origin));
        }
        for strange in ["", "tracked", "tracked:", "told", "inferred:x"] {
            assert_eq!(Origin::parse(strange), None, "{strange}");
        }
    }

    #[test]
    fn events_without_an_origin_have_that_of_their_id() {
        assert_eq!(Origin::of_id("inferred:newrelic:1:api:v2:20000"), Origin::Inferred);
        assert_eq!(Origin::of_id("newrelic:77"), Origin::Tracked("newrelic".into()));
        assert_eq!(Origin::of_id("cloudwatch:eu-west-1:1"), Origin::Tracked("cloudwatch".into()));
        for id in ["m-0123456789ab", "pagerduty:1", "newrelic", ""] {
            assert_eq!(Origin::of_id(id), Origin::Reported, "{id}");
        }
    }
}
