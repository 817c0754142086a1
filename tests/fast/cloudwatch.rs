//! CloudWatch's answers, good and bad, against a local server that speaks the same protocol.
//!
//! Credentials come from the environment, as they do for users, so each test runs its body in a process of its own.

mod credentials;
mod open_days;
mod tags;

use std::path::Path;
use std::process::Command;

use crate::support::servers::cloudwatch::{
    CloudWatch, DataRequest, Part, Query, complete, fault, metric, page, page_with, value,
};
use crate::support::servers::raw::Raw;
use crate::support::servers::{NOW, TODAY, process, with_causes};
use fortnight::config::Config;
use fortnight::model::clock::Clock;
use fortnight::model::metric::Series;
use fortnight::model::time::{DAY, MINUTE, Window};
use fortnight::source::registry;
use fortnight::source::{CollectedSource, SourceCheck};
use fortnight::source::{SeriesBatch, SourceError};
use fortnight::store::Store;
use proptest::prelude::*;

/// Secrets that may be seen nowhere.
const CANARIES: [&str; 6] = [
    "AKIACANARYACCESSKEY0",
    "canary-secret-access-key",
    "canary-session-token",
    "canary-external-id",
    "canary-role-secret",
    "canary-role-token",
];

/// Runs a test's body in a process of its own that has credentials in its environment.
fn with_keys(name: &str, body: impl AsyncFnOnce()) {
    in_process(name, true, body);
}

fn in_process(name: &str, has_keys: bool, body: impl AsyncFnOnce()) {
    let keys = variables();
    let variables = if has_keys { &keys[..] } else { &keys[3..] };
    if let Some(said) = process::run(module_path!(), name, variables, body) {
        no_canary(&said);
    }
}

fn variables() -> [(&'static str, &'static str); 4] {
    [
        ("AWS_ACCESS_KEY_ID", CANARIES[0]),
        ("AWS_SECRET_ACCESS_KEY", CANARIES[1]),
        ("AWS_SESSION_TOKEN", CANARIES[2]),
        ("FORTNIGHT_TEST_EXTERNAL_ID", CANARIES[3]),
    ]
}

fn no_canary(text: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "{canary} is seen in: {text}");
    }
}

fn config(endpoint: &str, more: &str) -> Config {
    let regions = if more.contains("regions") { "" } else { "regions = [\"eu-west-1\"]\n" };
    let text = format!(
        "[[source]]\nid = \"aws\"\nkind = \"cloudwatch\"\naccount = \"card-data\"\nendpoint = \"{endpoint}\"\n{regions}{more}"
    );
    Config::parse(&text, Path::new("fortnight.toml")).expect("valid")
}

fn open(endpoint: &str, more: &str) -> CollectedSource {
    try_open(endpoint, more).expect("opens")
}

fn try_open(endpoint: &str, more: &str) -> Result<CollectedSource, SourceError> {
    let config = config(endpoint, more);
    registry::open(&config, &config.sources[0], Clock::Fixed(NOW)).map(|source| source.expect("no files"))
}

/// A whole UTC day, so many days ago.
fn day(ago: i64) -> Window {
    Window::new(TODAY - ago * DAY, TODAY - (ago - 1) * DAY)
}

/// Tells an error as users see it, and that nothing in it is secret.
fn told(error: &SourceError) -> String {
    let text = format!("{}\nhelp: {}", with_causes(error), error.help().unwrap_or_default());
    no_canary(&text);
    no_canary(&format!("{error:?}"));
    text
}

async fn failure(source: &CollectedSource) -> String {
    told(&source.series(day(1)).await.expect_err("fails"))
}

fn find<'a>(intake: &'a SeriesBatch, target: &str, signal: &str) -> &'a Series {
    let found = intake.series.iter().find(|series| &*series.key.target == target && &*series.key.signal == signal);
    found.unwrap_or_else(|| panic!("no {target} {signal} among {:?}", keys(intake)))
}

fn keys(intake: &SeriesBatch) -> Vec<String> {
    intake.series.iter().map(|series| format!("{} {}", series.key.target, series.key.signal)).collect()
}

const ALB: &str = "LoadBalancer=app/web/50dc6c495c0c9188";
const ECS: &str = "ClusterName=main,ServiceName=card-api";

fn alb(name: &str) -> String {
    format!("AWS/ApplicationELB {name} {ALB}")
}

fn ecs() -> Vec<String> {
    ["CPUUtilization", "MemoryUtilization"].map(|name| format!("AWS/ECS {name} {ECS}")).into()
}

async fn server(metrics: &[String]) -> CloudWatch {
    CloudWatch::start(&metrics.iter().map(String::as_str).collect::<Vec<_>>()).await
}

fn query(metric_text: &str, stat: &str) -> Query {
    Query { id: String::new(), metric: metric(metric_text), stat: stat.to_owned(), period_s: 300 }
}

#[test]
fn silence_of_a_counter_is_zero_beside_requests_and_silence_of_a_latency_is_a_gap() {
    with_keys("silence_of_a_counter_is_zero_beside_requests_and_silence_of_a_latency_is_a_gap", async || {
        // The counter of errors is not listed: nothing has failed for two weeks.
        let server = server(&[alb("RequestCount"), alb("TargetResponseTime")]).await;
        let window = day(1);
        let intake = open(&server.server.uri(), "").series(window).await.expect("answers");
        let times: Vec<i64> = (0..288).map(|k| window.start + k * 5 * MINUTE).collect();
        let at = |name: &str, stat: &str, time: i64| value(&query(&alb(name), stat), time / 1000);

        let traffic = find(&intake, "alb:web", "throughput");
        let wanted: Vec<(i64, f64)> =
            times.iter().filter_map(|time| Some((*time, at("RequestCount", "Sum", *time)? / 300.0))).collect();
        assert!(wanted.len() < 288, "there are gaps");
        assert_eq!(traffic.times, wanted.iter().map(|(time, _)| *time).collect::<Vec<_>>());
        assert!(traffic.values.iter().zip(&wanted).all(|(is, (_, wanted))| (is - wanted).abs() <= 1e-12 * wanted));

        let p95 = find(&intake, "alb:web", "latency_p95");
        let wanted: Vec<f64> = times.iter().filter_map(|time| at("TargetResponseTime", "p95", *time)).collect();
        assert_eq!(p95.values, wanted, "seconds stay seconds, and a gap stays a gap");

        let errors = find(&intake, "alb:web", "error_rate");
        for (time, share) in errors.times.iter().zip(&errors.values) {
            let failed = ["HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"]
                .map(|name| at(name, "Sum", *time).unwrap_or(0.0));
            let (failed, asked) = (failed[0] + failed[1], at("RequestCount", "Sum", *time).unwrap_or(0.0));
            assert!((share - failed / asked.max(failed)).abs() < 1e-12, "{share} at {time}");
        }
        assert!(errors.values.contains(&0.0) && errors.values.iter().any(|share| *share > 0.0));
        assert!(errors.times.len() >= traffic.times.len());
        assert_eq!(&*errors.key.service, "web");
    });
}

#[test]
fn only_the_exact_set_of_dimensions_counts_and_only_what_a_pattern_fits() {
    with_keys("only_the_exact_set_of_dimensions_counts_and_only_what_a_pattern_fits", async || {
        let zone = format!("AWS/ApplicationELB RequestCount AvailabilityZone=eu-west-1a,{ALB}");
        let other = "AWS/ECS CPUUtilization ClusterName=main,ServiceName=report-batch".to_owned();
        let whole = "AWS/ECS CPUUtilization ClusterName=main".to_owned();
        let server = server(&[alb("RequestCount"), zone, ecs()[0].clone(), other, whole]).await;
        server.set(|script| script.list_page = 1);
        let intake =
            open(&server.server.uri(), "resources = [\"WEB\", \"card-*\"]").series(day(1)).await.expect("answers");
        assert_eq!(keys(&intake), ["ecs:main/card-api cpu_utilization", "alb:web error_rate", "alb:web throughput"]);
        assert!(intake.series.iter().all(|series| series.times.windows(2).all(|pair| pair[0] < pair[1])));
    });
}

#[test]
fn batches_are_full_and_never_over_the_limit() {
    with_keys("batches_are_full_and_never_over_the_limit", async || {
        let many: Vec<String> =
            (0..800).map(|k| format!("AWS/ECS CPUUtilization ClusterName=main,ServiceName=svc-{k:03}")).collect();
        let server = server(&many).await;
        let source = open(&server.server.uri(), "step_minutes = 1");
        for (ago, period, sizes) in [(1, 60, vec![70; 11]), (20, 300, vec![350; 2]), (80, 3600, vec![500])] {
            server.set(|script| script.asked.clear());
            let intake = source.series(day(ago)).await.expect("answers");
            assert_eq!(intake.series.len(), 800);
            let mut asked: Vec<usize> = server.asked().iter().map(|request| request.queries.len()).collect();
            asked.sort_by(|a, b| b.cmp(a));
            let rest = 800 - sizes.iter().sum::<usize>();
            assert_eq!(asked, [sizes, vec![rest]].concat(), "{ago} days ago");
            for request in server.asked() {
                assert!(request.points() <= 100_800 && request.queries.len() <= 500);
                assert!(request.queries.iter().all(|query| query.period_s == period), "{ago} days ago");
                assert_eq!((request.start_s * 1000, request.end_s * 1000), (day(ago).start, day(ago).end));
                assert_eq!(request.scan_by, "TimestampAscending");
            }
        }
        let forgotten = told(&source.series(day(460)).await.expect_err("too old"));
        assert!(forgotten.contains("nothing is kept of"), "{forgotten}");
    });
}

/// Cuts an answer into pages: each part's points at the given places, parts in turn.
fn cut(request: &DataRequest, cuts: &[usize], newest_first: bool) -> Vec<Vec<Part>> {
    let mut pages: Vec<Vec<Part>> = vec![Vec::new(); cuts.len() + 1];
    for (number, mut part) in complete(request).into_iter().enumerate() {
        if newest_first {
            part.points.reverse();
        }
        let mut places: Vec<usize> = cuts.iter().map(|cut| (cut + number * 37) % (part.points.len() + 1)).collect();
        places.sort_unstable();
        places.push(part.points.len());
        let mut from = 0;
        for (page, to) in places.into_iter().enumerate() {
            let is_last = page == cuts.len();
            let status = if is_last { "Complete" } else { "PartialData" };
            let points = part.points[from..to].to_vec();
            from = to;
            // A page need not speak of every query, but its last one does.
            if !points.is_empty() || is_last || page % 2 == 0 {
                pages[page].push(Part { id: part.id.clone(), status, points });
            }
        }
    }
    pages
}

#[test]
fn any_split_into_pages_gives_the_same_series() {
    with_keys("any_split_into_pages_gives_the_same_series", async || {
        let server = server(&[ecs(), vec![alb("RequestCount"), alb("TargetResponseTime")]].concat()).await;
        let source = open(&server.server.uri(), "");
        let whole = source.series(day(1)).await.expect("answers");
        assert_eq!(whole.series.len(), 8);
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(60));
        let splits = (proptest::collection::vec(0_usize..289, 0..9), any::<bool>());
        let handle = tokio::runtime::Handle::current();
        let outcome = runner.run(&splits, |(cuts, newest_first)| {
            let pages = cuts.len() + 1;
            server.set(|script| script.asked.clear());
            server.answer(move |request, _| {
                let number: usize = request.token.as_ref().map_or(0, |token| token.parse().expect("our token"));
                let next = (number + 1 < pages).then(|| (number + 1).to_string());
                page(request, &cut(request, &cuts, newest_first)[number], next.as_deref())
            });
            let again = tokio::task::block_in_place(|| handle.block_on(source.series(day(1)))).expect("answers");
            prop_assert_eq!(&again.series, &whole.series);
            prop_assert_eq!(server.asked().len(), pages);
            Ok(())
        });
        outcome.expect("holds");
    });
}

#[test]
fn what_stays_partial_is_an_error_and_what_becomes_whole_is_none() {
    with_keys("what_stays_partial_is_an_error_and_what_becomes_whole_is_none", async || {
        let server = server(&ecs()).await;
        let source = open(&server.server.uri(), "");
        let whole = source.series(day(1)).await.expect("answers");
        let half = |request: &DataRequest, partial: &'static str| {
            let mut parts = complete(request);
            parts[0].status = partial;
            parts[0].points.truncate(7);
            parts
        };
        for status in ["PartialData", "InternalError"] {
            server.set(|script| script.asked.clear());
            server.answer(move |request, before| match before {
                0 => page(request, &half(request, status), None),
                _ => page(request, &complete(request), None),
            });
            assert_eq!(source.series(day(1)).await.expect("answers").series, whole.series, "{status} at first");
            let sizes: Vec<usize> = server.asked().iter().map(|request| request.queries.len()).collect();
            assert_eq!(sizes, [2, 1], "only what failed is asked again");

            server.set(|script| script.asked.clear());
            server.answer(move |request, _| page(request, &half(request, status), None));
            let error = failure(&source).await;
            let words = if status == "PartialData" {
                "only a part of the answer came"
            } else {
                "the service failed (InternalError)"
            };
            assert!(error.contains(words) && error.contains("4 times"), "{error}");
            assert!(
                error.contains("AWS/ECS CPUUtilization Average, ClusterName=main, ServiceName=card-api"),
                "{error}"
            );
            assert_eq!(server.asked().len(), 4);
        }
    });
}

#[expect(clippy::ptr_arg, reason = "one of a table of such functions")]
fn give_one_point_two_values(parts: &mut Vec<Part>) {
    let (at, _) = parts[0].points[0];
    parts[0].points.push((at, -1.0));
}

#[test]
fn answers_that_contradict_themselves_are_errors() {
    with_keys("answers_that_contradict_themselves_are_errors", async || {
        let server = server(&ecs()).await;
        let source = open(&server.server.uri(), "");
        type Spoil = fn(&mut Vec<Part>);
        let cases: [(Spoil, &str); 6] = [
            (|parts| parts[0].id = "zz".into(), "nobody asked for the id \"zz\""),
            (|parts| parts[0].points[3].0 += 7, "starts no bucket of 300 s"),
            (give_one_point_two_values, "has two values"),
            (|parts| parts[0].status = "Sometimes", "unknown status \"Sometimes\""),
            (|parts| parts[0].points[0].0 = i64::MAX / 2, "a point is at no time that can be told"),
            (|parts| parts.clear(), "no answer came"),
        ];
        for (spoil, words) in cases {
            server.answer(move |request, _| {
                let mut parts = complete(request);
                spoil(&mut parts);
                page(request, &parts, None)
            });
            let error = failure(&source).await;
            assert!(error.contains(words) && error.contains("eu-west-1 of account card-data"), "{error}");
        }
        server.answer(|request, _| page(request, &complete(request), Some("again")));
        assert!(failure(&source).await.contains("after 2 pages there is still another one"));
        // Times outside the window are rounding, and belong to another question.
        server.answer(|request, _| {
            let mut parts = complete(request);
            parts[0].points.push((request.end_s, 1.0));
            parts[0].points.push((request.start_s - 300, 1.0));
            page(request, &parts, None)
        });
        let window = day(1);
        let intake = source.series(window).await.expect("answers");
        assert!(intake.series.iter().flat_map(|series| &series.times).all(|time| window.contains(*time)));
    });
}

#[test]
fn what_the_service_says_besides_is_noted() {
    with_keys("what_the_service_says_besides_is_noted", async || {
        let server = server(&ecs()).await;
        server.answer(|request, _| page_with(&complete(request), None, &[("MaxMetricsExceeded", "too many\u{202e}")]));
        let intake = open(&server.server.uri(), "").series(day(1)).await.expect("answers");
        let [note] = intake.diagnostics.as_slice() else { panic!("{:?}", intake.diagnostics) };
        assert_eq!((note.code.as_str(), note.count), ("message_of_source", 1));
        assert_eq!(note.example, "eu-west-1: MaxMetricsExceeded: too many\\u{202e}");
    });
}

#[test]
fn throttled_requests_are_tried_again_within_a_budget() {
    with_keys("throttled_requests_are_tried_again_within_a_budget", async || {
        let server = server(&ecs()).await;
        let source = open(&server.server.uri(), "");
        server.answer(|request, before| match before {
            0 | 1 => fault(400, "ThrottlingException", "Rate exceeded"),
            2 => fault(500, "InternalServiceFault", "oh no"),
            _ => page(request, &complete(request), None),
        });
        assert_eq!(source.series(day(1)).await.expect("answers").series.len(), 2);
        assert_eq!(server.asked().len(), 4);
        server.set(|script| script.asked.clear());
        server.answer(|_, _| fault(400, "ThrottlingException", "Rate exceeded"));
        let error = failure(&source).await;
        assert!(
            error.contains(
                "still throttled after every retry: ThrottlingException: Rate exceeded (request request-0001)"
            ),
            "{error}"
        );
        assert_eq!(server.asked().len(), 7);
    });
}

#[test]
fn a_server_that_says_how_long_to_wait_is_left_alone_for_so_long() {
    with_keys("a_server_that_says_how_long_to_wait_is_left_alone_for_so_long", async || {
        let server = server(&ecs()).await;
        let source = open(&server.server.uri(), "");
        let page_of_a_proxy =
            |status: u16| wiremock::ResponseTemplate::new(status).set_body_string("<html>later</html>");
        let cases = [
            ("throttled", fault(400, "ThrottlingException", "Rate exceeded").insert_header("retry-after", "2"), 2),
            ("limited by a proxy", page_of_a_proxy(429).insert_header("retry-after", "2"), 2),
            ("down", page_of_a_proxy(503).insert_header("retry-after", "2"), 2),
            (
                "down until a time",
                page_of_a_proxy(503)
                    .insert_header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
                    .insert_header("retry-after", "Sun, 06 Nov 1994 08:49:39 GMT"),
                2,
            ),
            ("limited without a word", page_of_a_proxy(429), 0),
        ];
        for (name, answer, wait_s) in cases {
            server.set(|script| script.asked.clear());
            server.answer(move |request, before| match before {
                0 => answer.clone(),
                _ => page(request, &complete(request), None),
            });
            let begun = std::time::Instant::now();
            assert_eq!(source.series(day(1)).await.expect("answers").series.len(), 2, "{name}");
            assert_eq!(server.asked().len(), 2, "{name}");
            assert!(begun.elapsed().as_secs() >= wait_s, "{name}: {:?}", begun.elapsed());
        }
        server.set(|script| script.asked.clear());
        server.answer(|_, _| fault(400, "ThrottlingException", "Rate exceeded").insert_header("retry-after", "86400"));
        let error = failure(&source).await;
        assert!(error.contains("the server asks to wait 86400 s"), "{error}");
        assert_eq!(server.asked().len(), 1, "asked again before the day is over");
    });
}

#[test]
fn the_address_is_that_of_the_config_and_else_that_of_the_variables_of_the_sdk() {
    with_keys("the_address_is_that_of_the_config_and_else_that_of_the_variables_of_the_sdk", async || {
        let server = server(&ecs()).await;
        let (here, nowhere) = (server.server.uri(), "http://127.0.0.1:1".to_owned());
        let collect = |endpoint: Option<&str>, variables: &[(&str, &str)]| {
            let folder = tempfile::tempdir().expect("a folder");
            let endpoint = endpoint.map(|url| format!("endpoint = \"{url}\"\n")).unwrap_or_default();
            let role = "role_arn = \"arn:aws:iam::222222222222:role/fortnight-read\"\nservice_tag = \"Service\"\n";
            let text = format!("[[source]]\nkind = \"cloudwatch\"\nregions = [\"eu-west-1\"]\n{role}{endpoint}");
            std::fs::write(folder.path().join("fortnight.toml"), text).expect("written");
            let mut command = Command::new(env!("CARGO_BIN_EXE_fortnight"));
            command.current_dir(folder.path()).args(["collect", "--since", "2026-11-21", "--until", "2026-11-22"]);
            process::environment(&mut command, &self::variables());
            let output = command.envs(variables.iter().copied()).output().expect("runs");
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let each = [
            "AWS_ENDPOINT_URL_CLOUDWATCH",
            "AWS_ENDPOINT_URL_CLOUDTRAIL",
            "AWS_ENDPOINT_URL_STS",
            "AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API",
        ];
        let of = |url: &str| each.map(|name| (name, url.to_owned()));
        fn lent<'a>(list: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
            list.iter().map(|(name, url)| (*name, url.as_str())).collect()
        }
        assert_eq!(collect(None, &[("AWS_ENDPOINT_URL", &here)]).0, Some(0), "one for all services");
        let (code, said) = collect(None, &lent(&of(&here)));
        assert!(code == Some(0) && !said.contains("WARN"), "one for each service: {said}");
        let wrong = [of(&nowhere).to_vec(), vec![("AWS_ENDPOINT_URL", nowhere.clone())]].concat();
        let (code, said) = collect(Some(&here), &lent(&wrong));
        assert!(code == Some(0) && !said.contains("WARN"), "the config goes first: {said}");
    });
}

#[test]
fn metrics_and_lists_that_do_not_meet_are_named() {
    with_keys("metrics_and_lists_that_do_not_meet_are_named", async || {
        let folder = tempfile::tempdir().expect("a folder");
        let own = "id = \"orders\"\nnamespace = \"Shop\"\ndimensions = [\"Country\"]\nkind = \"resource\"\n\
                   service = \"{Country}\"\ntarget = \"shop:{Country}\"\n\
                   [[metric]]\nsignal = \"orders\"\nunit = \"count\"\nof = [\"OrdersPlaced Sum\"]\n\
                   absent = \"unknown\"\nclass = \"other\"\nbetter = \"lower\"\n";
        std::fs::write(folder.path().join("orders.toml"), own).expect("written");
        let others = [
            "AWS/ECS CPUReservation ClusterName=main",
            "AWS/ECS CPUReservation ClusterName=spare",
            // Its list writes the name in another way.
            "Shop Orders Country=jp",
        ];
        let server = server(&[ecs(), others.map(str::to_owned).to_vec()].concat()).await;
        let more = format!("queries = \"{}\"\n", folder.path().display());
        let checks = open(&server.server.uri(), &more).checks(NOW).await;
        let line = |name: &str| checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{checks:?}"));
        let metrics = line("metrics eu-west-1");
        let found = "2 of 5 are in a list; in none: AWS/ECS CPUReservation by ClusterName, Shop Orders by Country";
        assert!(metrics.found.starts_with(found), "{metrics:?}");
        let lists = line("lists eu-west-1");
        assert_eq!(lists.health, fortnight::source::SourceHealth::Warn, "{lists:?}");
        assert!(lists.found.contains("1 of 18 give a series"), "{lists:?}");
        assert!(lists.help.concat().contains("names of metrics of orders"), "{lists:?}");
    });
}

#[test]
fn each_refusal_has_its_own_words_and_is_not_tried_again() {
    with_keys("each_refusal_has_its_own_words_and_is_not_tried_again", async || {
        let server = server(&ecs()).await;
        let source = open(&server.server.uri(), "");
        let cases = [
            (
                "ExpiredTokenException",
                "The security token included in the request is expired",
                "the session has expired",
                "get new credentials",
            ),
            ("ExpiredToken", "expired", "the session has expired", "get new credentials"),
            (
                "AccessDenied",
                "User: x is not authorized",
                "not allowed: AccessDenied: User: x",
                "allow cloudwatch:GetMetricData",
            ),
            ("RequestTimeTooSkewed", "too far", "this machine's clock is wrong", "set the clock"),
            (
                "InvalidSignatureException",
                "Signature expired: 1 is now earlier than 2",
                "this machine's clock is wrong",
                "set the clock",
            ),
            ("UnrecognizedClientException", "invalid", "the access key is not accepted", "check the access key"),
            (
                "InvalidParameterValue",
                "bad period",
                "the request was refused: InvalidParameterValue: bad period",
                "help: ",
            ),
        ];
        for (code, message, words, help) in cases {
            server.set(|script| script.asked.clear());
            server.answer(move |_, _| fault(400, code, message));
            let error = failure(&source).await;
            assert!(
                error.starts_with("source `aws`: eu-west-1 of account card-data: cloudwatch:GetMetricData: "),
                "{error}"
            );
            assert!(error.contains(words) && error.contains(help), "{code}: {error}");
            assert_eq!(server.asked().len(), 1, "{code}");
        }
        server.answer(|request, _| {
            let mut parts = complete(request);
            parts[1].status = "Forbidden";
            page(request, &parts, None)
        });
        let error = failure(&source).await;
        assert!(error.contains("eu-west-1 of account card-data") && error.contains("Forbidden for AWS/ECS"), "{error}");
    });
}

#[test]
fn answers_that_are_none_are_told_so() {
    with_keys("answers_that_are_none_are_told_so", async || {
        let html = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 26\r\nconnection: close\r\n\r\n<html>please log in</html>";
        let cut = b"HTTP/1.1 200 OK\r\nsmithy-protocol: rpc-v2-cbor\r\ncontent-type: application/cbor\r\ncontent-length: 5000\r\n\r\n\xbf\x67Met";
        let noise = b"\x00\x13\x37\xff\xfe no HTTP at all\r\n\r\n";
        let proxy = b"HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\ncontent-length: 9\r\nconnection: close\r\n\r\n<b>no</b>";
        let cases: [(&[u8], &str); 4] = [
            (html, "the answer cannot be read"),
            (cut, "the answer cannot be read"),
            (noise, "cannot be reached"),
            (proxy, "the answer cannot be read"),
        ];
        for (answer, words) in cases {
            let raw = Raw::start(answer.to_vec());
            let error = failure(&open(&raw.url, "")).await;
            assert!(error.contains(words), "{error}");
            assert!(raw.count() >= 1 && raw.count() <= 7 * 9, "{} requests", raw.count());
        }
    });
}

#[test]
fn what_keeps_from_asking_at_all_has_its_own_words() {
    with_keys("what_keeps_from_asking_at_all_has_its_own_words", async || {
        let server = server(&ecs()).await;
        let role = "role_arn = \"arn:aws:iam::222222222222:role/fortnight-read\"\nexternal_id_env = \"FORTNIGHT_TEST_EXTERNAL_ID\"";
        server.set(|script| script.role_fails = Some((403, "AccessDenied")));
        let error = failure(&open(&server.server.uri(), role)).await;
        assert!(error.contains("the role cannot be assumed") && error.contains("sts:AssumeRole"), "{error}");
        assert!(error.contains("trust policy"), "{error}");
        server.set(|script| script.role_fails = Some((400, "ExpiredToken")));
        let error = failure(&open(&server.server.uri(), role)).await;
        assert!(error.contains("the session has expired"), "{error}");
        server.set(|script| script.role_fails = None);

        let error = failure(&open("http://127.0.0.1:1", "")).await;
        assert!(error.contains("cannot be reached") && error.contains("Connection refused"), "{error}");
        let missing = "external_id_env = \"FORTNIGHT_TEST_NOT_THERE\"";
        let error = told(&try_open(&server.server.uri(), missing).err().expect("fails"));
        assert!(error.contains("`FORTNIGHT_TEST_NOT_THERE`") && error.contains("is not set"), "{error}");
    });
}

#[test]
fn no_credentials_are_told_so() {
    in_process("no_credentials_are_told_so", false, async || {
        let server = server(&ecs()).await;
        let error = failure(&open(&server.server.uri(), "")).await;
        assert!(error.contains("no credentials found") && error.contains("AWS_PROFILE"), "{error}");
    });
}

#[test]
fn a_role_is_assumed_once_with_its_external_id() {
    with_keys("a_role_is_assumed_once_with_its_external_id", async || {
        let server = server(&ecs()).await;
        let role = "role_arn = \"arn:aws:iam::222222222222:role/fortnight-read\"\nexternal_id_env = \"FORTNIGHT_TEST_EXTERNAL_ID\"\nregions = [\"eu-west-1\", \"us-east-1\"]";
        let source = open(&server.server.uri(), role);
        let intake = source.series(day(1)).await.expect("answers");
        assert_eq!(
            keys(&intake),
            [
                "ecs:main/card-api cpu_utilization",
                "ecs:main/card-api memory_utilization",
                "ecs:main/card-api @us-east-1 cpu_utilization",
                "ecs:main/card-api @us-east-1 memory_utilization",
            ]
        );
        source.series(day(2)).await.expect("answers");
        let script = server.script.lock().expect("not poisoned");
        assert!(script.roles.len() <= 2, "{} times", script.roles.len());
        assert!(
            script.roles[0].contains(&format!("ExternalId={}", CANARIES[3]))
                && script.roles[0].contains("RoleSessionName=fortnight-aws")
        );
        let signed = script.scopes.iter().filter(|scope| scope.contains("ASIACANARYROLEKEY000")).count();
        assert_eq!(signed, script.scopes.len() - script.roles.len(), "everything else goes with the role's key");
        assert!(script.scopes.iter().any(|scope| scope.contains("/us-east-1/monitoring/")));
    });
}

#[test]
fn a_slow_role_is_waited_for() {
    with_keys("a_slow_role_is_waited_for", async || {
        let server = server(&ecs()).await;
        // Longer than the SDK waits for credentials unless told otherwise, which is five seconds.
        server.set(|script| script.role_delay = std::time::Duration::from_millis(5500));
        let role = "role_arn = \"arn:aws:iam::222222222222:role/fortnight-read\"";
        let intake = open(&server.server.uri(), role).series(day(1)).await.expect("answers");
        assert!(!intake.series.is_empty());
    });
}

#[test]
fn a_region_that_is_denied_fails_the_source_and_is_named() {
    with_keys("a_region_that_is_denied_fails_the_source_and_is_named", async || {
        let server = server(&ecs()).await;
        server.set(|script| {
            script.list_fails =
                Some(fault(403, "AccessDenied", "User: x is not authorized to perform: cloudwatch:ListMetrics"))
        });
        let error = failure(&open(&server.server.uri(), "regions = [\"ap-northeast-1\"]")).await;
        assert!(error.contains("ap-northeast-1 of account card-data: cloudwatch:ListMetrics: not allowed"), "{error}");
        assert!(error.contains("allow cloudwatch:ListMetrics"), "{error}");
    });
}

#[test]
fn deploys_come_from_cloudtrail_page_by_page_and_without_it_with_a_note() {
    with_keys("deploys_come_from_cloudtrail_page_by_page_and_without_it_with_a_note", async || {
        let server = server(&ecs()).await;
        let window = day(1);
        let at = window.start / 1000 + 3600;
        let body = |service: &str| {
            format!(r#"{{"requestParameters":{{"service":"{service}","taskDefinition":"{service}:7"}}}}"#)
        };
        let event = |id: &str, at: i64, service: &str| ("UpdateService".to_owned(), id.to_owned(), at, body(service));
        let trail = vec![
            event("a", at, "card-api"),
            event("b", at + 60, "user-api"),
            event("c", at + 7200, "card-api"),
            event("outside", window.end / 1000, "card-api"),
        ];
        server.set(|script| script.trail = Some(trail));
        let source = open(&server.server.uri(), "resources = [\"card-*\"]");
        let found = source.events(window).await.expect("answers");
        let ids: Vec<&str> = found.events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(ids, ["cloudwatch:eu-west-1:a", "cloudwatch:eu-west-1:c"]);
        assert_eq!(source.events(window).await.expect("answers"), found, "asked again, it is the same");
        let old = source.events(day(120)).await.expect("answers");
        assert_eq!(old.diagnostics[0].code, "events_forgotten");
        server.set(|script| script.trail = None);
        let denied = source.events(window).await.expect("a note is enough");
        assert!(denied.events.is_empty());
        assert_eq!(denied.diagnostics[0].code, "events_not_allowed");
        assert!(denied.diagnostics[0].example.contains("cloudtrail:LookupEvents"), "{:?}", denied.diagnostics);
    });
}

/// Collects the day before with the program, whose server has a deploy of `card-api` seven minutes after five; returns
/// the minute of that day at which it began and the one at which it was over, as they are kept.
///
/// `counts`: deployments that Container Insights counts from five o'clock on, in buckets of five minutes; one before and
/// afterwards.
fn rollout(server: &CloudWatch, counts: Option<&'static [f64]>) -> (i64, Option<i64>) {
    let window = day(1);
    let five = window.start / 1000 + 5 * 3600;
    let body = r#"{"requestParameters":{"service":"card-api","taskDefinition":"card-api:7"}}"#;
    server.set(|script| script.trail = Some(vec![("UpdateService".into(), "a".into(), five + 7 * 60, body.into())]));
    server.answer(move |request, _| {
        let mut parts = complete(request);
        for (part, query) in parts.iter_mut().zip(&request.queries) {
            if query.metric.name == "DeploymentCount" {
                assert_eq!((query.stat.as_str(), query.period_s), ("Maximum", 300));
                let count = |at: i64| counts.map(|counts| *counts.get(((at - five) / 300) as usize).unwrap_or(&1.0));
                part.points =
                    (request.start_s..request.end_s).step_by(300).filter_map(|at| Some((at, count(at)?))).collect();
            }
        }
        page(request, &parts, None)
    });
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "[[source]]\nid = \"aws\"\nkind = \"cloudwatch\"\nregions = [\"eu-west-1\"]\nendpoint = \"{}\"\n",
        server.server.uri()
    );
    std::fs::write(folder.path().join("fortnight.toml"), text).expect("written");
    let date = |ago: i64| {
        let day = chrono::DateTime::from_timestamp_millis(day(ago).start).expect("a time");
        day.format("%Y-%m-%dT00:00:00Z").to_string()
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_fortnight"));
    command.current_dir(folder.path()).args(["collect", "--since", &date(1), "--until", &date(0)]);
    process::environment(&mut command, &variables());
    let output = command.output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let events = Store::open(&folder.path().join(".fortnight")).expect("opened").events().expect("events");
    let [event] = events.events.as_slice() else { panic!("{events:?}") };
    assert_eq!((event.service.as_str(), event.id.as_str()), ("card-api", "cloudwatch:eu-west-1:a"));
    let minute = |time: i64| (time - window.start) / MINUTE;
    (minute(event.at), event.until.map(minute))
}

#[test]
fn a_rollout_is_kept_from_its_call_to_the_end_of_the_last_old_task() {
    with_keys("a_rollout_is_kept_from_its_call_to_the_end_of_the_last_old_task", async || {
        let counted = format!("ECS/ContainerInsights DeploymentCount {ECS}");
        let plain = server(&ecs()).await;
        let insights = server(&[ecs(), vec![counted]].concat()).await;
        let begins = 5 * 60 + 7;
        // Two deployments from 5:05 to 5:15, so it is over in the bucket that starts then.
        assert_eq!(rollout(&insights, Some(&[1.0, 2.0, 2.0, 1.0])), (begins, Some(5 * 60 + 15)));
        assert_eq!(rollout(&insights, Some(&[1.0, 2.0, 3.0, 2.0, 2.0, 1.0])), (begins, Some(5 * 60 + 25)));
        // Listed and without points, listed and never two, not listed at all: it began, and nobody saw its end.
        assert_eq!(rollout(&insights, None), (begins, None));
        assert_eq!(rollout(&insights, Some(&[1.0])), (begins, None));
        assert_eq!(rollout(&plain, None), (begins, None));
    });
}

#[test]
fn a_version_that_takes_over_is_inferred() {
    with_keys("a_version_that_takes_over_is_inferred", async || {
        let window = day(1);
        let change = window.start / 1000 + 5 * 3600;
        let of = |version: u8| {
            format!("AWS/Lambda Invocations ExecutedVersion={version},FunctionName=notify,Resource=notify:live")
        };
        let server = server(&[of(7), of(8)]).await;
        server.answer(move |request, _| {
            let points = |query: &Query| {
                let is_new = query.metric.dimensions[0].1 == "8";
                let times = (request.start_s..request.end_s).step_by(300);
                times.filter(|at| (*at >= change) == is_new).map(|at| (at, 5.0)).collect()
            };
            let parts: Vec<Part> = request
                .queries
                .iter()
                .map(|query| Part { id: query.id.clone(), status: "Complete", points: points(query) })
                .collect();
            page(request, &parts, None)
        });
        let found = open(&server.server.uri(), "").events(window).await.expect("answers");
        let [event] = found.events.as_slice() else { panic!("{found:?}") };
        assert_eq!((event.service.as_str(), event.at, event.title.as_str()), ("notify", change * 1000, "version 8"));
        assert!(event.is_inferred() && event.id.starts_with("inferred:cloudwatch:eu-west-1:notify:8:"), "{}", event.id);
    });
}

#[test]
fn an_estimate_counts_what_is_then_asked() {
    with_keys("an_estimate_counts_what_is_then_asked", async || {
        let server = server(&[ecs(), vec![alb("RequestCount"), alb("TargetResponseTime")]].concat()).await;
        let source = open(&server.server.uri(), "");
        let estimate = source.estimate(day(1)).await.expect("answers");
        let lists = server.script.lock().expect("not poisoned").lists as u64;
        let intake = source.series(day(1)).await.expect("answers");
        source.events(day(1)).await.expect("answers");
        let asked = server.asked();
        let lookups = server.script.lock().expect("not poisoned").lookups as u64;
        assert_eq!(estimate.requests, lists + asked.len() as u64 + lookups);
        assert_eq!(estimate.series, intake.series.len() as u64);
        let metrics: usize = asked.iter().map(|request| request.queries.len()).sum();
        assert_eq!(estimate.asks.len(), metrics);
        assert!(
            estimate.asks.iter().any(|ask| ask
                == "eu-west-1: AWS/ECS CPUUtilization Average, ClusterName=main, ServiceName=card-api every 300 s"),
            "{:?}",
            estimate.asks
        );
        let cost = (metrics as u64 + lists) as f64 * 1e-5;
        assert!((estimate.cost_usd.expect("it costs") - cost).abs() < 1e-12);

        // A day is asked, and billed, for itself: three days are not one long question.
        let three = Window::new(day(3).start, day(1).end);
        let estimate = source.estimate(three).await.expect("answers");
        for back in [3, 2] {
            source.series(day(back)).await.expect("answers");
        }
        let asked = server.asked();
        assert_eq!(estimate.requests, lists + asked.len() as u64 + lookups);
        let metrics: usize = asked.iter().map(|request| request.queries.len()).sum();
        let cost = (metrics as u64 + lists) as f64 * 1e-5;
        assert!((estimate.cost_usd.expect("it costs") - cost).abs() < 1e-12);
    });
}

#[test]
fn checks_name_each_permission() {
    with_keys("checks_name_each_permission", async || {
        let server = server(&[ecs(), vec!["Shop/Orders Placed Country=jp".to_owned()]].concat()).await;
        let lines = |checks: Vec<SourceCheck>| -> Vec<String> {
            checks
                .iter()
                .map(|check| format!("{:?} {}: {} | {}", check.health, check.name, check.found, check.help.join(" ")))
                .collect()
        };
        let good = lines(open(&server.server.uri(), "").checks(NOW).await);
        assert!(good[0].starts_with("Ok credentials: found"), "{good:?}");
        for name in ["cloudwatch:ListMetrics", "cloudwatch:GetMetricData", "cloudtrail:LookupEvents"] {
            assert!(good.iter().any(|line| line.starts_with(&format!("Ok {name} eu-west-1: "))), "{name}: {good:?}");
        }
        assert!(good.iter().any(|line| line.contains("ecs:main/card-api")), "{good:?}");
        assert!(good.iter().any(|line| line.contains("namespaces without one: Shop/Orders")), "{good:?}");
        let lists = "Ok lists eu-west-1: 1 of 17 give a series; nothing comes of alb,";
        assert!(good.iter().any(|line| line.starts_with(lists)), "{good:?}");
        server.set(|script| {
            script.trail = None;
            script.answer = Some(Box::new(|_, _| fault(400, "AccessDenied", "no")));
        });
        let bad = lines(open(&server.server.uri(), "resources = [\"nothing\"]").checks(NOW).await);
        assert!(
            bad.iter().any(|line| line.starts_with("Fail cloudwatch:GetMetricData eu-west-1: ")
                && line.contains("| allow cloudwatch:GetMetricData")),
            "{bad:?}"
        );
        assert!(bad.iter().any(|line| line.starts_with("Warn cloudtrail:LookupEvents")), "{bad:?}");
        assert!(bad.iter().any(|line| line.starts_with("Warn resources eu-west-1: none fits")), "{bad:?}");
    });
}

#[test]
fn no_secret_is_seen_at_the_loudest_level() {
    with_keys("no_secret_is_seen_at_the_loudest_level", async || {
        let server = server(&[ecs(), vec![alb("RequestCount")]].concat()).await;
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "[[source]]\nid = \"aws\"\nkind = \"cloudwatch\"\nregions = [\"eu-west-1\"]\nendpoint = \"{}\"\n\
             role_arn = \"arn:aws:iam::222222222222:role/fortnight-read\"\nexternal_id_env = \"FORTNIGHT_TEST_EXTERNAL_ID\"\n",
            server.server.uri()
        );
        std::fs::write(folder.path().join("fortnight.toml"), text).expect("written");
        let loud = |more: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_fortnight"));
            command.current_dir(folder.path()).args(["-vvvv", "doctor"]).args(more);
            process::environment(&mut command, &variables());
            let output = command.output().expect("runs");
            let said =
                format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            no_canary(&said);
            said
        };
        assert!(loud(&[]).contains("cloudwatch:GetMetricData"), "it was asked");
        assert!(!server.script.lock().expect("not poisoned").roles.is_empty(), "the role was assumed");
        server.set(|script| script.role_fails = Some((403, "AccessDenied")));
        assert!(loud(&["--log-format", "json"]).contains("the role cannot be assumed"));
    });
}
