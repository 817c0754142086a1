//! Random answers: whatever comes, nothing panics, and what is kept keeps the rules.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::parse;
use super::query::Query;
use super::query_files;
use crate::model::time::{HOUR, MINUTE, Window};

const STEP: i64 = 5 * MINUTE;

fn query(id: &str) -> Query {
    query_files::load(None).expect("queries").into_iter().find(|query| query.id == id).expect("there")
}

fn everyone(name: &str) -> Vec<Arc<str>> {
    vec![name.into()]
}

fn window() -> Window {
    Window::new(0, HOUR)
}

/// Anything that JSON can hold, a few levels deep, with the names that are looked for among its keys.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        any::<f64>().prop_map(|value| json!(value)),
        any::<String>().prop_map(|value| json!(value)),
        (0_i64..13).prop_map(|bucket| json!(bucket * STEP / 1000)),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "results",
            "metadata",
            "messages",
            "timeWindow",
            "begin",
            "end",
            "beginTimeSeconds",
            "endTimeSeconds",
            "facet",
            "appName",
            "transactionName",
            "requests",
            "errors",
            "mean",
            "p",
            "50",
            "95",
            "99",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::btree_map(key.clone(), inner, 0..10)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A row that is nearly right.
fn row() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        4 => (0.0_f64..1e6).prop_map(|value| json!(value)),
        2 => Just(Value::Null),
        1 => (-10.0_f64..0.0).prop_map(|value| json!(value)),
        1 => Just(json!(f64::MAX)),
    ];
    (0_i64..12, "[ab]", "[xy]?", number.clone(), number.clone(), number).prop_map(|(bucket, app, name, n, errors, mean)| {
        json!({"beginTimeSeconds": bucket * STEP / 1000, "endTimeSeconds": (bucket + 1) * STEP / 1000, "facet": [app, name],
            "appName": app, "transactionName": name, "requests": n, "errors": errors, "mean": mean})
    })
}

proptest! {
    #[test]
    fn random_bytes_and_random_json_never_panic(bytes in any::<Vec<u8>>(), value in anything()) {
        for id in ["apm_services", "apm_operations_volume", "hosts", "versions_otel"] {
            let query = query(id);
            for value in [serde_json::from_slice(&bytes).unwrap_or_default(), value.clone()] {
                if let Ok(rows) = parse::results(&query, &value, window()) {
                    let _ = parse::points(&query, rows, window(), STEP, &everyone);
                }
                let list = [value];
                let _ = parse::points(&query, &list, window(), STEP, &everyone);
            }
        }
    }

    #[test]
    fn what_is_kept_keeps_the_rules(rows in prop::collection::vec(row(), 0..60)) {
        // The first and the last bucket are there, as in an answer that is whole.
        let edge = |bucket: i64| json!({"beginTimeSeconds": bucket * STEP / 1000, "endTimeSeconds": (bucket + 1) * STEP / 1000,
            "appName": "edge", "transactionName": "e", "requests": 60, "errors": null, "mean": 0.5});
        let all: Vec<Value> = [edge(0), edge(11)].into_iter().chain(rows).collect();
        let query = query("apm_operations_volume");
        let Ok(points) = parse::points(&query, &all, window(), STEP, &everyone) else { return Ok(()) };
        let (series, _) = parse::series(points);
        prop_assert!(series.windows(2).all(|pair| pair[0].key < pair[1].key));
        for one in &series {
            prop_assert!(one.times.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(one.times.iter().all(|time| window().contains(*time)));
            prop_assert_eq!(one.times.len(), one.values.len());
            prop_assert!(one.values.iter().all(|value| value.is_nan() || (value.is_finite() && *value >= 0.0)));
            if &*one.key.signal == "error_rate" {
                prop_assert!(one.values.iter().all(|value| value.is_nan() || *value <= 1.0));
            }
        }
        let edge = series.iter().find(|one| &*one.key.service == "edge" && &*one.key.signal == "throughput").expect("kept");
        prop_assert_eq!(&edge.values, &vec![0.2, 0.2], "60 requests in 300 seconds");
        let errors = series.iter().find(|one| &*one.key.service == "edge" && &*one.key.signal == "error_rate").expect("kept");
        prop_assert_eq!(&errors.values, &vec![0.0, 0.0], "no error is none where requests were");
    }
}

#[test]
fn two_facets_with_one_name_are_an_error() {
    let row = |name: &str, mean: f64| json!({"beginTimeSeconds": 0, "endTimeSeconds": 3600, "appName": "a", "transactionName": name, "requests": 1, "errors": 0, "mean": mean});
    let query = query("apm_operations_volume");
    let outcome = parse::points(&query, &[row("a  b", 1.0), row("a b", 2.0)], window(), HOUR, &everyone);
    let error = outcome.expect_err("two values").to_string();
    assert_eq!(error, "apm_operations_volume: row 2: `mean` two values at 0: 1 and 2; two facets have one name");
}

#[test]
fn long_targets_are_cut_and_stay_apart() {
    let row = |statement: String| json!({"beginTimeSeconds": 0, "endTimeSeconds": 3600, "entity.name": "a", "db.statement": statement, "p": {"95": 1}});
    let long = "SELECT x ".repeat(1_000);
    let rows = [row(format!("{long} a")), row(format!("{long} b"))];
    let points = parse::points(&query("apm_statements"), &rows, window(), HOUR, &everyone).expect("fine");
    assert_eq!(points.len(), 2);
    assert!(points.keys().all(|key| key.target.chars().count() < 520));
}

#[test]
fn hosts_belong_to_each_of_their_applications() {
    let row = json!({"beginTimeSeconds": 0, "endTimeSeconds": 3600, "apmApplicationNames": "|a|b|", "hostname": "h", "cpu": 250.0, "memory": 50});
    let only = |name: &str| if name.is_empty() { Vec::new() } else { everyone(name) };
    let points = parse::points(&query("hosts"), &[row], window(), HOUR, &only).expect("fine");
    let (series, left_out) = parse::series(points);
    let keys: Vec<String> = series.iter().map(|series| series.key.to_string()).collect();
    assert_eq!(
        keys,
        [
            "a · host:h · cpu_utilization",
            "a · host:h · memory_utilization",
            "b · host:h · cpu_utilization",
            "b · host:h · memory_utilization"
        ]
    );
    assert_eq!(left_out.len(), 0, "more than one processor");
    assert_eq!([&series[0].values[..], &series[1].values[..]], [[2.5], [0.5]]);
}
