//! The source `newrelic` against a server that speaks NerdGraph: what is good, what is cut, what is broken.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::servers::nerdgraph::{self, Asked, Before, KEY, NerdGraph, answered, refusal};
use crate::support::servers::nrql;
use crate::support::servers::with_causes;
use crate::support::servers::world::World;
use async_trait::async_trait;

use fortnight::model::event::{EventKind, Origin};
use fortnight::model::metric::SeriesKey;
use fortnight::model::secret::Secret;
use fortnight::model::time::{DAY, HOUR, MINUTE, Window};
use fortnight::source::SeriesBatch;
use fortnight::source::http::{Limits, Sleep};
use fortnight::source::newrelic::nrql::Filling;
use fortnight::source::newrelic::query::Purpose;
use fortnight::source::newrelic::query_files;
use fortnight::source::newrelic::{Account, NewRelicSettings};
use fortnight::source::{Checked, Estimated, EventSource, SeriesSource, SourceHealth};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

/// 2026-11-22T00:00:00Z, the day before the world's now.
const YESTERDAY: i64 = 1_795_392_000_000 - DAY;

/// Notes waits instead of waiting.
#[derive(Default)]
struct Noted(Mutex<Vec<Duration>>);

#[async_trait]
impl Sleep for Noted {
    async fn sleep(&self, wait: Duration) {
        self.0.lock().expect("one test").push(wait);
    }
}

struct Bench {
    server: NerdGraph,
    account: Account,
    noted: Arc<Noted>,
}

impl Bench {
    async fn new(world: World, step_ms: i64, before: Before) -> Self {
        Self::with_key(world, step_ms, before, KEY).await
    }

    async fn with_key(world: World, step_ms: i64, before: Before, key: &str) -> Self {
        let server = NerdGraph::start_with(world, before).await;
        let settings = NewRelicSettings {
            account: "1".into(),
            endpoint: server.endpoint(),
            key_env: "NEW_RELIC_API_KEY".into(),
            applications: vec!["app-*".into(), "otel-*".into()],
            step_ms,
            queries: None,
        };
        let key = Secret::checked(key, "NEW_RELIC_API_KEY").expect("a key");
        let limits = Limits { one_try: Duration::from_millis(2_000), ..Limits::default() };
        let noted = Arc::new(Noted::default());
        let account = Account::open("newrelic", &settings, key, limits, noted.clone()).expect("opened");
        Self { server, account, noted }
    }

    async fn plain() -> Self {
        Self::new(World::default(), 5 * MINUTE, Box::new(|_| None)).await
    }

    async fn series(&self, window: Window) -> SeriesBatch {
        self.account.series(window).await.unwrap_or_else(|error| panic!("{}", with_causes(&error)))
    }
}

fn day() -> Window {
    Window::new(YESTERDAY, YESTERDAY + DAY)
}

fn hours(count: i64) -> Window {
    Window::new(YESTERDAY, YESTERDAY + count * HOUR)
}

/// Points by series, bit by bit: gaps are equal to gaps.
fn points(intakes: &[SeriesBatch]) -> BTreeMap<SeriesKey, Vec<(i64, u64)>> {
    let mut points: BTreeMap<SeriesKey, Vec<(i64, u64)>> = BTreeMap::new();
    for series in intakes.iter().flat_map(|intake| &intake.series) {
        let bits = series.values.iter().map(|value| value.to_bits());
        points.entry(series.key.clone()).or_default().extend(series.times.iter().copied().zip(bits));
    }
    points
}

#[test]
fn documents_are_in_the_vendors_schema() {
    let schema = nerdgraph::schema();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/queries/newrelic");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.extension().is_some_and(|extension| extension == "graphql") {
            let text = std::fs::read_to_string(&path).expect("text");
            let outcome = apollo_compiler::ExecutableDocument::parse_and_validate(&schema, &text, &path);
            assert!(outcome.is_ok(), "{}: {}", path.display(), outcome.expect_err("invalid").errors);
            assert!(!text.contains("apiKey"), "the answer would hold the key");
            count += 1;
        }
    }
    assert_eq!(count, 6);
}

#[test]
fn queries_are_in_the_grammar() {
    let names = ["it's".to_owned(), "back\\slash' OR 1 = 1 --".to_owned(), "日本 {since}".to_owned()];
    for query in query_files::load(None).expect("queries") {
        let steps =
            if query.purpose == Purpose::Series { vec![Some(HOUR), Some(5 * MINUTE), None] } else { vec![None] };
        for step_ms in steps {
            let narrow = "(`name` IS NULL OR (`name` NOT LIKE 'a\\'%')) AND `name` LIKE 'b%'";
            let text = query.fill(&Filling { window: day(), step_ms, applications: &names, narrow });
            let read = nrql::parse(&text).unwrap_or_else(|error| panic!("{}: {error}: {text}", query.id));
            assert_eq!((read.since, read.until, read.step), (day().start, day().end, step_ms), "{text}");
            assert!(!format!("{:?}", read.condition).contains("OR 1 = 1\"") || text.contains("\\' OR 1"), "{text}");
            for signal in &query.signals {
                assert!(read.select.iter().any(|column| column.alias == signal.column), "{}: {signal:?}", query.id);
            }
            assert!(read.facets.contains(&query.service), "{}: the service is a facet", query.id);
        }
    }
}

#[tokio::test]
async fn a_day_comes_whole_in_base_units() {
    let bench = Bench::plain().await;
    let intake = bench.series(day()).await;
    assert!(intake.diagnostics.is_empty(), "{:?}", intake.diagnostics);
    for series in &intake.series {
        let key = &series.key;
        let step = if key.target.starts_with("SELECT") { HOUR } else { 5 * MINUTE };
        let times: Vec<i64> = (0..DAY / step).map(|k| YESTERDAY + k * step).collect();
        assert_eq!(series.times, times, "{key}: every bucket once, in order");
        assert!(series.values.iter().all(|value| !value.is_infinite()));
        let known = series.values.iter().filter(|value| !value.is_nan()).count();
        assert!(known * 10 > times.len() * 9, "{key}: {known} of {}", times.len());
    }
    assert!(intake.series.windows(2).all(|pair| pair[0].key < pair[1].key), "sorted, each once");
    let find = |service: &str, target: &str, signal: &str| {
        let fits = |key: &SeriesKey| (&*key.service, &*key.target, &*key.signal) == (service, target, signal);
        let found = intake.series.iter().find(|series| fits(&series.key));
        found.unwrap_or_else(|| panic!("no {service} {target} {signal}"))
    };
    let operation = "WebTransaction/Go/GET /v0/thing-1";
    for (service, target, signal, low, high) in [
        ("app-0", "*", "latency_p95", 0.02, 0.4),
        ("app-0", "*", "throughput", 1.0, 60.0),
        ("app-0", operation, "latency_mean", 0.05, 0.2),
        ("app-0", operation, "error_rate", 0.0, 0.01),
        ("app-1", "Postgres select table_2", "db_time", 0.01, 0.1),
        ("app-1", "Postgres select table_2", "db_calls", 0.0, 20.0),
        ("app-2", "external:pay.example", "external_time", 0.05, 0.2),
        ("app-2", "host:host-2", "cpu_utilization", 0.2, 0.8),
        ("app-2", "SELECT * FROM table_2 WHERE id = ?", "latency_p95", 0.001, 0.1),
        ("otel-0", "*", "latency_p99", 0.01, 0.4),
        ("otel-0", "GET /otel/0/1/{id}", "throughput", 0.0, 20.0),
        ("otel-0", "postgresql SELECT t1", "db_time", 0.001, 0.1),
    ] {
        let values = &find(service, target, signal).values;
        let known: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        assert!(known.iter().all(|value| (low..=high).contains(value)), "{service} {target} {signal}: {known:?}");
    }
    // The world leaves gaps in percentiles and fills the counts of the same buckets with 0.
    let gaps = |signal: &str| find("app-0", operation, signal).values.iter().filter(|value| value.is_nan()).count();
    assert_eq!(gaps("latency_p95"), gaps("latency_mean"));
    assert!(!intake.series.iter().any(|series| series.key.service.starts_with("shared")), "not asked for");
}

#[tokio::test]
async fn parts_of_a_day_are_the_same_as_the_day() {
    let bench = Bench::plain().await;
    let whole = points(&[bench.series(hours(12)).await]);
    let first = bench.series(hours(6)).await;
    let second = bench.series(Window::new(YESTERDAY + 6 * HOUR, YESTERDAY + 12 * HOUR)).await;
    assert_eq!(points(&[first, second]), whole);
}

/// Answers with at most `most` rows, and says so in the way of `fault`.
fn cutting(world: World, most: usize, fault: fn(&nrql::Nrql, Vec<Value>) -> ResponseTemplate) -> Before {
    Box::new(move |asked: &Asked| {
        let query = asked.nrql.as_ref()?;
        let rows = world.rows(query);
        (rows.len() > most).then(|| fault(query, rows.into_iter().take(most).map(Value::Object).collect()))
    })
}

#[tokio::test]
async fn a_cut_answer_is_asked_again_in_smaller_pieces() {
    let whole = points(&[Bench::plain().await.series(hours(3)).await]);
    type Fault = fn(&nrql::Nrql, Vec<Value>) -> ResponseTemplate;
    let faults: [(&str, Fault); 4] = [
        ("a message", |query, rows| answered(json!(rows), query, &["Results were LIMITED to 40 rows"])),
        ("a time-out", |_, _| refusal("NRDB query timed out", "TIMEOUT")),
        ("another window", |query, rows| {
            let other = nrql::Nrql { since: query.since + 1, ..query.clone() };
            answered(json!(rows), &other, &[])
        }),
        ("another width", |query, mut rows| {
            for row in &mut rows {
                row["endTimeSeconds"] = json!(row["beginTimeSeconds"].as_i64().unwrap_or(0) + 7_200);
            }
            answered(json!(rows), query, &[])
        }),
    ];
    for (name, fault) in faults {
        let bench = Bench::new(World::default(), 5 * MINUTE, cutting(World::default(), 40, fault)).await;
        assert_eq!(points(&[bench.series(hours(3)).await]), whole, "{name}");
    }
    // A first bucket that is cut: the server leaves it out in answers of more than a few buckets.
    let world = World::default();
    let partial: Before = Box::new(move |asked| {
        let query =
            asked.nrql.as_ref().filter(|query| query.step.is_some_and(|s| query.until - query.since > 4 * s))?;
        let rows: Vec<_> = world.rows(query).into_iter().map(Value::Object).collect();
        let rows: Vec<_> =
            rows.into_iter().filter(|row| row["beginTimeSeconds"] != json!(query.since / 1000)).collect();
        Some(answered(json!(rows), query, &[]))
    });
    let bench = Bench::new(World::default(), 5 * MINUTE, partial).await;
    assert_eq!(points(&[bench.series(hours(1)).await]), points(&[Bench::plain().await.series(hours(1)).await]));
}

#[tokio::test]
async fn more_facets_than_rows_are_split_by_their_names() {
    let world = World { applications: 1, transactions: 5_200, otel: 0, ..World::default() };
    let bench = Bench::new(world, 60 * MINUTE, Box::new(|_| None)).await;
    let intake = bench.series(hours(1)).await;
    let count = |signal: &str| {
        let fits = |key: &SeriesKey| &*key.signal == signal && &*key.target != "*" && !key.target.starts_with("SELECT");
        intake.series.iter().filter(|series| fits(&series.key)).count()
    };
    // Some have a gap in their only bucket.
    for signal in ["latency_p95", "latency_mean", "db_time"] {
        assert!((5_100..=5_200).contains(&count(signal)), "{signal}: {}", count(signal));
    }
    let narrowed = bench.server.asked().iter().filter(|asked| asked.variables.to_string().contains("LIKE")).count();
    assert!(narrowed > 0);
}

#[tokio::test]
async fn what_stays_cut_is_an_error() {
    let always: Before = Box::new(|asked| {
        let query = asked.nrql.as_ref().filter(|query| query.from == ["SystemSample"])?;
        Some(answered(json!([]), query, &["limit reached"]))
    });
    let bench = Bench::new(World::default(), 5 * MINUTE, always).await;
    let error = bench.account.series(hours(1)).await.expect_err("never whole");
    assert_eq!(
        with_causes(&error),
        "source `newrelic`, account 1: hosts: the answer is cut (limit reached), and what was asked cannot be made smaller"
    );
    assert!(error.help().is_some());
}

#[tokio::test]
async fn old_days_are_asked_by_the_hour_whatever_part_is_asked() {
    let bench = Bench::plain().await;
    for (age, step) in [(1, 5 * MINUTE), (7, 5 * MINUTE), (8, HOUR), (20, HOUR)] {
        let start = YESTERDAY + DAY - age * DAY;
        for window in [Window::new(start, start + HOUR), Window::new(start + 23 * HOUR, start + 24 * HOUR)] {
            let intake = bench.series(window).await;
            let series = intake.series.iter().find(|series| &*series.key.signal == "throughput").expect("traffic");
            assert_eq!(series.times.len() as i64, HOUR / step, "{age} days old");
        }
    }
}

/// Puts a fault in the place of the answer to one query, as often as told.
fn once_faulty(
    times: usize,
    fault: impl Fn(&nrql::Nrql, Vec<Value>) -> ResponseTemplate + Send + Sync + 'static,
) -> Before {
    let world = World::default();
    let count = AtomicUsize::new(0);
    Box::new(move |asked| {
        let is_it =
            |query: &&nrql::Nrql| query.from == ["Transaction"] && query.facets.len() == 1 && query.step.is_some();
        let query = asked.nrql.as_ref().filter(is_it)?;
        let is_due = count.fetch_add(1, Ordering::SeqCst) < times;
        is_due.then(|| fault(query, world.rows(query).into_iter().map(Value::Object).collect()))
    })
}

type Fault = fn(&nrql::Nrql, Vec<Value>) -> ResponseTemplate;

fn with(query: &nrql::Nrql, mut rows: Vec<Value>, change: impl Fn(&mut Value)) -> ResponseTemplate {
    change(&mut rows[1]);
    answered(json!(rows), query, &[])
}

#[tokio::test]
async fn what_is_broken_is_told() {
    const FOR_EVER: usize = usize::MAX;
    let cases: [(&str, Fault, &str); 17] = [
        (
            "an error inside a 200",
            |_, _| refusal("NRQL Syntax Error: no", "BAD_REQUEST"),
            "apm_services: NerdGraph refuses (BAD_REQUEST): NRQL Syntax Error: no",
        ),
        (
            "an error beside data",
            |query, rows| {
                let body = json!({"errors": [{"message": "half \u{1b}[2J of it", "path": ["actor", 0], "extensions": {"errorClass": "SERVER_ERROR"}}],
                "data": {"actor": {"account": {"nrql": {"results": rows, "metadata": {"messages": [], "timeWindow": {"begin": query.since, "end": query.until}}}}}}});
                ResponseTemplate::new(200).set_body_json(body)
            },
            "apm_services: NerdGraph refuses (SERVER_ERROR): half \\u{1b}[2J of it",
        ),
        (
            "limited inside a 200",
            |_, _| refusal("slow down", "TOO_MANY_REQUESTS"),
            "apm_services: NerdGraph refuses (TOO_MANY_REQUESTS): slow down",
        ),
        (
            "limited",
            |_, _| ResponseTemplate::new(429).set_body_string("slow down"),
            "NerdGraph gives no answer: HTTP status 429 after 5 tries: slow down",
        ),
        (
            "limited for long",
            |_, _| ResponseTemplate::new(429).insert_header("retry-after", "86400"),
            "NerdGraph gives no answer: HTTP status 429: the server asks to wait 86400 s, which is longer than is left of the budget",
        ),
        (
            "broken server",
            |_, _| ResponseTemplate::new(503).set_body_string("down"),
            "NerdGraph gives no answer: HTTP status 503 after 5 tries: down",
        ),
        (
            "a proxy's page",
            |_, _| ResponseTemplate::new(200).set_body_string("<html>log in"),
            "NerdGraph gives no answer: the answer is not JSON; it begins with: <html>log in",
        ),
        (
            "cut off",
            |_, _| ResponseTemplate::new(200).set_body_string("{\"data\":{\"actor\":"),
            "NerdGraph gives no answer: the answer stops in the middle, at byte 17, after 5 tries",
        ),
        (
            "no such address",
            |_, _| ResponseTemplate::new(404).set_body_string("nothing here"),
            "NerdGraph gives no answer: HTTP status 404 after 1 try: nothing here",
        ),
        (
            "bad key",
            |_, _| ResponseTemplate::new(401).set_body_string(format!("bad {KEY}")),
            "the key in `NEW_RELIC_API_KEY` is not accepted: bad [secret]",
        ),
        (
            "neither data nor errors",
            |_, _| ResponseTemplate::new(200).set_body_json(json!({"data": null})),
            "apm_services: the answer has neither data nor errors",
        ),
        ("no results", |query, _| answered(json!(null), query, &[]), "apm_services: `results` is no list"),
        (
            "text for a number",
            |query, rows| with(query, rows, |row| row["p"]["95"] = json!("fast")),
            "apm_services: row 2: `p` is \"fast\", not a number",
        ),
        (
            "number for an object",
            |query, rows| with(query, rows, |row| row["p"] = json!(3)),
            "apm_services: row 2: `p` is 3, not an object of percentiles",
        ),
        (
            "no such percentile",
            |query, rows| with(query, rows, |row| row["p"] = json!({"50": 1, "95.0": 1})),
            "apm_services: row 2: `p` has no percentile 99",
        ),
        (
            "no time",
            |query, rows| with(query, rows, |row| row["beginTimeSeconds"] = json!("noon")),
            "apm_services: row 2: `beginTimeSeconds` is \"noon\", not whole seconds",
        ),
        (
            "no facet",
            |query, rows| {
                with(query, rows, |row| {
                    row.as_object_mut().expect("row").remove("appName");
                })
            },
            "apm_services: row 2: `appName` is missing",
        ),
    ];
    for (name, fault, message) in cases {
        let bench = Bench::new(World::default(), 5 * MINUTE, once_faulty(FOR_EVER, fault)).await;
        let error = bench.account.series(hours(1)).await.expect_err(name);
        assert_eq!(with_causes(&error), format!("source `newrelic`, account 1: {message}"), "{name}");
        assert!(!format!("{error:?} {:?}", error.help()).contains(KEY), "{name}");
    }
}

#[tokio::test]
async fn what_passes_is_asked_again() {
    let whole = points(&[Bench::plain().await.series(hours(1)).await]);
    let cases: [(&str, Fault); 6] = [
        ("limited", |_, _| ResponseTemplate::new(429)),
        ("limited for a while", |_, _| ResponseTemplate::new(429).insert_header("retry-after", "7")),
        ("broken server", |_, _| ResponseTemplate::new(500)),
        ("limited inside a 200", |_, _| refusal("slow down", "TOO_MANY_REQUESTS")),
        ("cut off", |_, _| ResponseTemplate::new(200).set_body_string("{\"data\":")),
        ("slow", |query, rows| answered(json!(rows), query, &[]).set_delay(Duration::from_secs(30))),
    ];
    for (name, fault) in cases {
        let bench = Bench::new(World::default(), 5 * MINUTE, once_faulty(2, fault)).await;
        assert_eq!(points(&[bench.series(hours(1)).await]), whole, "{name}");
        assert_eq!(bench.noted.0.lock().expect("waits").len(), 2, "{name}");
        if name == "limited for a while" {
            assert_eq!(*bench.noted.0.lock().expect("waits"), [Duration::from_secs(7); 2]);
        }
    }
}

#[tokio::test]
async fn nothing_is_nothing_and_null_is_a_gap() {
    let bench = Bench::new(
        World::default(),
        5 * MINUTE,
        Box::new(|asked| {
            let query = asked.nrql.as_ref()?;
            Some(answered(json!([]), query, &[]))
        }),
    )
    .await;
    assert_eq!(bench.series(hours(1)).await, SeriesBatch::default());

    let nulls =
        once_faulty(1, |query, rows| with(query, rows, |row| row["p"] = json!({"50": null, "95": 0.25, "99": null})));
    let bench = Bench::new(World::default(), 5 * MINUTE, nulls).await;
    let intake = bench.series(hours(1)).await;
    let value = |signal: &str| {
        let fits = |key: &SeriesKey| &*key.service == "app-0" && &*key.target == "*" && &*key.signal == signal;
        intake.series.iter().find(|series| fits(&series.key)).expect("there").values[1]
    };
    assert!(value("latency_p50").is_nan() && value("latency_p99").is_nan());
    assert!((value("latency_p95") - 0.25).abs() < 1e-12);
}

#[tokio::test]
async fn a_count_of_zero_while_nothing_reports_is_a_gap() {
    let world = World { applications: 1, transactions: 1, otel: 0, ..World::default() };
    let silent = YESTERDAY / 1000 + 600;
    let inner = world.clone();
    let bench = Bench::new(
        world,
        5 * MINUTE,
        Box::new(move |asked| {
            let query = asked.nrql.as_ref()?;
            let mut rows: Vec<Value> = inner.rows(query).into_iter().map(Value::Object).collect();
            for row in rows.iter_mut().filter(|row| row["beginTimeSeconds"] == json!(silent)) {
                for (name, value) in row.as_object_mut().expect("row") {
                    match name.as_str() {
                        "requests" | "errors" | "calls" => *value = json!(0),
                        "p" => *value = json!({"50": null, "95": null, "99": null}),
                        "mean" | "cpu" | "memory" | "total" => *value = json!(null),
                        _ => {}
                    }
                }
            }
            Some(answered(json!(rows), query, &[]))
        }),
    )
    .await;
    let intake = bench.series(hours(1)).await;
    for series in intake.series.iter().filter(|series| series.times.len() == 12) {
        assert!(series.values[2].is_nan(), "{}: {}", series.key, series.values[2]);
    }
}

#[tokio::test]
async fn long_queries_are_polled_and_accounts_without_the_option_are_asked_plainly() {
    let whole = points(&[Bench::plain().await.series(hours(1)).await]);
    let world = World::default();
    let open: Mutex<BTreeMap<String, (nrql::Nrql, u32)>> = Mutex::default();
    let bench = Bench::new(world.clone(), 5 * MINUTE, Box::new(move |asked| {
        let progress = |id: &str, is_done: bool| json!({"queryId": id, "completed": is_done, "retryAfter": 3, "retryDeadline": 60});
        let mut open = open.lock().expect("queries");
        if let Some(query) = &asked.nrql {
            let id = format!("q{}", asked.number);
            open.insert(id.clone(), (query.clone(), 0));
            let body = json!({"results": null, "metadata": null, "queryProgress": progress(&id, false)});
            return Some(ResponseTemplate::new(200).set_body_json(json!({"data": {"actor": {"account": {"nrql": body}}}})));
        }
        let id = asked.variables["query"].as_str().filter(|_| asked.what == "progress")?;
        let (query, polls) = open.get_mut(id).expect("a query that was asked");
        *polls += 1;
        let rows = json!(world.rows(query));
        let window = json!({"begin": query.since, "end": query.until});
        let body = match polls {
            1 => json!({"results": null, "metadata": null, "queryProgress": progress(id, false)}),
            _ => json!({"results": rows, "metadata": {"facets": [], "messages": [], "timeWindow": window}, "queryProgress": progress(id, true)}),
        };
        Some(ResponseTemplate::new(200).set_body_json(json!({"data": {"actor": {"account": {"nrqlQueryProgress": body}}}})))
    })).await;
    assert_eq!(points(&[bench.series(hours(1)).await]), whole);
    assert!(bench.noted.0.lock().expect("waits").iter().all(|wait| *wait == Duration::from_secs(3)));

    let plainly: Before = Box::new(|asked| {
        let is_async = asked.variables["async"] == json!(true);
        is_async.then(|| refusal("Async queries need Data Plus", "BAD_REQUEST"))
    });
    let bench = Bench::new(World::default(), 5 * MINUTE, plainly).await;
    assert_eq!(points(&[bench.series(hours(1)).await]), whole);
}

#[tokio::test]
async fn deploys_are_marked_or_inferred_each_once() {
    let world = World::default();
    let expected = world.deploys(YESTERDAY - 9 * DAY, YESTERDAY + DAY);
    let bench = Bench::plain().await;
    let mut found = Vec::new();
    for day in -9..=0 {
        let start = YESTERDAY + day * DAY;
        let events = bench.account.events(Window::new(start, start + DAY)).await.expect("events");
        assert!(events.diagnostics.is_empty());
        assert!(events.events.iter().all(|event| start <= event.at && event.at < start + DAY));
        found.extend(events.events);
    }
    let marks: Vec<_> = found.iter().map(|event| (event.service.as_str(), event.at, event.revision.as_str())).collect();
    let all: Vec<_> =
        expected.iter().map(|deploy| (deploy.service.as_str(), deploy.at, deploy.version.as_str())).collect();
    assert_eq!(marks, all);
    for event in &found {
        assert_eq!(event.is_inferred(), event.service.starts_with("otel"), "{event:?}");
        assert_eq!(event.kind, EventKind::Deploy);
        let tracked = Origin::Tracked("newrelic".into());
        assert_eq!(event.origin == tracked, !event.is_inferred(), "nobody reported it: {event:?}");
    }
    let again = bench.account.events(Window::new(YESTERDAY - 9 * DAY, YESTERDAY + DAY)).await.expect("events");
    let marked = |events: &[fortnight::model::event::Event]| -> Vec<String> {
        events.iter().filter(|event| !event.is_inferred()).map(|event| event.id.clone()).collect()
    };
    assert_eq!(marked(&again.events), marked(&found), "ids are the same however often asked");
}

#[tokio::test]
async fn a_full_answer_of_changes_is_asked_again_in_halves() {
    // One change a minute for a day: 1,440, where 1,000 are given at most, the newest first.
    let bench = Bench::new(World::default(), 5 * MINUTE, Box::new(|asked| {
        let number = |name: &str| asked.variables[name].as_i64().expect("a number");
        if asked.what != "changes" {
            return None;
        }
        let (start, end) = (number("start").max(YESTERDAY), number("end").min(YESTERDAY + DAY));
        let minutes = ((start + MINUTE - 1) / MINUTE)..((end + MINUTE - 1) / MINUTE).max(0);
        let events: Vec<Value> = minutes.rev().take(number("limit") as usize).map(|minute| {
            json!({"changeTrackingId": minute.to_string(), "category": "Feature Flag", "type": "Basic", "timestamp": minute * MINUTE,
                "entity": {"guid": "GUID-APM-0"}, "featureFlagId": format!("flag-{minute}"), "description": "x\ny"})
        }).collect();
        let data = json!({"actor": {"changeTracking": {"changeTrackingSearch": {"changeEvents": events}}}});
        Some(ResponseTemplate::new(200).set_body_json(json!({ "data": data })))
    })).await;
    let events = bench.account.events(day()).await.expect("events");
    let flags = events.events.iter().filter(|event| event.kind == EventKind::Flag).count();
    assert_eq!(flags, 1_440);
}

#[tokio::test]
async fn an_account_is_looked_at() {
    let bench = Bench::plain().await;
    let checks = bench.account.checks(World::default().now + MINUTE).await;
    let seen: Vec<_> = checks.iter().map(|check| (check.name.as_str(), check.health, check.found.as_str())).collect();
    assert_eq!(
        seen,
        [
            ("key", SourceHealth::Ok, "the key in `NEW_RELIC_API_KEY` is accepted"),
            ("clock", SourceHealth::Ok, "the clock here is 60 s ahead"),
            ("account", SourceHealth::Ok, "account 1 is `acct`"),
            ("retention", SourceHealth::Ok, "events are kept for 30 days"),
            ("applications", SourceHealth::Ok, "4 of 4 applications and services match `applications`"),
            ("markers", SourceHealth::Ok, "14 deploys marked in 14 days"),
            ("queries", SourceHealth::Ok, "12 of 12 gave series in the last hour"),
        ]
    );
    let world = World { otel: 0, ..World::default() };
    let checks = Bench::new(world.clone(), HOUR, Box::new(|_| None)).await.account.checks(world.now).await;
    let queries = checks.iter().find(|check| check.name == "queries").expect("there");
    assert!(queries.found.contains("nothing came of otel_services"), "{queries:?}");
    assert_eq!(queries.health, SourceHealth::Ok, "most accounts have no OpenTelemetry");
    let bench = Bench::with_key(World::default(), HOUR, Box::new(|_| None), "NRAK-WRONG").await;
    let checks = bench.account.checks(0).await;
    assert_eq!((checks.len(), checks[0].health), (1, SourceHealth::Fail));
    assert!(checks[0].found.starts_with("the key in `NEW_RELIC_API_KEY` is not accepted"), "{}", checks[0].found);
    assert!(checks[0].help[0].contains("NRAK"), "says what a key looks like");
}

#[tokio::test]
async fn an_estimate_is_what_collecting_then_takes() {
    let bench = Bench::plain().await;
    let estimate = bench.account.estimate(day()).await.expect("estimate");
    let before = bench.server.asked().len();
    let intake = bench.series(day()).await;
    let _ = bench.account.events(day()).await.expect("events");
    let taken = (bench.server.asked().len() - before) as u64;
    assert!(estimate.requests.abs_diff(taken) <= 3, "{} estimated, {taken} taken", estimate.requests);
    assert!(
        estimate.series.abs_diff(intake.series.len() as u64) <= 10,
        "{} and {}",
        estimate.series,
        intake.series.len()
    );
    for text in &estimate.asks {
        assert!(nrql::parse(text).is_ok(), "{text}");
    }
}

#[tokio::test]
async fn an_estimate_of_twenty_days_holds_too() {
    let bench = Bench::plain().await;
    let window = Window::new(YESTERDAY - 19 * DAY, YESTERDAY + DAY);
    let estimate = bench.account.estimate(window).await.expect("estimate");
    let before = bench.server.asked().len();
    for start in (window.start..window.end).step_by(DAY as usize) {
        bench.series(Window::new(start, start + DAY)).await;
    }
    let _ = bench.account.events(window).await.expect("events");
    let taken = (bench.server.asked().len() - before) as u64;
    assert!(estimate.requests.abs_diff(taken) * 10 <= taken, "{} estimated, {taken} taken", estimate.requests);
}

/// Keeps all that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_key_is_in_no_log_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let faults: [Fault; 3] = [
        |_, _| ResponseTemplate::new(429),
        |query, rows| answered(json!(rows), query, &["limit"]),
        |_, _| ResponseTemplate::new(401).set_body_string(KEY),
    ];
    for fault in faults {
        let bench = Bench::new(World::default(), 5 * MINUTE, once_faulty(2, fault)).await;
        let outcome = bench.account.series(hours(1)).await;
        if let Err(error) = &outcome {
            tracing::error!(?error, help = ?error.help(), "{}", with_causes(error));
        }
        let _ = bench.account.events(day()).await;
    }
    let text = String::from_utf8(log.0.lock().expect("log").clone()).expect("text");
    assert!(text.contains("asked again"), "the log is on: {text}");
    assert!(!text.contains(KEY) && !text.contains("CANARY"), "the key is in the log");
}
