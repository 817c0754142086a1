//! Turns the fleet, its days, its events and the stories into series as a collector would have read them.

use crate::deploys::{CAMPAIGN_DAYS, DRILL, Event, INCIDENT};
use crate::fleet::{
    BATCH_HOURS, CARD, Datastore, FLEET, HOUR, MINUTE, Operation, POINTS, Resource, START, STEP, Service, daily_shape,
    hour_of_day, jst,
};
use crate::noise::{Noise, Z};
use crate::stories::{Change, Effect};

/// Points an hour.
const PER_HOUR: f64 = (HOUR / STEP) as f64;
/// Minutes of a point.
const MINUTES: f64 = (STEP / MINUTE) as f64;
/// Traffic of the campaign relative to a day without.
const CAMPAIGN: f64 = 2.2;
/// The hours in which nothing was collected from the infrastructure of the card account.
const GAP: (i64, i64) = (jst(11, 15, 1, 0), jst(11, 15, 10, 0));
/// Share of points that a collector misses anyway.
const LOST: f64 = 0.003;

/// One finished series, one value a point of the grid; NaN is missing.
pub struct Measured {
    /// Service of the series.
    pub service: &'static str,
    /// `operation`, `datastore` or `resource`.
    pub kind: &'static str,
    /// Target of the series.
    pub target: &'static str,
    /// Signal of the series.
    pub signal: &'static str,
    /// Unit of the values.
    pub unit: &'static str,
    /// Values at `START + index * STEP`.
    pub values: Vec<f64>,
}

/// Makes every series, ordered by service, kind, target and signal.
pub fn simulate(events: &[Event], effects: &[Effect]) -> Vec<Measured> {
    let mut noise = Noise::new("demand");
    // What people do varies for everyone alike, within hours and from day to day.
    let fast = noise.ar1(POINTS, 0.035, 2.0 * PER_HOUR);
    let slow = noise.ar1(POINTS, 0.02, 18.0 * PER_HOUR);
    let demand: Vec<f64> = (0..POINTS).map(|i| surge(time(i)) * (fast.at(i) + slow.at(i)).exp()).collect();
    let mut all: Vec<Measured> =
        FLEET.iter().flat_map(|service| Plant::new(service, events, effects, &demand).run()).collect();
    all.sort_by_key(|series| (series.service, series.kind, series.target, series.signal));
    all
}

/// One service while its series are made.
struct Plant<'a> {
    service: &'static Service,
    effects: &'a [Effect],
    demand: &'a [f64],
    /// Log slowness that all endpoints of the service share.
    shared: Vec<f64>,
    /// How cold caches are after deploys, log.
    cold: Vec<f64>,
    /// Requests a minute of all endpoints so far, and relative to the mean of a workday.
    total: Vec<f64>,
    /// Requests a minute of each endpoint.
    rates: Vec<(&'static str, Vec<f64>)>,
    out: Vec<Measured>,
}

impl<'a> Plant<'a> {
    fn new(service: &'static Service, events: &[Event], effects: &'a [Effect], demand: &'a [f64]) -> Self {
        let mut noise = Noise::new(service.name);
        let shared = noise.ar1(POINTS, 0.012, 1.5 * PER_HOUR);
        let mut cold = vec![0.0; POINTS];
        for event in events.iter().filter(|event| event.kind == "deploy" && event.service == service.name) {
            let (strength, fade) = (noise.between(0.0, 0.45), noise.between(2.0, 5.0) * MINUTE as f64);
            // Half of the deploys touch no cache.
            if noise.unit() < 0.5 {
                continue;
            }
            for (i, value) in cold.iter_mut().enumerate() {
                let since = (time(i) + STEP / 2 - event.start) as f64;
                if (0.0..2.0 * HOUR as f64).contains(&since) {
                    *value += strength * (-since / fade).exp();
                }
            }
        }
        Self { service, effects, demand, shared, cold, total: vec![0.0; POINTS], rates: Vec::new(), out: Vec::new() }
    }

    fn run(mut self) -> Vec<Measured> {
        for operation in self.service.operations {
            self.operation(operation);
        }
        for datastore in self.service.datastores {
            self.datastore(datastore);
        }
        for resource in self.service.resources {
            self.resource(resource);
        }
        self.out
    }

    fn noise(&self, name: &str) -> Noise {
        Noise::new(&format!("{}/{name}", self.service.name))
    }

    /// Returns what a story multiplies or adds to a series, a value a point; 1 or 0 where nothing happens.
    fn effect(&self, target: &str, signal: &str) -> (Vec<f64>, Vec<f64>) {
        let (mut ratio, mut points) = (vec![1.0; POINTS], vec![0.0; POINTS]);
        for effect in self.effects {
            if (effect.service, effect.target, effect.signal) != (self.service.name, target, signal) {
                continue;
            }
            for (i, (ratio, points)) in ratio.iter_mut().zip(&mut points).enumerate() {
                let weight = overlap(time(i), effect.from, effect.until);
                match effect.change {
                    Change::Ratio(by) => *ratio *= by.powf(weight),
                    Change::Points(by) => *points += by * weight,
                }
            }
        }
        (ratio, points)
    }

    fn emit(
        &mut self,
        kind: &'static str,
        target: &'static str,
        signal: &'static str,
        unit: &'static str,
        values: Vec<f64>,
    ) {
        self.out.push(Measured { service: self.service.name, kind, target, signal, unit, values });
    }

    fn operation(&mut self, of: &'static Operation) {
        let mut noise = self.noise(of.target);
        let (growth, _) = self.effect(of.target, "throughput");
        let own = noise.ar1(POINTS, 0.03, 0.5 * PER_HOUR);
        let rate: Vec<f64> = (0..POINTS)
            .map(|i| {
                let mails = if of.target == "POST /v1/mails" { morning_mails(time(i)) } else { 0.0 };
                let people = daily_shape(time(i), of.weekend) * self.demand.at(i) * own.at(i).exp() * growth.at(i);
                of.per_minute * (people + mails)
            })
            .collect();
        let requests: Vec<u64> = rate.iter().map(|rate| noise.poisson(rate * MINUTES)).collect();

        let slow = noise.ar1(POINTS, 0.022, noise_hours(of.target) * PER_HOUR);
        let tail = noise.ar1(POINTS, 0.015, PER_HOUR);
        let spikes = spikes(&mut noise);
        let shifts = ["latency_p50", "latency_p95", "latency_p99"].map(|signal| self.effect(of.target, signal).0);
        let mut latency = [const { Vec::new() }; 3];
        for (i, (&count, &rate)) in requests.iter().zip(&rate).enumerate() {
            let load = of.load * ((of.knee + rate / of.per_minute) / (of.knee + 1.0)).ln();
            let trouble = self.trouble(time(i)) + if in_batch(time(i)) { of.batch } else { 0.0 };
            let mu = of.median_ms.ln() + load + self.shared.at(i) + slow.at(i) + self.cold.at(i) + trouble;
            let measured = noise.quantiles(count, mu + 0.3 * spikes.at(i), of.sigma);
            for (k, ((out, value), z)) in latency.iter_mut().zip(measured).zip(Z).enumerate() {
                // A spike and the tail's own wander reach the high percentiles first.
                let reach = z / 2.0 * (0.7 * spikes.at(i) + tail.at(i));
                out.push(value * reach.exp() * shifts.get(k).map_or(1.0, |shift| shift.at(i)));
            }
        }

        let (more, _) = self.effect(of.target, "error_rate");
        let burst = noise.ar1(POINTS, 0.15, PER_HOUR);
        let errors: Vec<f64> = requests
            .iter()
            .enumerate()
            .map(|(i, &count)| {
                let share = of.error_share * more.at(i) * burst.at(i).exp() + self.failing(time(i));
                if count == 0 { f64::NAN } else { noise.poisson(share * count as f64).min(count) as f64 / count as f64 }
            })
            .collect();

        // An agent that loses a point loses it for the whole endpoint.
        let lost: Vec<bool> = (0..POINTS).map(|_| noise.unit() < LOST).collect();
        let keep = |values: Vec<f64>| -> Vec<f64> {
            values.into_iter().zip(&lost).map(|(value, &lost)| if lost { f64::NAN } else { value }).collect()
        };
        for (total, rate) in self.total.iter_mut().zip(&rate) {
            *total += rate;
        }
        self.rates.push((of.target, rate));
        let [p50, p95, p99] = latency;
        self.emit("operation", of.target, "latency_p50", "ms", keep(p50));
        self.emit("operation", of.target, "latency_p95", "ms", keep(p95));
        self.emit("operation", of.target, "latency_p99", "ms", keep(p99));
        let counts = requests.iter().map(|&count| count as f64 / MINUTES).collect();
        self.emit("operation", of.target, "throughput", "requests/min", keep(counts));
        self.emit("operation", of.target, "error_rate", "ratio", keep(errors));
    }

    fn datastore(&mut self, of: &'static Datastore) {
        let mut noise = self.noise(of.target);
        let (ratio, _) = self.effect(of.target, "db_time");
        let slow = noise.ar1(POINTS, 0.025, noise_hours(of.target) * PER_HOUR);
        let spikes = spikes(&mut noise);
        let mean: f64 =
            self.service.operations.iter().filter(|o| of.callers.contains(&o.target)).map(|o| o.per_minute).sum();
        let (mut time_ms, mut calls) = (Vec::new(), Vec::new());
        for i in 0..POINTS {
            let rate: f64 =
                self.rates.iter().filter(|(name, _)| of.callers.contains(name)).map(|(_, rate)| rate.at(i)).sum();
            let count = noise.poisson(rate * MINUTES);
            let load = 0.08 * (0.5 + rate / mean).ln();
            let trouble = 1.6 * self.trouble(time(i)) + if in_batch(time(i)) { of.batch } else { 0.0 };
            // The mean of `count` lognormal times with spread 0.8.
            let sampling = 0.95 / (count.max(1) as f64).sqrt() * noise.normal();
            let log = load + 0.5 * self.shared.at(i) + slow.at(i) + sampling + 0.5 * spikes.at(i) + trouble;
            time_ms.push(if count == 0 { f64::NAN } else { of.ms * log.exp() * ratio.at(i) });
            calls.push(count as f64 / MINUTES);
        }
        for (time_ms, calls) in time_ms.iter_mut().zip(&mut calls) {
            if noise.unit() < LOST {
                (*time_ms, *calls) = (f64::NAN, f64::NAN);
            }
        }
        self.emit("datastore", of.target, "db_time", "ms", time_ms);
        self.emit("datastore", of.target, "db_calls", "calls/min", calls);
    }

    fn resource(&mut self, of: &'static Resource) {
        match *of {
            Resource::LoadBalancer { target, other } => self.load_balancer(target, other),
            Resource::Containers { target, idle, busy, memory } => {
                let cpu = self.processor(target, idle, busy, 0.0);
                self.emit_resource(target, "cpu_utilization", "percent", cpu);
                let mut noise = self.noise(&format!("{target}/memory"));
                let wander = noise.ar1(POINTS, 0.008, 3.0 * PER_HOUR);
                let values = (0..POINTS).map(|i| memory * (wander.at(i) + 0.01 * self.load(i)).exp()).collect();
                self.emit_resource(target, "memory_utilization", "percent", values);
            }
            Resource::Database { target, idle, busy, batch, connections } => {
                let cpu = self.processor(target, idle, busy, batch);
                self.emit_resource(target, "cpu_utilization", "percent", cpu);
                let mut noise = self.noise(&format!("{target}/connections"));
                let wander = noise.ar1(POINTS, 0.025, PER_HOUR);
                let values = (0..POINTS)
                    .map(|i| {
                        let level = 0.75 + 0.25 * self.load(i) + 0.8 * self.trouble(time(i));
                        (connections * level * wander.at(i).exp()).round()
                    })
                    .collect();
                self.emit_resource(target, "connections", "count", values);
            }
            Resource::Queue { target, length } => {
                let mut noise = self.noise(target);
                let wander = noise.ar1(POINTS, 0.08, 0.7 * PER_HOUR);
                let values = (0..POINTS)
                    .map(|i| {
                        let level = 0.2 + 0.8 * self.load(i) + 3.0 * self.trouble(time(i));
                        noise.poisson(length * level * wander.at(i).exp()) as f64
                    })
                    .collect();
                self.emit_resource(target, "queue_length", "count", values);
            }
        }
    }

    fn load_balancer(&mut self, target: &'static str, other: f64) {
        let mut noise = self.noise(target);
        let own = noise.ar1(POINTS, 0.02, 0.5 * PER_HOUR);
        let (mut traffic, mut errors) = (Vec::new(), Vec::new());
        for i in 0..POINTS {
            let rest = other * daily_shape(time(i), 0.9) * self.demand.at(i) * own.at(i).exp();
            let count = noise.poisson((self.total.at(i) + rest) * MINUTES);
            let failed = noise.poisson((0.0002 + 0.8 * self.failing(time(i))) * count as f64).min(count);
            traffic.push(count as f64 / MINUTES);
            errors.push(if count == 0 { f64::NAN } else { failed as f64 / count as f64 });
        }
        self.emit_resource(target, "throughput", "requests/min", traffic);
        self.emit_resource(target, "error_rate", "ratio", errors);
    }

    /// Returns percent of processor: idle share, share that follows load, night batch, cold caches, trouble.
    fn processor(&self, target: &str, idle: f64, busy: f64, batch: f64) -> Vec<f64> {
        let mut noise = self.noise(&format!("{target}/cpu"));
        let wander = noise.ar1(POINTS, 0.03, 0.8 * PER_HOUR);
        let jitter = noise.ar1(POINTS, 0.015, 0.5);
        let (_, points) = self.effect(target, "cpu_utilization");
        (0..POINTS)
            .map(|i| {
                let level = idle + busy * self.load(i) + if in_batch(time(i)) { batch } else { 0.0 };
                let log = wander.at(i) + jitter.at(i) + 0.4 * self.shared.at(i) + 0.3 * self.cold.at(i);
                (level * (log + 0.5 * self.trouble(time(i))).exp() + points.at(i)).clamp(0.0, 100.0)
            })
            .collect()
    }

    fn emit_resource(&mut self, target: &'static str, signal: &'static str, unit: &'static str, mut values: Vec<f64>) {
        let mut noise = self.noise(&format!("{target}/{signal}/lost"));
        for (i, value) in values.iter_mut().enumerate() {
            let gap = self.service.account == CARD && (GAP.0..GAP.1).contains(&time(i));
            if gap || noise.unit() < LOST {
                *value = f64::NAN;
            }
        }
        self.emit("resource", target, signal, unit, values);
    }

    /// Returns the service's traffic relative to the mean of a workday.
    fn load(&self, i: usize) -> f64 {
        let mean: f64 = self.service.operations.iter().map(|of| of.per_minute).sum();
        self.total.at(i) / mean
    }

    /// Returns the log slowness of an incident or drill: sharp at first, then fading.
    fn trouble(&self, at: i64) -> f64 {
        let fade = |(start, end): (i64, i64), size: f64| {
            let gone = (at - start) as f64 / (end - start) as f64;
            overlap(at, start, end) * size * (1.0 - 0.6 * gone.clamp(0.0, 1.0))
        };
        match self.service.name {
            "card-api" => fade(INCIDENT, 0.95),
            "notification" => fade(DRILL, 0.2),
            _ => 0.0,
        }
    }

    /// Returns the share of requests that fail because of the incident: most in its first quarter of an hour.
    fn failing(&self, at: i64) -> f64 {
        if self.service.name != "card-api" {
            return 0.0;
        }
        0.02 * overlap(at, INCIDENT.0, INCIDENT.1) + 0.16 * overlap(at, INCIDENT.0, INCIDENT.0 + 15 * MINUTE)
    }
}

/// Reading a point of a series that has one value a point of the grid.
trait At {
    /// Returns the value of point `i`.
    fn at(&self, i: usize) -> f64;
}

impl At for [f64] {
    fn at(&self, i: usize) -> f64 {
        self.get(i).copied().unwrap_or(f64::NAN)
    }
}

/// Returns the start of point `i`, UTC milliseconds.
pub fn time(i: usize) -> i64 {
    START + i as i64 * STEP
}

/// Returns the share of the point at `at` that lies in `[from, until)`.
fn overlap(at: i64, from: i64, until: i64) -> f64 {
    ((at + STEP).min(until) - at.max(from)).max(0) as f64 / STEP as f64
}

/// Returns traffic relative to a day without campaign; it takes a quarter of an hour to build up and go.
fn surge(at: i64) -> f64 {
    let ramp = (15 * MINUTE) as f64;
    CAMPAIGN_DAYS.iter().fold(1.0, |surge, &(start, end)| {
        let rise = ((at + STEP - start) as f64 / ramp).min((end - at) as f64 / ramp).clamp(0.0, 1.0);
        surge * CAMPAIGN.powf(rise)
    })
}

/// Returns extra mails, relative to the mean: the day's statements go out at 07:00.
fn morning_mails(at: i64) -> f64 {
    if (7.0..7.5).contains(&hour_of_day(at)) { 1.4 } else { 0.0 }
}

fn in_batch(at: i64) -> bool {
    BATCH_HOURS.contains(&hour_of_day(at))
}

/// Returns how long the noise of a target remembers, hours: 0.5 to 1.5, fixed by its name.
fn noise_hours(target: &str) -> f64 {
    Noise::new(target).between(0.5, 1.5)
}

/// Returns lone spikes of the tail, log: some five or ten in four weeks, of one or two points.
fn spikes(noise: &mut Noise) -> Vec<f64> {
    let mut values = vec![0.0; POINTS];
    for _ in 0..noise.poisson(8.0) {
        let start = (noise.unit() * POINTS as f64) as usize;
        let length = 1 + (noise.bits() % 2) as usize;
        let size = noise.between(0.4, 1.2);
        for value in values.iter_mut().skip(start).take(length) {
            *value += size;
        }
    }
    values
}
