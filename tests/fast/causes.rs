//! Which cause is told: worlds in which one explanation is the truth, beside worlds in which it is only tempting. Seeded:
//! the same counts on every run; `--nocapture` shows them.

#![expect(clippy::print_stdout, reason = "the counts are what one runs this for; shown with --nocapture")]

use std::collections::BTreeMap;

use crate::support::series::random::Random;
use crate::support::series::{Change, Load, Spec, config, event, four_weeks, instant};
use chrono_tz::Tz;
use fortnight::detect::{self, Comparison, Context, Judgement, Pattern, UnattributedKind, Verdict};
use fortnight::model::event::{Event, EventKind};
use fortnight::model::metric::{Series, SeriesKey, Unit};
use fortnight::model::time::{HOUR, MINUTE, Window};
use rayon::prelude::*;

/// Draws of each world, unless `SEEDS` says how many; `tests/run --long` takes eight.
const SEEDS: u64 = 3;
/// Services of a world, and operations of each.
const SERVICES: usize = 6;
const OPERATIONS: usize = 4;

/// A world: what happens in it, and what must be told of the first service's operations at its middle deploy.
struct World {
    name: &'static str,
    truth: &'static str,
    make: fn(&mut Draw),
}

/// One draw of a world.
struct Draw {
    seed: u64,
    random: Random,
    history: Window,
    /// The middle deploy of the first service.
    at: i64,
    /// What the operations do, by service and operation; latency and traffic.
    latency: BTreeMap<(usize, usize), Vec<Change>>,
    traffic: BTreeMap<(usize, usize), Vec<Change>>,
    /// Exponent with which latencies follow their traffic.
    follow: f64,
    /// Levels of the operations, ms.
    levels: [f64; OPERATIONS],
    events: Vec<Event>,
    /// When failures began, of each service that has any; these are what is asked about then.
    errors: BTreeMap<usize, Option<i64>>,
    /// A signal of the whole first service is there, and it is what is asked about.
    whole: Option<&'static str>,
    /// Services that there are.
    services: usize,
    /// Only what is slower than the median changes.
    tail: bool,
}

/// Returns a whole number from 0 to below a count.
fn below(random: &mut Random, count: i64) -> i64 {
    ((random.uniform() * count as f64) as i64).clamp(0, count - 1)
}

impl Draw {
    fn below(&mut self, count: i64) -> i64 {
        below(&mut self.random, count)
    }

    fn new(seed: u64) -> Self {
        let (history, period) = four_weeks();
        let mut random = Random::new(seed);
        let at = instant(period.start, 5 + (seed % 3) as i64, 9 + (seed % 7) as i64) + 7 * MINUTE;
        let mut events = Vec::new();
        for service in 0..SERVICES {
            for (index, (day, hour)) in [(1, 10), (3, 14), (10, 11)].into_iter().enumerate() {
                let at = instant(period.start, day, hour) + (service as i64 * 83 + below(&mut random, 40)) * MINUTE;
                events.push(event(&format!("s{service}-{index}"), &name(service), at, None, EventKind::Deploy));
            }
        }
        events.push(event("middle", &name(0), at, Some(at + 4 * MINUTE), EventKind::Deploy));
        Self {
            seed,
            random,
            history,
            at,
            latency: BTreeMap::new(),
            traffic: BTreeMap::new(),
            follow: 0.0,
            levels: [40.0, 90.0, 180.0, 350.0],
            events,
            errors: BTreeMap::new(),
            whole: None,
            services: 1,
            tail: false,
        }
    }

    /// A factor between +20 % and +50 %.
    fn factor(&mut self) -> f64 {
        1.2 + 0.3 * self.random.uniform()
    }

    fn step(&mut self, service: usize, at: i64, factor: f64) {
        for operation in 0..OPERATIONS {
            self.latency.entry((service, operation)).or_default().push(Change::Step { at, factor });
        }
    }

    fn spell(&mut self, from: i64, to: i64, factor: f64) {
        for operation in 0..OPERATIONS {
            self.latency.entry((0, operation)).or_default().push(Change::Burst { from, to, factor });
        }
    }

    fn deploy(&mut self, id: &str, service: usize, at: i64) {
        self.events.push(event(id, &name(service), at, None, EventKind::Deploy));
    }

    fn incident(&mut self, from: i64, to: i64) {
        self.events.push(event("incident", &name(0), from, Some(to), EventKind::Incident));
    }

    fn series(&self) -> Vec<Series> {
        let mut made = Vec::new();
        for service in 0..self.services {
            for operation in 0..OPERATIONS {
                let (own, target) = (name(service), format!("GET /{operation}"));
                let seed = self.seed * 7_919 + (service * OPERATIONS + operation) as u64 * 31;
                let requests = [900.0, 300.0, 60.0, 200.0][operation];
                let mut load = Spec::new([&own, &target, "throughput"], "requests/min", requests, seed);
                (load.season, load.noise, load.weekend) = (0.5, 0.08, 0.7);
                load.changes = self.traffic.get(&(service, operation)).cloned().unwrap_or_default();
                let load = load.make(self.history, Tz::UTC, None);
                for (quantile, spread) in [("latency_p50", 1.0), ("latency_p95", 2.4)] {
                    let level = self.levels[operation] * spread;
                    let seed = seed + u64::from(quantile.ends_with('5'));
                    let mut spec = Spec::new([&own, &target, quantile], "ms", level, seed + 1);
                    (spec.noise, spec.white, spec.grain) = (0.02 + 0.01 * operation as f64, 0.02, 0.3);
                    (spec.season, spec.follow) = (0.1, self.follow);
                    if !(self.tail && quantile == "latency_p50") {
                        spec.changes = self.latency.get(&(service, operation)).cloned().unwrap_or_default();
                    }
                    made.push(spec.make(self.history, Tz::UTC, Some(&Load { series: &load, usual: requests })));
                }
                if let Some(began) = self.errors.get(&service) {
                    let mut spec = Spec::new([&own, &target, "error_rate"], "ratio", 0.002, seed + 9);
                    spec.changes.extend(began.map(|at| Change::Add { at, by: 0.01 }));
                    made.push(spec.make(self.history, Tz::UTC, Some(&Load { series: &load, usual: requests })));
                }
                made.push(load);
            }
        }
        if let Some(signal) = self.whole {
            made.extend(whole(&made, signal));
        }
        made.sort_by(|a, b| a.key.cmp(&b.key));
        made
    }
}

/// Puts the first service's own latency together from its operations', as its source would.
fn whole(made: &[Series], signal: &str) -> Vec<Series> {
    let of = |signal: &str| -> Vec<&Series> {
        let own = |series: &&Series| *series.key.service == *name(0) && *series.key.signal == *signal;
        made.iter().filter(own).collect()
    };
    let (medians, slow, traffic) = (of("latency_p50"), of("latency_p95"), of("throughput"));
    let times = medians[0].times.clone();
    let (mut latency, mut all) = (Vec::new(), Vec::new());
    for at in 0..times.len() {
        let here = |series: &[&Series]| -> Vec<f64> { series.iter().map(|series| series.values[at]).collect() };
        let (medians, slow, requests) = (here(&medians), here(&slow), here(&traffic));
        let total: f64 = requests.iter().sum();
        let mean = medians.iter().zip(&requests).map(|(time, n)| time * n).sum::<f64>() / total;
        latency.push(if signal == "latency_p95" { mixture_p95(&medians, &slow, &requests) } else { mean });
        all.push(total);
    }
    let series = |target: &str, signal: &str, unit: &str, values: Vec<f64>| Series {
        key: SeriesKey {
            service: name(0).into(),
            kind: fortnight::model::metric::Kind::Operation,
            target: target.into(),
            signal: signal.into(),
        },
        unit: Unit::parse(unit).expect("unit"),
        times: times.clone(),
        values,
    };
    let mut found = vec![series("*", signal, "ms", latency), series("*", "throughput", "requests/min", all)];
    if signal == "latency_mean" {
        // Operations tell their means, too.
        found.extend(medians.iter().map(|part| series(&part.key.target, signal, "ms", part.values.clone())));
    }
    found
}

/// Returns the p95 of a mixture of lognormal latencies.
fn mixture_p95(medians: &[f64], slow: &[f64], requests: &[f64]) -> f64 {
    let total: f64 = requests.iter().sum();
    let below = |time: f64| {
        let parts = medians.iter().zip(slow).zip(requests);
        let share = |((median, slow), n): ((&f64, &f64), &f64)| {
            let score = 1.6449 * (time / median).ln() / (slow / median).ln();
            n * fortnight::stats::distribution::lower_tail(score, f64::INFINITY)
        };
        parts.map(share).sum::<f64>() / total
    };
    let (mut low, mut high) = (0.001, 10.0);
    for _ in 0..30 {
        let middle = 0.5 * (low + high);
        if below(middle) < 0.95 { low = middle } else { high = middle }
    }
    low
}

fn name(service: usize) -> String {
    format!("s{service}")
}

const WORLDS: [World; 31] = [
    World { name: "nothing", truth: "unchanged", make: |_| {} },
    World {
        name: "the deploy hit all operations of its service",
        truth: "worse",
        make: |draw| {
            let factor = draw.factor();
            draw.step(0, draw.at, factor);
        },
    },
    // load
    World {
        name: "load: more traffic along the curve",
        truth: "load",
        make: |draw| {
            draw.follow = 0.5;
            for operation in 0..OPERATIONS {
                draw.traffic.insert((0, operation), vec![Change::Step { at: draw.at, factor: 1.6 }]);
            }
        },
    },
    World {
        name: "load: more traffic, and slower code",
        truth: "worse",
        make: |draw| {
            draw.follow = 0.5;
            for operation in 0..OPERATIONS {
                draw.traffic.insert((0, operation), vec![Change::Step { at: draw.at, factor: 1.6 }]);
            }
            let factor = draw.factor() + 0.1;
            draw.step(0, draw.at, factor);
        },
    },
    // fleet
    World {
        name: "fleet: every service moved",
        truth: "fleet",
        make: |draw| {
            draw.services = SERVICES;
            let factor = draw.factor();
            let at = draw.at + draw.below(12) * MINUTE;
            for service in 0..SERVICES {
                let own = factor * (0.97 + 0.06 * draw.random.uniform());
                draw.step(service, at, own);
            }
        },
    },
    World {
        name: "fleet: every service became faster",
        truth: "fleet",
        make: |draw| {
            draw.services = SERVICES;
            let factor = 1.0 / draw.factor();
            for service in 0..SERVICES {
                draw.step(service, draw.at, factor);
            }
        },
    },
    World {
        name: "fleet: one other service jumped by chance",
        truth: "worse",
        make: |draw| {
            draw.services = SERVICES;
            let factor = draw.factor();
            draw.step(0, draw.at, factor);
            draw.step(3, draw.at + 10 * MINUTE, factor);
        },
    },
    World {
        name: "fleet: two callers became slower with it",
        truth: "worse",
        make: |draw| {
            draw.services = SERVICES;
            let factor = draw.factor();
            for service in 0..3 {
                draw.step(service, draw.at, factor);
            }
        },
    },
    World {
        name: "fleet: everything a little, this service a lot",
        truth: "worse",
        make: |draw| {
            draw.services = SERVICES;
            for service in 1..SERVICES {
                draw.step(service, draw.at, 1.06);
            }
            let factor = draw.factor() * 1.1;
            draw.step(0, draw.at, factor);
        },
    },
    World {
        name: "fleet: the same bad library deployed everywhere",
        truth: "worse",
        make: |draw| {
            draw.services = SERVICES;
            let factor = draw.factor();
            for service in 0..SERVICES {
                draw.step(service, draw.at, factor);
                if service > 0 {
                    let at = draw.at - draw.below(20) * MINUTE;
                    draw.deploy(&format!("library-{service}"), service, at);
                }
            }
        },
    },
    World {
        name: "fleet: a shock of a day or two",
        truth: "fleet",
        make: |draw| {
            draw.services = SERVICES;
            let (factor, to) = (draw.factor() + 0.2, draw.at + (26 + draw.below(24)) * HOUR);
            for service in 0..SERVICES {
                for operation in 0..OPERATIONS {
                    let spell = Change::Burst { from: draw.at, to, factor };
                    draw.latency.entry((service, operation)).or_default().push(spell);
                }
            }
        },
    },
    World {
        name: "fleet: failures everywhere",
        truth: "fleet",
        make: |draw| {
            draw.services = SERVICES;
            draw.errors = (0..SERVICES).map(|service| (service, Some(draw.at))).collect();
        },
    },
    World {
        name: "fleet: failures here alone",
        truth: "worse",
        make: |draw| {
            draw.services = SERVICES;
            draw.errors = (0..SERVICES).map(|service| (service, (service == 0).then_some(draw.at))).collect();
        },
    },
    // mix
    World {
        name: "mix: more of the slow requests",
        truth: "mix",
        make: |draw| {
            draw.whole = Some("latency_mean");
            draw.traffic.insert((0, 3), vec![Change::Step { at: draw.at, factor: 2.5 }]);
        },
    },
    World {
        name: "mix: fewer of the fast requests",
        truth: "mix",
        make: |draw| {
            draw.whole = Some("latency_mean");
            draw.traffic.insert((0, 0), vec![Change::Step { at: draw.at, factor: 0.5 }]);
        },
    },
    World {
        name: "mix: more of the slow requests, and slower code",
        truth: "worse",
        make: |draw| {
            draw.whole = Some("latency_mean");
            draw.traffic.insert((0, 3), vec![Change::Step { at: draw.at, factor: 2.5 }]);
            draw.step(0, draw.at, 1.3);
        },
    },
    World {
        name: "mix: as it was, slower code",
        truth: "worse",
        make: |draw| {
            draw.whole = Some("latency_mean");
            let factor = draw.factor();
            draw.step(0, draw.at, factor);
        },
    },
    World {
        name: "mix: more of the slow requests, seen in p95",
        truth: "mix",
        make: |draw| {
            draw.whole = Some("latency_p95");
            draw.traffic.insert((0, 3), vec![Change::Step { at: draw.at, factor: 3.0 }]);
        },
    },
    World {
        name: "mix: more of the slow requests, one operation slower, seen in p95",
        truth: "worse",
        make: |draw| {
            draw.whole = Some("latency_p95");
            draw.traffic.insert((0, 3), vec![Change::Step { at: draw.at, factor: 2.0 }]);
            draw.latency.insert((0, 3), vec![Change::Step { at: draw.at, factor: 1.4 }]);
        },
    },
    // event
    World {
        name: "event: an incident after the deploy, then as before",
        truth: "event",
        make: |draw| {
            let from = draw.at + (20 + draw.below(30)) * MINUTE;
            let to = from + (3 + draw.below(6)) * HOUR;
            let factor = draw.factor() + 0.3;
            draw.spell(from, to, factor);
            draw.incident(from, to);
        },
    },
    World {
        name: "event: the deploy lies in an incident that left its mark",
        truth: "event",
        make: |draw| {
            let from = draw.at - 3 * HOUR;
            let factor = draw.factor() + 0.1;
            draw.step(0, from, factor);
            draw.incident(from, draw.at + 2 * HOUR);
        },
    },
    World {
        name: "event: an incident was declared because of the deploy",
        truth: "worse",
        make: |draw| {
            let factor = draw.factor() + 0.1;
            draw.step(0, draw.at, factor);
            draw.incident(draw.at + 2 * HOUR, draw.at + 5 * HOUR);
        },
    },
    World {
        name: "event: an incident in which nothing happened here",
        truth: "unchanged",
        make: |draw| {
            let from = draw.at + 30 * MINUTE;
            draw.incident(from, from + 4 * HOUR);
        },
    },
    // burst
    World {
        name: "burst: cold for half an hour",
        truth: "burst",
        make: |draw| {
            let length = 20 + draw.below(25);
            let factor = 1.7 + draw.random.uniform();
            draw.spell(draw.at, draw.at + length * MINUTE, factor);
        },
    },
    World {
        name: "burst: spells at any time, one at the deploy",
        truth: "unchanged",
        make: |draw| {
            for operation in 0..OPERATIONS {
                let mut spells = Vec::new();
                for _ in 0..40 {
                    let from = draw.history.start + draw.below(28 * 24 * 60) * MINUTE;
                    let factor = 1.6 + 0.8 * draw.random.uniform();
                    spells.push(Change::Burst { from, to: from + 30 * MINUTE, factor });
                }
                spells.push(Change::Burst { from: draw.at, to: draw.at + 30 * MINUTE, factor: 1.8 });
                draw.latency.insert((0, operation), spells);
            }
        },
    },
    // tail
    World {
        name: "tail: only the slow requests",
        truth: "tail_only",
        make: |draw| {
            draw.tail = true;
            let factor = draw.factor();
            draw.step(0, draw.at, factor);
        },
    },
    // recovered
    World {
        name: "recovered: a later deploy took it back",
        truth: "recovered by repair",
        make: |draw| {
            let (factor, back) = (draw.factor(), draw.at + (20 + draw.below(50)) * HOUR);
            draw.spell(draw.at, back, factor);
            draw.deploy("repair", 0, back);
        },
    },
    World {
        name: "recovered: back by itself, days before the next deploy",
        truth: "recovered",
        make: |draw| {
            let (factor, back) = (draw.factor(), draw.at + (20 + draw.below(30)) * HOUR);
            draw.spell(draw.at, back, factor);
            draw.deploy("late", 0, back + 30 * HOUR);
        },
    },
    World {
        name: "recovered: a later deploy took a third of it back",
        truth: "worse",
        make: |draw| {
            let back = draw.at + 40 * HOUR;
            draw.step(0, draw.at, 1.5);
            draw.step(0, back, 0.88);
            draw.deploy("repair", 0, back);
        },
    },
    // drift, elsewhere
    World {
        name: "drift: a slow climb",
        truth: "drift",
        make: |draw| {
            for operation in 0..OPERATIONS {
                draw.latency.insert((0, operation), vec![Change::Drift { factor: 1.5 }]);
            }
        },
    },
    World {
        name: "elsewhere: a step with no deploy near",
        truth: "elsewhere",
        make: |draw| {
            let (factor, at) = (draw.factor(), draw.at + 8 * HOUR);
            draw.step(0, at, factor);
        },
    },
];

/// Says what the judgement makes of one series at the middle deploy.
fn label(judgement: &Judgement, events: &[Event], comparison: &Comparison) -> String {
    let by_word = |by: Option<usize>| {
        let deploy = by.and_then(|by| judgement.groups[by].members.first()).map(|member| events[*member].id.as_str());
        deploy.map_or("recovered".to_owned(), |id| format!("recovered by {id}"))
    };
    let moved = judgement.elsewhere.iter().find(|item| item.series == comparison.series);
    match (comparison.verdict, comparison.pattern) {
        (Verdict::Worse, Some(Pattern::Recovered { by, .. })) => by_word(by),
        (Verdict::Worse, Some(Pattern::TailOnly)) => "tail_only".to_owned(),
        (Verdict::Worse, _) => "worse".to_owned(),
        (Verdict::Explained, _) => comparison.explained_by.map_or("nothing", detect::Confounder::as_str).to_owned(),
        (_, Some(Pattern::Burst)) => "burst".to_owned(),
        (Verdict::PossiblyWorse | Verdict::Better, _) => comparison.verdict.as_str().to_owned(),
        _ => match moved.map(|item| item.kind) {
            Some(UnattributedKind::Drift) => "drift".to_owned(),
            Some(UnattributedKind::Shift) => "elsewhere".to_owned(),
            None => "unchanged".to_owned(),
        },
    }
}

/// Judges one draw; returns what is told of each series that is asked about.
fn told(world: &World, seed: u64) -> Vec<String> {
    let mut draw = Draw::new(seed);
    (world.make)(&mut draw);
    let config = config("");
    let (history, period) = four_weeks();
    let context = Context { config: &config, period, history };
    let series = draw.series();
    let mut events = draw.events.clone();
    events.sort_by_key(|event| event.at);
    let judgement = detect::merge(
        vec![detect::judge_shard(detect::Shard { series: &series, events: &events, context })],
        &events,
        &context,
    );
    let is_asked = |key: &SeriesKey| match draw.whole {
        Some(signal) => &*key.target == "*" && &*key.signal == signal,
        None if draw.errors.is_empty() => &*key.signal == "latency_p95",
        None => &*key.signal == "error_rate",
    };
    let at_middle = |comparison: &&Comparison| {
        let members = &judgement.groups[comparison.group].members;
        let key = &judgement.series[comparison.series].key;
        *key.service == *name(0) && is_asked(key) && members.iter().any(|member| events[*member].id == "middle")
    };
    let found = judgement.comparisons.iter().filter(at_middle);
    found.map(|comparison| label(&judgement, &events, comparison)).collect()
}

#[test]
fn each_cause_is_told_as_what_it_is() {
    let only = std::env::var("WORLD").unwrap_or_default();
    let seeds = std::env::var("SEEDS").map_or(SEEDS, |seeds| seeds.parse().expect("a number"));
    let (mut right, mut all, mut swapped) = (0, 0, 0);
    let mut bad = Vec::new();
    for world in WORLDS.iter().filter(|world| world.name.contains(&only)) {
        let found: Vec<String> = (1..=seeds).into_par_iter().flat_map_iter(|seed| told(world, seed)).collect();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for label in &found {
            *counts.entry(label).or_default() += 1;
        }
        let own = counts.get(world.truth).copied().unwrap_or(0);
        println!("{:55} {:20} {own}/{}  {counts:?}", world.name, world.truth, found.len());
        right += own;
        all += found.len();
        swapped += match world.truth {
            "worse" => counts.get("unchanged").copied().unwrap_or(0),
            "unchanged" => counts.get("worse").copied().unwrap_or(0),
            _ => 0,
        };
        if (own as f64) < 0.9 * found.len() as f64 {
            bad.push(world.name);
        }
    }
    println!("{right} of {all} right, {swapped} swaps of worse and unchanged");
    assert!(all > 0);
    assert!(bad.is_empty(), "told right in fewer than 9 of 10: {bad:?}");
    assert!(swapped as f64 <= 0.005 * all as f64, "{swapped} of {all}");
}

#[test]
fn a_finding_keeps_its_id_whichever_target_leads() {
    let (history, period) = four_weeks();
    let config = config("");
    let context = Context { config: &config, period, history };
    let told = |levels: [f64; OPERATIONS]| {
        let mut draw = Draw::new(1);
        draw.levels = levels;
        draw.step(0, draw.at, 1.4);
        let mut events = draw.events.clone();
        events.sort_by_key(|event| event.at);
        let judgement = detect::merge(
            vec![detect::judge_shard(detect::Shard { series: &draw.series(), events: &events, context })],
            &events,
            &context,
        );
        let findings: Vec<_> = judgement.findings.iter().collect();
        assert_eq!(findings.len(), 1, "{findings:?}");
        let lead = judgement.comparisons[findings[0].lead].series;
        assert_eq!(findings[0].targets.len(), OPERATIONS);
        (findings[0].id.clone(), judgement.series[lead].key.target.clone())
    };
    let (one, other) = (told([40.0, 90.0, 180.0, 350.0]), told([900.0, 90.0, 180.0, 35.0]));
    assert_ne!(one.1, other.1, "another target leads");
    assert_eq!(one.0, other.0);
}
