//! Placebo deploys: made-up deploys at moments of the history at which nothing was deployed. What the judge says of
//! them tells how often it cries for nothing on this very data.
//!
//! Only draws and counts. The judging itself is [`judge_shard`](super::judge_shard) and [`merge`](super::merge), as for a
//! report: the placebos stand in the list of events beside the real ones, and nothing tells them apart there.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::detect::compare::verdict;
use crate::detect::context::Context;
use crate::detect::judgement::{Comparison, Judgement, SeriesSummary};
use crate::model::effect::{Effect, ScaledEstimate};
use crate::model::event::Event;
use crate::model::metric::{Class, Polarity, Series, SeriesKey};
use crate::model::time::{DAY, HOUR, MINUTE, Window};
use crate::model::verdict::Verdict;

/// A placebo keeps this far from every real deploy and other event: a real change within it would be told at the real
/// deploy only if it can be told apart.
pub const AWAY: i64 = 6 * HOUR;

/// Placebos of one service and round are this far apart, so that each has hours of its own.
pub const APART: i64 = DAY;

/// Placebos of one service in one round, at the most: as many as a usual service deploys in a fortnight.
pub const MOST: usize = 4;

/// Data that a placebo needs before it.
pub const BEFORE: i64 = DAY;

/// What is known of a service before placebos are drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// The service.
    pub service: Arc<str>,
    /// From its first to its last value, UTC milliseconds.
    pub data: Window,
    /// Made of its data: the same data draw the same moments.
    pub seed: u64,
}

impl Extent {
    /// Looks at all series of one service; `None` if none has a value.
    pub fn of(series: &[Series]) -> Option<Self> {
        let mut data: Option<Window> = None;
        let mut hash = Sha256::new();
        for series in series {
            let known: Vec<(i64, f64)> = series
                .times
                .iter()
                .copied()
                .zip(series.values.iter().copied())
                .filter(|(_, value)| value.is_finite())
                .collect();
            let (Some(first), Some(last)) = (known.first(), known.last()) else { continue };
            hash.update(series.key.to_string().as_bytes());
            hash.update((known.len() as u64).to_le_bytes());
            for (at, value) in [first, last] {
                hash.update(at.to_le_bytes());
                hash.update(value.to_le_bytes());
            }
            let own = Window::new(first.0, last.0 + 1);
            data = Some(data.map_or(own, |data| Window::new(data.start.min(own.start), data.end.max(own.end))));
        }
        let digest = hash.finalize();
        let seed = digest.iter().take(8).fold(0, |seed, byte| (seed << 8) | u64::from(*byte));
        Some(Self { service: series.first()?.key.service.clone(), data: data?, seed })
    }
}

/// Why a service has no room for a placebo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoRoom {
    /// The data of the period are too short: a placebo needs hours before and after it.
    TooShort,
    /// Deploys and other events leave no moment that is far enough from all of them.
    Deploys,
}

/// Returns the spans in which a placebo of the service may begin.
///
/// # Errors
/// [`NoRoom`] if there is none.
pub fn room(extent: &Extent, events: &[Event], context: &Context<'_>) -> Result<Vec<Window>, NoRoom> {
    let judge = context.config.judge;
    let start = context.period.start.max(extent.data.start.max(context.history.start) + BEFORE);
    let end = context.period.end.min(extent.data.end) - judge.settle_ms - judge.min_after_ms;
    if end <= start {
        return Err(NoRoom::TooShort);
    }
    let mut spans = vec![Window::new(start, end)];
    for event in events.iter().filter(|event| event.concerns(&extent.service)) {
        let near = Window::new(event.at - AWAY, event.window().end + AWAY);
        spans = without(&spans, near);
    }
    if spans.is_empty() { Err(NoRoom::Deploys) } else { Ok(spans) }
}

/// Cuts a span out of others; what is shorter than a minute goes too.
fn without(spans: &[Window], cut: Window) -> Vec<Window> {
    let parts = spans.iter().flat_map(|span| {
        [Window::new(span.start, span.end.min(cut.start)), Window::new(span.start.max(cut.end), span.end)]
    });
    let mut kept: Vec<Window> = parts.filter(|span| span.length() >= MINUTE).collect();
    // A span that the cut does not touch comes back twice.
    kept.dedup();
    kept
}

/// Returns the beginning of the placebos' ids: one that no real event has.
pub fn prefix(events: &[Event]) -> String {
    let mut prefix = "placebo".to_owned();
    while events.iter().any(|event| event.id.starts_with(&prefix)) {
        prefix.push('_');
    }
    prefix
}

/// Draws the placebos of a service in one round, by time.
///
/// `room`: where they may begin, see [`room()`]. The same service, data and round draw the same moments.
pub fn draw(extent: &Extent, room: &[Window], prefix: &str, round: usize) -> Vec<Event> {
    let mut random = Random(extent.seed ^ (round as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut spans = room.to_vec();
    let mut moments = Vec::new();
    while moments.len() < MOST {
        let minutes: i64 = spans.iter().map(|span| span.length() / MINUTE).sum();
        let Ok(count) = u64::try_from(minutes) else { break };
        if count == 0 {
            break;
        }
        let mut left = i64::try_from(random.next() % count).unwrap_or(0);
        let Some(at) = spans.iter().find_map(|span| {
            let own = span.length() / MINUTE;
            let found = (left < own).then(|| span.start + left * MINUTE);
            left -= own;
            found
        }) else {
            break;
        };
        moments.push(at);
        spans = without(&spans, Window::new(at - APART, at + APART));
    }
    moments.sort_unstable();
    let event = |(index, at): (usize, i64)| {
        Event::new(format!("{prefix}-{}-{round}-{index}", extent.service), &*extent.service, at)
    };
    moments.into_iter().enumerate().map(event).collect()
}

/// Puts placebos into the list of events, by time, then id.
pub fn beside(events: &[Event], placebos: Vec<Event>) -> Vec<Event> {
    let mut all: Vec<Event> = events.iter().cloned().chain(placebos).collect();
    all.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    all
}

/// Sebastiano Vigna's SplitMix64: a few lines, the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// One series against one placebo.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// The series.
    pub key: SeriesKey,
    /// Its golden signal.
    pub class: Class,
    /// Which way it gets worse.
    pub direction: Polarity,
    /// When the placebo was, UTC milliseconds.
    pub at: i64,
    /// What the judge said.
    pub verdict: Verdict,
    /// The estimate on the scale that it was judged on, if there is one.
    pub estimate: Option<ScaledEstimate>,
    /// The change that would have been found with 80 % power, on the same scale.
    pub detectable: f64,
    /// Typical level before, base unit; NaN if unknown.
    pub before: f64,
    /// A step was accepted at the placebo, with enough of the blame for an alarm.
    pub is_located: bool,
    /// p after control of the false discovery rate.
    pub q_value: f64,
    /// What the relative limit is taken of, for differences: base unit.
    base: f64,
}

impl Test {
    fn of(series: &SeriesSummary, comparison: &Comparison, at: i64, context: &Context<'_>) -> Self {
        let effect = comparison.effect.as_ref();
        let before = comparison.before.unwrap_or(f64::NAN);
        let (relative, absolute) = context.config.limit(&series.key.signal, series.class);
        let base = match effect.filter(|effect| effect.scale.is_difference()).map(|effect| effect.limit) {
            Some(limit) if series.class != Class::Errors && limit > absolute && relative > 0.0 => limit / relative,
            _ => before.abs(),
        };
        Self {
            key: series.key.clone(),
            class: series.class,
            direction: series.direction,
            at,
            verdict: comparison.verdict,
            estimate: effect.map(Effect::scaled),
            detectable: effect.and_then(|effect| effect.detectable).unwrap_or(f64::INFINITY),
            before,
            is_located: comparison.evidence.is_located,
            q_value: comparison.q_value.unwrap_or(1.0),
            base,
        }
    }

    /// Tells whether it was judged by its difference.
    pub fn is_difference(&self) -> bool {
        self.estimate.is_some_and(|change| change.scale.is_difference())
    }

    /// Tells whether the data sufficed to judge at all.
    pub fn is_judged(&self) -> bool {
        !matches!(self.verdict, Verdict::NoData | Verdict::TooEarly) && self.estimate.is_some()
    }

    /// Tells whether the 95 % interval holds "no change".
    pub fn holds_nothing(&self) -> bool {
        self.estimate.is_some_and(|change| change.estimate.low <= 0.0 && 0.0 <= change.estimate.high)
    }

    /// Returns the change that would matter under other limits, on the test's scale.
    ///
    /// `absolute`: base unit; both limits must be exceeded.
    pub fn limit(&self, relative: f64, absolute: f64) -> f64 {
        match (self.is_difference(), self.before > 0.0) {
            (true, _) => absolute.max(relative * if self.base.is_finite() { self.base } else { 0.0 }),
            (false, true) => relative.ln_1p().max((absolute / self.before).ln_1p()),
            (false, false) => f64::INFINITY,
        }
    }

    /// Tells whether it would have been an alarm under other limits.
    pub fn would_cry(&self, relative: f64, absolute: f64, false_discovery: f64) -> bool {
        let limit = self.limit(relative, absolute);
        self.verdict != Verdict::Explained
            && self.is_located
            && self.q_value <= false_discovery
            && self.estimate.is_some_and(|change| verdict::rule(change.estimate, limit, self.direction).is_alarm())
    }

    /// Tells whether a change of the size that matters would have been found, under other limits.
    pub fn would_decide(&self, relative: f64, absolute: f64) -> bool {
        self.detectable <= self.limit(relative, absolute)
    }
}

/// Returns the comparisons with placebos, signals without a bad direction left out: those never raise an alarm.
///
/// `events`: the list that the judgement was made with; `prefix`: what the placebos' ids begin with.
pub fn tests(judgement: &Judgement, events: &[Event], prefix: &str, context: &Context<'_>) -> Vec<Test> {
    let at: Vec<Option<i64>> = judgement
        .groups
        .iter()
        .map(|group| {
            let mut members = group.members.iter().map(|index| events.get(*index));
            // A group that a real deploy shares is no placebo.
            let is_placebo = members.all(|event| event.is_some_and(|event| event.id.starts_with(prefix)));
            is_placebo.then_some(group.window.start)
        })
        .collect();
    let of = |comparison: &Comparison| {
        let at = at.get(comparison.group).copied().flatten()?;
        let series = judgement.series.get(comparison.series)?;
        (series.direction != Polarity::Neutral).then(|| Test::of(series, comparison, at, context))
    };
    judgement.comparisons.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;
    use crate::model::effect::{Estimate, Scale};

    fn config() -> Config {
        Config::parse("[[source]]\nkind = \"files\"\nseries = [\"a.csv\"]\n", Path::new("x.toml")).expect("valid")
    }

    fn deploy(at: i64) -> Event {
        let extent = Extent { service: "api".into(), data: Window::new(0, 1), seed: 0 };
        let event = draw(&extent, &[Window::new(at, at + MINUTE)], "d", 0).remove(0);
        Event { id: format!("d{at}"), ..event }
    }

    fn extent(data: Window, seed: u64) -> Extent {
        Extent { service: "api".into(), data, seed }
    }

    const PERIOD: Window = Window { start: 28 * DAY, end: 42 * DAY };

    fn rooms(extent: &Extent, events: &[Event]) -> Result<Vec<Window>, NoRoom> {
        let config = config();
        let context = Context { config: &config, period: PERIOD, history: Window::new(0, PERIOD.end) };
        room(extent, events, &context)
    }

    proptest! {
        #[test]
        fn placebos_keep_away_from_everything(
            deploys in proptest::collection::vec(28 * DAY..42 * DAY, 0..20),
            seed in any::<u64>(),
            round in 0usize..50,
        ) {
            let extent = extent(Window::new(0, PERIOD.end), seed);
            let mut events: Vec<Event> = deploys.into_iter().map(deploy).collect();
            events.sort_by_key(|event| event.at);
            if let Ok(room) = rooms(&extent, &events) {
                let placebos = draw(&extent, &room, "placebo", round);
                prop_assert!(!placebos.is_empty() && placebos.len() <= MOST);
                prop_assert_eq!(&placebos, &draw(&extent, &room, "placebo", round));
                for placebo in &placebos {
                    prop_assert!(PERIOD.contains(placebo.at) && placebo.at + 6 * HOUR < PERIOD.end);
                    prop_assert!(events.iter().all(|event| (event.at - placebo.at).abs() >= AWAY));
                }
                prop_assert!(placebos.windows(2).all(|pair| pair[1].at - pair[0].at >= APART));
            }
        }
    }

    #[test]
    fn where_there_is_no_room_the_reason_is_told() {
        let whole = Window::new(0, PERIOD.end);
        let daily: Vec<Event> = (0..60).map(|k| deploy(27 * DAY + k * 6 * HOUR)).collect();
        assert_eq!(rooms(&extent(whole, 1), &daily), Err(NoRoom::Deploys));
        assert_eq!(rooms(&extent(Window::new(41 * DAY + 12 * HOUR, 42 * DAY), 1), &[]), Err(NoRoom::TooShort));
        assert_eq!(rooms(&extent(Window::new(0, 20 * DAY), 1), &[]), Err(NoRoom::TooShort));
    }

    #[test]
    fn ids_do_not_clash_with_real_ones() {
        let mut event = deploy(0);
        event.id = "placebo-api-0-0".to_owned();
        assert_eq!(prefix(&[event]), "placebo_");
    }

    fn test(estimate: (f64, f64, f64), scale: Scale, before: f64) -> Test {
        Test {
            key: SeriesKey {
                service: "api".into(),
                kind: crate::model::metric::Kind::Operation,
                target: "GET /".into(),
                signal: "x".into(),
            },
            class: Class::Latency,
            direction: Polarity::Lower,
            at: 0,
            verdict: Verdict::Worse,
            estimate: Some(ScaledEstimate {
                scale,
                estimate: Estimate { value: estimate.0, low: estimate.1, high: estimate.2 },
            }),
            detectable: 0.05,
            before,
            is_located: true,
            q_value: 0.001,
            base: before,
        }
    }

    #[test]
    fn larger_limits_cry_less_and_decide_more() {
        let test = test((0.2, 0.1, 0.3), Scale::LogRatio, 0.1);
        assert!(test.would_cry(0.1, 0.005, 0.05) && !test.would_cry(0.3, 0.005, 0.05));
        // 30 ms of 100 ms: the absolute limit decides.
        assert!(!test.would_cry(0.1, 0.03, 0.05));
        assert!(!test.would_cry(0.1, 0.005, 0.000_5));
        assert!(test.would_decide(0.1, 0.0) && !test.would_decide(0.03, 0.0));
    }

    #[test]
    fn differences_have_both_limits_too() {
        let test = test((0.002, 0.001, 0.003), Scale::Difference, 0.01);
        assert!(
            test.would_cry(0.1, 0.001, 0.05) && !test.would_cry(0.1, 0.003, 0.05) && !test.would_cry(0.5, 0.0, 0.05)
        );
    }
}
