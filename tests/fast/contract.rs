//! What every kind of source owes, looped over the list of them: a kind that nothing here plays fails at once.

use std::any::Any;
use std::path::Path;

use crate::support::servers::cloudwatch::CloudWatch;
use crate::support::servers::nerdgraph::{KEY, NerdGraph};
use crate::support::servers::raw::Raw;
use crate::support::servers::world::World;
use crate::support::servers::{NOW, TODAY, process, with_causes};
use fortnight::config::Config;
use fortnight::format::Reader;
use fortnight::model::clock::Clock;
use fortnight::model::metric::Series;
use fortnight::model::time::{DAY, MINUTE, Window};
use fortnight::source::CollectedSource;
use fortnight::source::descriptor::Reading;
use fortnight::source::registry;
use fortnight::source::{RecordedSeries, SOURCES, SeriesBatch, SourceError};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// What is planted in the environment and may be seen nowhere.
const PLANTED: [(&str, &str); 3] = [
    ("NEW_RELIC_API_KEY", KEY),
    ("AWS_ACCESS_KEY_ID", "AKIACANARYACCESSKEY0"),
    ("AWS_SECRET_ACCESS_KEY", "canary-secret-access-key"),
];

/// Runs a test's body in a process that has the keys, and searches all that it said for them.
fn with_keys(name: &str, body: impl AsyncFnOnce()) {
    if let Some(said) = process::run(module_path!(), name, &PLANTED, body) {
        no_secret(&said);
    }
}

fn no_secret(text: &str) {
    for (name, secret) in PLANTED {
        assert!(!text.contains(secret), "{name} is seen in: {text}");
    }
}

/// The kinds that are asked over the network; an experimental one has no docs yet, and nothing that plays it.
fn asked() -> impl Iterator<Item = &'static str> {
    let asked = SOURCES.iter().filter(|kind| kind.reading == Reading::Collected && kind.docs.is_some());
    asked.map(|kind| kind.kind)
}

fn config(kind: &str, url: &str) -> Config {
    let more = match kind {
        "newrelic" => "account = \"1\"\n",
        "cloudwatch" => "account = \"cards\"\nregions = [\"eu-west-1\"]\n",
        other => panic!("nothing here plays the source `{other}`"),
    };
    let text = format!("[[source]]\nkind = \"{kind}\"\nendpoint = \"{url}\"\n{more}");
    Config::parse(&text, Path::new("fortnight.toml")).expect("valid")
}

fn open(kind: &str, url: &str) -> CollectedSource {
    let config = config(kind, url);
    registry::open(&config, &config.sources[0], Clock::Fixed(NOW)).expect("opens").expect("is asked over the network")
}

/// Starts what plays a kind well: what keeps it alive, and where it listens.
async fn played(kind: &str) -> (Box<dyn Any>, String) {
    match kind {
        "newrelic" => {
            let server =
                NerdGraph::start(World { applications: 1, transactions: 2, now: NOW, ..World::default() }).await;
            let url = server.endpoint();
            (Box::new(server), url)
        }
        "cloudwatch" => {
            let of = |name: &str| format!("AWS/ApplicationELB {name} LoadBalancer=app/web/50dc6c495c0c9188");
            let metrics = [of("RequestCount"), of("TargetResponseTime"), of("HTTPCode_Target_5XX_Count")];
            let server = CloudWatch::start(&metrics.each_ref().map(String::as_str)).await;
            let url = server.server.uri();
            (Box::new(server), url)
        }
        other => panic!("nothing here plays the source `{other}`"),
    }
}

fn yesterday() -> Window {
    Window::new(TODAY - DAY, TODAY)
}

/// Tells an error as users see it.
fn told(error: &SourceError) -> String {
    let text = format!("{}\nhelp: {}", with_causes(error), error.help().unwrap_or_default());
    no_secret(&text);
    no_secret(&format!("{error:?}"));
    text
}

/// Holds what a source gave against what the trait promises.
fn keeps_its_word(kind: &str, intake: &SeriesBatch, window: Window) {
    assert!(!intake.series.is_empty(), "{kind}");
    assert!(intake.series.windows(2).all(|pair| pair[0].key < pair[1].key), "{kind}: sorted, each key once");
    for Series { key, unit, times, values } in &intake.series {
        assert_eq!(times.len(), values.len(), "{kind}: {key}");
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{kind}: {key}: times are sorted, each once");
        assert!(times.iter().all(|time| window.contains(*time)), "{kind}: {key}: inside the window");
        assert!(!values.iter().any(|value| value.is_infinite()), "{kind}: {key}");
        let (least, most) = match &*key.signal {
            // The one server's requests take milliseconds; the other's numbers are of no particular size.
            signal if signal.starts_with("latency_") => (0.0, if kind == "newrelic" { 60.0 } else { f64::MAX }),
            "error_rate" | "cpu_utilization" | "memory_utilization" => (0.0, 1.0),
            _ => (0.0, f64::MAX),
        };
        let known = values.iter().filter(|value| !value.is_nan());
        assert!(known.clone().all(|value| (least..=most).contains(value)), "{kind}: {key} in {unit:?}: {values:?}");
    }
}

#[test]
fn what_a_source_gives_is_sorted_each_once_in_base_units_and_gaps_stay_gaps() {
    with_keys("what_a_source_gives_is_sorted_each_once_in_base_units_and_gaps_stay_gaps", async || {
        for kind in asked() {
            let (_server, url) = played(kind).await;
            let (source, window) = (open(kind, &url), yesterday());
            let intake = source.series(window).await.unwrap_or_else(|error| panic!("{kind}: {}", told(&error)));
            keeps_its_word(kind, &intake, window);
            // Both servers are silent now and then; a latency of such a bucket is neither 0 nor what its neighbours were.
            let latency: Vec<&Series> =
                intake.series.iter().filter(|series| series.key.signal.starts_with("latency_")).collect();
            assert!(!latency.is_empty(), "{kind}");
            let buckets = (DAY / (5 * MINUTE)) as usize;
            let known = |series: &Series| series.values.iter().filter(|value| !value.is_nan()).count();
            assert!(latency.iter().any(|series| known(series) < buckets), "{kind}: no gap in a day with gaps");
            assert!(latency.iter().all(|series| !series.values.contains(&0.0)), "{kind}: a gap became 0");
            // Asked again, the same; asked in parts, the same.
            assert_eq!(told_points(&[source.series(window).await.expect("again")]), told_points(&[intake]), "{kind}");
            assert!(source.retention_ms > 7 * DAY, "{kind}");
        }
    });
}

/// Points by series, bit by bit.
fn told_points(intakes: &[SeriesBatch]) -> Vec<String> {
    let of = |series: &Series| {
        let bits: Vec<u64> = series.values.iter().map(|value| value.to_bits()).collect();
        format!("{} {:?} {bits:?}", series.key, series.times)
    };
    intakes.iter().flat_map(|intake| intake.series.iter().map(of)).collect()
}

#[test]
fn what_passes_is_asked_again_and_what_does_not_is_not() {
    with_keys("what_passes_is_asked_again_and_what_does_not_is_not", async || {
        for kind in asked() {
            for (status, is_asked_again) in [
                ("429 Too Many Requests", true),
                ("503 Service Unavailable", true),
                ("401 Unauthorized", false),
                ("403 Forbidden", false),
            ] {
                let answer = format!(
                    "HTTP/1.1 {status}\r\nretry-after: 0\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
                );
                let raw = Raw::start(answer.into_bytes());
                let outcome = open(kind, &raw.url).series(yesterday()).await;
                let text = told(&outcome.expect_err("no answer is no day without data"));
                assert!(text.lines().any(|line| line.starts_with("help: ") && line.len() > 12), "{kind}: {text}");
                // Of what is asked side by side, each is tried five times at the most, by Amazon's client seven times.
                let (at_once, tries) = if kind == "cloudwatch" { (12, 7) } else { (1, 5) };
                let (least, most) = if is_asked_again { (2, tries * at_once) } else { (1, at_once) };
                assert!((least..=most).contains(&raw.count()), "{kind}: {status}: {} requests", raw.count());
            }
        }
    });
}

/// Random bytes that a source is answered with.
const ANSWERS: usize = 48;

#[test]
fn random_bytes_are_an_error_and_no_day_without_data() {
    with_keys("random_bytes_are_an_error_and_no_day_without_data", async || {
        let mut runner = TestRunner::deterministic();
        let noise = proptest::collection::vec(proptest::num::u8::ANY, 0..600);
        for kind in asked() {
            for _ in 0..ANSWERS {
                let body = noise.new_tree(&mut runner).expect("generated").current();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nsmithy-protocol: rpc-v2-cbor\r\n\
                     content-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let raw = Raw::start([head.as_bytes(), &body].concat());
                let outcome = open(kind, &raw.url).series(yesterday()).await;
                let text = told(&outcome.err().unwrap_or_else(|| panic!("{kind}: took {body:?} for an answer")));
                assert!(text.len() < 4_000, "{kind}: {} characters", text.len());
            }
        }
    });
}

#[test]
fn files_keep_the_same_word() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let start = 1_795_305_600_000;
    // Written backwards, with a hole of an hour.
    let rows: String = (0..288)
        .rev()
        .filter(|k| k / 12 != 5)
        .map(|k| format!("{},api,operation,GET /a,latency_p95,ms,{}\n", start + k * 5 * MINUTE, 100 + k % 7))
        .collect();
    std::fs::write(folder.path().join("series.csv"), format!("time,service,kind,target,signal,unit,value\n{rows}"))
        .expect("written");
    let text = "[[source]]\nkind = \"files\"\nseries = [\"series.csv\"]\n";
    let config = Config::parse(text, &folder.path().join("fortnight.toml")).expect("valid");
    assert!(
        registry::open(&config, &config.sources[0], Clock::Fixed(NOW)).expect("opens").is_none(),
        "read where it is"
    );
    let window = Window::new(start, start + DAY);
    let mut reader = Reader::new(u64::MAX);
    let mut recorded = RecordedSeries::decode(&config, window, &mut reader);
    assert_eq!(reader.plan(|key| key.service.clone()).expect("planned"), 1);
    let intake = SeriesBatch { series: recorded.take(&mut reader, 0), ..SeriesBatch::default() };
    assert_eq!(recorded.states(&reader)[0].failure(), None);
    keeps_its_word("files", &intake, window);
    let series = &intake.series[0];
    assert_eq!(series.times.len(), 276, "a hole stays one");
    assert!(series.values.iter().all(|value| (0.1..0.107).contains(value)), "milliseconds became seconds");
}
