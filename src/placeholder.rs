//! Stands in for rooms that are joined later. Delete this file, and in `pipeline.rs` take
//! `use crate::{collect, detect, report, store}` instead of `use crate::placeholder::…`.

/// Stands in for `crate::collect`.
pub mod collect {
    pub use crate::collect::{Part, SourceState};
    use crate::config::Config;
    use crate::deploy::Event;
    use crate::metric::{Kind, Series, SeriesKey, Unit};
    use crate::time::Window;

    /// What the sources gave for one part.
    pub struct Collected {
        /// Series of the part.
        pub series: Vec<Series>,
        /// One a source.
        pub states: Vec<SourceState>,
    }

    /// Events of all sources.
    pub struct CollectedEvents {
        /// By time.
        pub events: Vec<Event>,
        /// One a source.
        pub states: Vec<SourceState>,
    }

    /// Gives no events.
    pub fn events(_config: &Config) -> CollectedEvents {
        CollectedEvents { events: vec![], states: vec![] }
    }

    /// Estimates the rows.
    pub fn rows_estimate(_config: &Config) -> u64 {
        0
    }

    /// Tells how many parts keep within the memory.
    pub fn parts_needed(_rows: u64, _memory_by: u64) -> usize {
        1
    }

    /// Joins the states of parts.
    pub fn add_states(states: &mut Vec<SourceState>, more: Vec<SourceState>) {
        states.extend(more);
    }

    /// Gives one series of four weeks that end on 2026-11-23.
    pub fn collect(config: &Config, window: Window, _part: Part) -> Collected {
        let end = 1_795_392_000_000;
        let times: Vec<i64> =
            (0..672).map(|hour| end - (672 - hour) * 3_600_000).filter(|at| window.contains(*at)).collect();
        let key = SeriesKey {
            service: "api".into(),
            kind: Kind::Operation,
            target: "GET /".into(),
            signal: "latency_p95".into(),
        };
        let unit = Unit::parse("ms").expect("known");
        let state = |source: &crate::config::Source| SourceState {
            id: source.id.clone(),
            kind: "files",
            rows: times.len() as u64,
            series: usize::from(source.id != "broken"),
            events: 0,
            error: if source.id == "broken" { "access denied".into() } else { String::new() },
            notes: vec![],
        };
        Collected {
            states: config.sources.iter().map(state).collect(),
            series: vec![Series { key, unit, values: vec![0.1; times.len()], times }],
        }
    }
}

/// Stands in for `crate::detect`.
pub mod detect {
    use crate::config::Config;
    use crate::deploy::Event;
    pub use crate::detect::Judgement;
    use crate::metric::Series;
    use crate::time::Window;

    /// What every part is judged with.
    pub struct Context<'a> {
        /// The config.
        pub config: &'a Config,
        /// The period.
        pub period: Window,
        /// Baseline and period.
        pub history: Window,
    }

    /// One part's judgement.
    pub struct Partial;

    /// Judges one part.
    pub fn judge(_series: &[Series], _events: &[Event], _context: &Context<'_>) -> Partial {
        Partial
    }

    /// Joins the parts.
    pub fn conclude(_partials: Vec<Partial>, _events: &[Event], context: &Context<'_>) -> Judgement {
        Judgement {
            period: context.period,
            groups: vec![],
            series: vec![],
            comparisons: vec![],
            findings: vec![],
            elsewhere: vec![],
            audit: crate::detect::Audit::default(),
        }
    }
}

/// Stands in for `crate::report`.
pub mod report {
    pub use crate::report::json;

    /// Stands in for the page's model.
    pub mod model {
        /// The page.
        pub struct Page;
        /// Builds the page.
        pub fn build(
            _judgement: &crate::detect::Judgement,
            _events: &[crate::deploy::Event],
            _states: &[crate::collect::SourceState],
            _config: &crate::config::Config,
        ) -> Page {
            Page
        }
    }

    /// Stands in for the page.
    pub mod html {
        /// Renders the page.
        pub fn render(_page: &super::model::Page) -> Result<String, std::fmt::Error> {
            Ok("<!doctype html>\n".to_owned())
        }
    }

    /// Stands in for Markdown.
    pub mod markdown {
        /// Renders the page as Markdown.
        pub fn render(_page: &super::model::Page) -> String {
            "# Report\n".to_owned()
        }
    }
}

/// Stands in for `crate::store`.
pub mod store {
    use std::path::Path;

    use crate::collect::Part;
    use crate::deploy::Event;
    use crate::metric::Series;
    use crate::time::Window;

    /// A history in one folder.
    pub struct Store;

    /// Why a store cannot be used.
    #[derive(Debug, thiserror::Error)]
    #[error("store")]
    pub struct StoreError;

    /// What a store holds.
    pub struct History {
        /// By key.
        pub series: Vec<Series>,
        /// Segments that could not be read.
        pub refused: Vec<StoreError>,
    }

    /// What was written.
    pub struct Appended {
        /// Segments.
        pub segments: usize,
        /// Points.
        pub points: u64,
        /// Segments that could not be read.
        pub refused: Vec<StoreError>,
    }

    impl StoreError {
        /// What to do.
        pub fn help(&self) -> Option<String> {
            None
        }
    }

    impl Store {
        /// Makes a store of a folder.
        pub fn open(_folder: &Path) -> Result<Self, StoreError> {
            Ok(Self)
        }
        /// Adds series.
        pub fn append(&self, _source: &str, _series: &[Series]) -> Result<Appended, StoreError> {
            Ok(Appended { segments: 0, points: 0, refused: vec![] })
        }
        /// Adds events.
        pub fn append_events(&self, events: &[Event]) -> Result<usize, StoreError> {
            Ok(events.len())
        }
        /// Reads series.
        pub fn read(&self, _window: Window, _part: Part) -> Result<History, StoreError> {
            Ok(History { series: vec![], refused: vec![] })
        }
        /// Reads events.
        pub fn events(&self) -> Result<Vec<Event>, StoreError> {
            Ok(vec![])
        }
        /// Estimates rows.
        pub fn rows_estimate(&self, _window: Window) -> Result<u64, StoreError> {
            Ok(0)
        }
    }

    /// Joins series, the newer ones winning.
    pub fn merge(newer: Vec<Series>, _older: Vec<Series>) -> Vec<Series> {
        newer
    }
}
