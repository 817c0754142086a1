//! How many series are judged a second: 14 days of 5-minute points and 28 days of 1-minute points, five deploys each.
//!
//! `cargo bench --bench detect`; the throughput is series a second, on as many cores as `RAYON_NUM_THREADS` allows.

#[path = "../tests/support/series/mod.rs"]
mod series;

use std::hint::black_box;

use chrono_tz::Tz;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fortnight::detect::{Context, Shard, judge_shard, merge};
use fortnight::model::event::{Event, EventKind};
use fortnight::model::metric::Series;
use fortnight::model::time::{DAY, HOUR, MINUTE, Window};
use series::{Change, Load, Spec, config, event, four_weeks};

/// Services, and operations of each; an operation has a latency and its traffic.
const SERVICES: u64 = 4;
const OPERATIONS: u64 = 8;

/// Makes what one run judges.
fn world(history: Window, period: Window, step: i64) -> (Vec<Series>, Vec<Event>) {
    let (mut made, mut events) = (Vec::new(), Vec::new());
    for service in 0..SERVICES {
        let name = format!("service-{service}");
        let deploys: Vec<i64> =
            (0..5).map(|k| period.start + DAY + k * (period.length() - 2 * DAY) / 5 + 10 * HOUR).collect();
        for (k, at) in deploys.iter().enumerate() {
            events.push(event(&format!("{name}-{k}"), &name, *at, None, EventKind::Deploy));
        }
        for operation in 0..OPERATIONS {
            let (target, seed) = (format!("GET /v1/{operation}"), service * 100 + operation * 10);
            let mut traffic = Spec::new([&name, &target, "throughput"], "requests/min", 300.0, seed);
            (traffic.season, traffic.weekend, traffic.step) = (0.6, 0.6, step);
            let traffic = traffic.make(history, Tz::UTC, None);
            let mut latency = Spec::new([&name, &target, "latency_p95"], "ms", 180.0, seed + 1);
            (latency.season, latency.grain, latency.step) = (0.2, 1.0, step);
            if operation == 0 {
                latency.changes.push(Change::Step { at: deploys[2], factor: 1.25 });
            }
            made.push(latency.make(history, Tz::UTC, Some(&Load { series: &traffic, usual: 300.0 })));
            made.push(traffic);
        }
    }
    made.sort_by(|a, b| a.key.cmp(&b.key));
    events.sort_by_key(|event| event.at);
    (made, events)
}

fn judging(criterion: &mut Criterion) {
    let config = config("");
    let (whole, last) = four_weeks();
    let mut group = criterion.benchmark_group("judge");
    group.sample_size(10);
    for (name, history, period, step) in
        [("14d_5min", last, Window::new(last.start + 7 * DAY, last.end), 5 * MINUTE), ("28d_1min", whole, last, MINUTE)]
    {
        let (made, events) = world(history, period, step);
        let context = Context { config: &config, period, history };
        let points = made.iter().map(|series| series.times.len()).max().unwrap_or(0);
        group.throughput(Throughput::Elements(made.len() as u64));
        group.bench_function(BenchmarkId::new(name, points), |bencher| {
            bencher.iter(|| {
                let part = judge_shard(Shard { series: black_box(&made), events: &events, context });
                black_box(merge(vec![part], &events, &context))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, judging);
criterion_main!(benches);
