//! Made-up series whose truth is known, for tests and benches: seasons, correlated noise, finite requests, changes.

// Each test that includes this file uses a part of it.
#![allow(dead_code)]

pub mod random;

use chrono::{Datelike, Timelike};
use chrono_tz::Tz;
use fortnight::config::Config;
use fortnight::model::event::{Event, EventKind};
use fortnight::model::metric::{Kind, Series, SeriesKey, Unit};
use fortnight::model::time::{self, DAY, HOUR, MINUTE, Window};
use random::Random;

/// What a series does besides its season and noise. Times are UTC ms; factors multiply, so 1.25 is +25 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// From `at` on the level is `factor` times as high.
    Step { at: i64, factor: f64 },
    /// From `at` to `until` the level goes in a straight line to `factor` times itself.
    Ramp { at: i64, until: i64, factor: f64 },
    /// From `at` on the level is higher by `by`, in the series' unit.
    Add { at: i64, by: f64 },
    /// Between the two the level is `factor` times as high.
    Burst { from: i64, to: i64, factor: f64 },
    /// Every day, between two minutes of the local day, the level is `factor` times as high.
    Nightly { from: i64, to: i64, factor: f64 },
    /// Between the two there are no points.
    Gap { from: i64, to: i64 },
    /// From the first to the last point the level climbs to `factor` times, in equal ratios.
    Drift { factor: f64 },
    /// Every point is this value.
    Constant(f64),
    /// Every point is missing.
    Missing,
    /// Points outside are not there.
    Only { from: i64, to: i64 },
    /// No more points than this.
    First(usize),
    /// A share of the points is gone, by chance.
    Thin { share: f64, seed: u64 },
}

/// How a series is made.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Service, target and signal.
    pub name: [String; 3],
    /// What it is measured on.
    pub kind: Kind,
    /// Unit of `level`.
    pub unit: &'static str,
    /// Usual level, in `unit`.
    pub level: f64,
    /// Half the daily swing, as a log ratio; highest at 14:00.
    pub season: f64,
    /// Saturdays and Sundays, times the level.
    pub weekend: f64,
    /// Standard deviation of the noise that lasts, as a log ratio.
    pub noise: f64,
    /// Share of it that is kept from one quarter hour to the next.
    pub phi: f64,
    /// Standard deviation of the noise of single points, as a log ratio.
    pub white: f64,
    /// Standard deviation of one request's part: `grain / sqrt(requests)` is added to `white`.
    pub grain: f64,
    /// Exponent with which the level follows the load.
    pub follow: f64,
    /// Time between points, ms.
    pub step: i64,
    /// What makes its noise different from others'.
    pub seed: u64,
    /// What it does.
    pub changes: Vec<Change>,
}

impl Spec {
    /// Begins a series with a small, lasting noise.
    pub fn new(name: [&str; 3], unit: &'static str, level: f64, seed: u64) -> Self {
        Self {
            name: name.map(str::to_owned),
            kind: Kind::Operation,
            unit,
            level,
            season: 0.0,
            weekend: 1.0,
            noise: 0.03,
            phi: 0.8,
            white: 0.02,
            grain: 0.0,
            follow: 0.0,
            step: 5 * MINUTE,
            seed,
            changes: Vec::new(),
        }
    }

    /// Makes the series. `load`: requests a minute at each time, and their usual number; none means unknown.
    pub fn make(&self, history: Window, zone: Tz, load: Option<&Load<'_>>) -> Series {
        let unit = Unit::parse(self.unit).expect("unit");
        let is_counted = self.name[2].contains("error");
        let mut random = Random::new(self.seed);
        let phi = self.phi.powf(self.step as f64 / (15 * MINUTE) as f64);
        let mut memory = self.noise * random.normal();
        let (mut times, mut values) = (Vec::new(), Vec::new());
        let mut at = history.start;
        while at < history.end {
            memory = phi * memory + self.noise * (1.0 - phi * phi).sqrt() * random.normal();
            let per_minute = load.map_or(f64::NAN, |load| load.at(at));
            let requests = per_minute * self.step as f64 / MINUTE as f64;
            let mut value = self.course(at, history, zone) * memory.exp();
            if let (Some(load), true) = (load, self.follow.abs() > 0.0) {
                value *= (per_minute / load.usual).powf(self.follow);
            }
            let luck = random.normal();
            if is_counted && requests.is_finite() {
                value = failures(value.clamp(0.0, 1.0), requests, luck, &mut random) / requests.max(1.0).round();
            } else {
                let few = if requests > 0.0 { self.grain / requests.sqrt() } else { 0.0 };
                value *= (self.white.hypot(few) * luck).exp();
            }
            if let Some(value) = self.after_changes(at, value) {
                times.push(at);
                values.push(value * unit.factor);
            }
            at += self.step;
        }
        self.leave_out(&mut times, &mut values);
        let [service, target, signal] = &self.name;
        let key = SeriesKey {
            service: service.as_str().into(),
            kind: self.kind,
            target: target.as_str().into(),
            signal: signal.as_str().into(),
        };
        Series { key, unit, times, values }
    }

    /// Returns the level without noise.
    fn course(&self, at: i64, history: Window, zone: Tz) -> f64 {
        let clock = time::local(at, zone);
        let hour = f64::from(clock.hour()) + f64::from(clock.minute()) / 60.0;
        let mut value = self.level * (self.season * ((hour - 14.0) / 24.0 * std::f64::consts::TAU).cos()).exp();
        if clock.weekday().num_days_from_monday() >= 5 {
            value *= self.weekend;
        }
        let minute = i64::from(clock.hour() * 60 + clock.minute());
        for change in &self.changes {
            match *change {
                Change::Step { at: from, factor } if at >= from => value *= factor,
                Change::Ramp { at: from, until, factor } if at >= from => {
                    let done = ((at - from) as f64 / (until - from) as f64).min(1.0);
                    value *= 1.0 + (factor - 1.0) * done;
                }
                Change::Add { at: from, by } if at >= from => value += by,
                Change::Burst { from, to, factor } if from <= at && at < to => value *= factor,
                Change::Nightly { from, to, factor } if from <= minute && minute < to => value *= factor,
                Change::Drift { factor } => {
                    value *= factor.powf((at - history.start) as f64 / history.length() as f64);
                }
                _ => {}
            }
        }
        value
    }

    fn after_changes(&self, at: i64, value: f64) -> Option<f64> {
        let mut value = value;
        for change in &self.changes {
            match *change {
                Change::Gap { from, to } if from <= at && at < to => return None,
                Change::Only { from, to } if at < from || at >= to => return None,
                Change::Constant(other) => value = other,
                Change::Missing => value = f64::NAN,
                _ => {}
            }
        }
        Some(value)
    }

    fn leave_out(&self, times: &mut Vec<i64>, values: &mut Vec<f64>) {
        for change in &self.changes {
            match *change {
                Change::First(count) => {
                    times.truncate(count);
                    values.truncate(count);
                }
                Change::Thin { share, seed } => {
                    let mut random = Random::new(seed);
                    let keep: Vec<bool> = times.iter().map(|_| random.uniform() > share).collect();
                    let mut kept = keep.iter();
                    times.retain(|_| *kept.next().expect("as long"));
                    let mut kept = keep.iter();
                    values.retain(|_| *kept.next().expect("as long"));
                }
                _ => {}
            }
        }
    }
}

/// Requests a minute, as other series of the same target see them.
#[derive(Debug)]
pub struct Load<'a> {
    /// The traffic.
    pub series: &'a Series,
    /// Requests a minute that the level belongs to.
    pub usual: f64,
}

impl Load<'_> {
    fn at(&self, at: i64) -> f64 {
        let after = self.series.times.partition_point(|time| *time <= at);
        after.checked_sub(1).and_then(|index| self.series.values.get(index)).map_or(f64::NAN, |rate| rate * 60.0)
    }
}

/// Draws how many of some requests fail; `luck` stands for the sum of many.
fn failures(share: f64, requests: f64, luck: f64, random: &mut Random) -> f64 {
    let expected = share * requests.round();
    if expected > 50.0 {
        return (expected + luck * (expected * (1.0 - share)).sqrt()).round().clamp(0.0, requests.round());
    }
    // Knuth's product of uniforms: a Poisson number.
    let (limit, mut product, mut count) = ((-expected).exp(), random.uniform(), 0.0);
    while product > limit {
        product *= random.uniform();
        count += 1.0;
    }
    f64::min(count, requests.round())
}

/// Makes an event.
pub fn event(id: &str, service: &str, at: i64, until: Option<i64>, kind: EventKind) -> Event {
    Event { until, kind, ..Event::new(id, service, at) }
}

/// Returns the configuration with everything at its default but for some lines of TOML.
pub fn config(lines: &str) -> Config {
    let text = format!("{lines}\n[[source]]\nkind = \"files\"\nseries = [\"series.csv\"]\n");
    Config::parse(&text, std::path::Path::new("fortnight.toml")).expect("configuration")
}

/// Returns four weeks from a Monday and the second two of them.
pub fn four_weeks() -> (Window, Window) {
    let start = time::parse_instant("2026-10-05", Tz::UTC).expect("date");
    (Window::new(start, start + 28 * DAY), Window::new(start + 14 * DAY, start + 28 * DAY))
}

/// Returns an instant of a day and hour after a start.
pub fn instant(start: i64, day: i64, hour: i64) -> i64 {
    start + day * DAY + hour * HOUR
}
