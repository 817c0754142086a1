//! The source kind `made_up`: series and deploys that follow from the time alone. Nothing is asked of anybody.
//!
//! Each service has one endpoint with requests that follow the time of day. One deploy a week makes it slower by a tenth.

mod config;

use async_trait::async_trait;

use super::batch::track;
use super::descriptor::{Reading, Setup, SourceDescriptor, SourceSettings};
use super::{
    Checked, CollectedSource, Estimate, Estimated, EventBatch, EventSource, OpenSource, SeriesBatch, SeriesSource,
    SourceCheck, SourceError, SourceHealth,
};
use crate::config::Config;
use crate::model::clock::Clock;
use crate::model::event::Event;
use crate::model::metric::{Kind, Series, SeriesKey, Unit};
use crate::model::time::{DAY, HOUR, MINUTE, Window};

pub use config::MadeUpSettings;

/// What the program has to know of this kind.
pub static DESCRIPTOR: SourceDescriptor = SourceDescriptor {
    kind: "made_up",
    about: "Made-up endpoints, to try things out",
    docs: None,
    reading: Reading::Collected,
    example: include_str!("example.toml"),
    setup: Setup { section: include_str!("section.toml"), files: &[], secrets: &[], github_steps: "" },
    schema: || schemars::schema_for!(config::RawMadeUp).to_value(),
    settings: |table| Ok(Box::new(MadeUpSettings::of(table)?)),
};

/// How far back it answers, milliseconds.
const RETENTION_MS: i64 = 90 * DAY;

/// Width of a bucket, milliseconds.
const STEP_MS: i64 = 5 * MINUTE;

impl SourceSettings for MadeUpSettings {
    fn open(&self, id: &str, _config: &Config, _clock: Clock) -> Result<OpenSource, SourceError> {
        let source = MadeUp { id: id.to_owned(), services: self.services.clone() };
        Ok(OpenSource::Collected(CollectedSource::whole(source, RETENTION_MS)))
    }
}

/// Services that nobody runs.
struct MadeUp {
    id: String,
    services: Vec<String>,
}

#[async_trait]
impl SeriesSource for MadeUp {
    async fn series(&self, window: Window) -> Result<SeriesBatch, SourceError> {
        let signals = [("latency_p95", "s"), ("throughput", "requests/s")];
        let mut series: Vec<Series> = self
            .services
            .iter()
            .flat_map(|service| signals.map(|(signal, unit)| one(service, signal, unit, window)))
            .flatten()
            .collect();
        series.sort_by(|a, b| a.key.cmp(&b.key));
        let rows = series.iter().map(|one| one.times.len() as u64).sum();
        Ok(SeriesBatch { series, rows, diagnostics: Vec::new() })
    }
}

#[async_trait]
impl EventSource for MadeUp {
    async fn events(&self, window: Window) -> Result<EventBatch, SourceError> {
        let first = window.start.div_euclid(7 * DAY);
        let deploys = (first..).map(|week| week * 7 * DAY + 4 * DAY + 11 * HOUR);
        let deploys = deploys.take_while(|at| *at < window.end).filter(|at| window.contains(*at));
        let mut events: Vec<Event> = deploys
            .flat_map(|at| self.services.iter().map(move |service| (at, service)))
            .map(|(at, service)| Event::new(format!("made_up:{service}:{at}"), service.as_str(), at))
            .collect();
        events.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        track(&mut events, &self.id);
        Ok(EventBatch { events, diagnostics: Vec::new() })
    }
}

#[async_trait]
impl Estimated for MadeUp {
    async fn estimate(&self, _window: Window) -> Result<Estimate, SourceError> {
        Ok(Estimate { series: 2 * self.services.len() as u64, ..Estimate::default() })
    }
}

#[async_trait]
impl Checked for MadeUp {
    async fn checks(&self, _now: i64) -> Vec<SourceCheck> {
        let found = format!("{} services are made up", self.services.len());
        vec![SourceCheck { name: "imagination".to_owned(), health: SourceHealth::Ok, found, help: Vec::new() }]
    }
}

/// Makes one series of a window up.
fn one(service: &str, signal: &str, unit: &str, window: Window) -> Option<Series> {
    let key =
        SeriesKey { service: service.into(), kind: Kind::Operation, target: "GET /".into(), signal: signal.into() };
    let times: Vec<i64> = (window.start..window.end).step_by(STEP_MS as usize).collect();
    let values = times.iter().map(|at| value(signal, *at)).collect();
    Some(Series { key, unit: Unit::parse(unit)?, times, values })
}

/// Returns a value in its base unit.
fn value(signal: &str, at: i64) -> f64 {
    let hour = at.rem_euclid(DAY) as f64 / HOUR as f64;
    let load = 1.0 + 0.5 * ((hour - 9.0) * std::f64::consts::TAU / 24.0).sin();
    let noise = (at / STEP_MS * 7919 % 101) as f64 / 1_000.0;
    let week = (at - 4 * DAY - 11 * HOUR).div_euclid(7 * DAY);
    match signal {
        "throughput" => 20.0 * load * (1.0 + noise),
        _ => 0.1 * (1.0 + 0.05 * load + noise) * if week % 2 == 0 { 1.3 } else { 1.0 },
    }
}
