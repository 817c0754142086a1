//! What happened in the period, and what a good judge should say about it. Everything else is unchanged.

use serde::Serialize;
use std::collections::BTreeMap;

use crate::fleet::{END, jst};

/// A change of one series.
pub struct Effect {
    /// Service of the series.
    pub service: &'static str,
    /// Target of the series.
    pub target: &'static str,
    /// Signal of the series.
    pub signal: &'static str,
    /// How it changes.
    pub change: Change,
    /// When it begins, UTC milliseconds.
    pub from: i64,
    /// When it is over; [`END`] if it stays.
    pub until: i64,
}

/// How a series changes.
#[derive(Clone, Copy)]
pub enum Change {
    /// Its values are multiplied.
    Ratio(f64),
    /// Percentage points are added.
    Points(f64),
}

/// One entry of `stories.json`: a change, its cause and the verdict to expect.
#[derive(Serialize)]
pub struct Story {
    /// Word to refer to it by.
    pub id: &'static str,
    /// What happened.
    pub title: &'static str,
    /// The service.
    pub service: &'static str,
    /// `operation`, `datastore` or `resource`.
    pub kind: &'static str,
    /// The endpoint, statement or machine.
    pub target: &'static str,
    /// True change, after / before, of each signal that moved.
    pub signals: BTreeMap<&'static str, f64>,
    /// Deploy that did it; null if none did.
    pub deploy: Option<&'static str>,
    /// When it began, RFC 3339.
    pub at: String,
    /// `worse`, `better`, `explained`, `too_early`; `elsewhere` for a change with no deploy near.
    pub verdict: &'static str,
    /// `up` or `down`: where the values went; null if they stayed.
    pub direction: Option<&'static str>,
    /// The contract's pattern; null if none is expected.
    pub pattern: Option<&'static str>,
    /// When it went away, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Deploy that took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<&'static str>,
    /// What explains it when the code does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained_by: Option<&'static str>,
    /// Added percentage points of a utilisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<f64>,
    /// Added share of errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_share_delta: Option<f64>,
    /// Other targets of the service that moved with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
    /// `at`, UTC milliseconds.
    #[serde(skip)]
    pub from: i64,
    /// `until`, UTC milliseconds.
    #[serde(skip)]
    pub to: i64,
}

/// Another target that moved with the story's.
#[derive(Serialize)]
pub struct Member {
    /// `operation`, `datastore` or `resource`.
    pub kind: &'static str,
    /// The endpoint, statement or machine.
    pub target: &'static str,
    /// True change, after / before, of each signal that moved.
    pub signals: BTreeMap<&'static str, f64>,
}

/// When the lists of transactions became slow, and when they were repaired.
const LOGOS: (i64, i64) = (jst(11, 10, 11, 20), jst(11, 13, 14, 5));
/// Growth of the traffic of `GET /points`.
const POINTS_TRAFFIC: f64 = 1.7;
/// Exponent of its load curve, as in the fleet.
const POINTS_CURVE: f64 = 0.27;

/// Returns every story, by time.
pub fn stories() -> Vec<Story> {
    let latency = |p50: f64, p95: f64, p99: f64| {
        BTreeMap::from([("latency_p50", p50), ("latency_p95", p95), ("latency_p99", p99)])
    };
    let by_load = POINTS_TRAFFIC.powf(POINTS_CURVE);
    let mut points = latency(by_load, by_load, by_load);
    points.insert("throughput", POINTS_TRAFFIC);

    vec![
        Story {
            pattern: Some("recovered"),
            until: Some(text(LOGOS.1)),
            to: LOGOS.1,
            by: Some("card-api-1837"),
            ..story(
                "taken-back",
                "Logos are fetched one by one, until a later deploy fetches them at once",
                ("card-api", "operation", "GET /v1/transactions"),
                latency(1.31, 1.31, 1.31),
                Some("card-api-1830"),
                LOGOS.0,
                "worse",
            )
        },
        Story {
            ..story(
                "faster",
                "Balance and pending payments are asked for side by side, not one after the other",
                ("user-api", "operation", "GET /v1/balance"),
                latency(0.69, 0.69, 0.69),
                Some("user-api-961"),
                jst(11, 11, 10, 50),
                "better",
            )
        },
        Story {
            explained_by: Some("load"),
            ..story(
                "traffic-not-code",
                "The home screen now asks for points: more requests, each as slow as this load always was",
                ("web-bff", "operation", "GET /points"),
                points,
                Some("web-bff-2330"),
                jst(11, 12, 11, 30),
                "explained",
            )
        },
        Story {
            ..story(
                "repair",
                "Logos are fetched at once: back to the old level",
                ("card-api", "operation", "GET /v1/transactions"),
                latency(1.0 / 1.31, 1.0 / 1.31, 1.0 / 1.31),
                Some("card-api-1837"),
                LOGOS.1,
                "better",
            )
        },
        Story {
            error_share_delta: Some(0.0055),
            ..story(
                "errors",
                "The new gateway refuses some pushes",
                ("notification", "operation", "POST /v1/push"),
                BTreeMap::from([("error_rate", 12.0)]),
                Some("notification-418"),
                jst(11, 16, 11, 5),
                "worse",
            )
        },
        Story {
            pattern: Some("tail_only"),
            ..story(
                "only-the-tail",
                "Statements with foreign payments wait for the partner, the others do not",
                ("web-bff", "operation", "GET /statements"),
                BTreeMap::from([("latency_p95", 1.26), ("latency_p99", 1.58)]),
                Some("web-bff-2341"),
                jst(11, 17, 11, 10),
                "worse",
            )
        },
        Story {
            points: Some(12.0),
            ..story(
                "no-deploy-near",
                "The database of users became busier at night, hours away from any deploy",
                ("user-api", "resource", "rds:user-1"),
                BTreeMap::from([("cpu_utilization", 1.42)]),
                None,
                jst(11, 18, 4, 30),
                "elsewhere",
            )
        },
        Story {
            members: vec![Member {
                kind: "datastore",
                target: "select cards",
                signals: BTreeMap::from([("db_time", 2.05)]),
            }],
            ..story(
                "slower-with-database",
                "Authorizations wait for a locked row; the time in the database shows it",
                ("card-api", "operation", "POST /v1/authorizations"),
                latency(1.28, 1.27, 1.26),
                Some("card-api-1842"),
                jst(11, 18, 14, 32),
                "worse",
            )
        },
        Story {
            pattern: None,
            ..story(
                "too-fresh",
                "Deployed three hours before the period ended",
                ("notification", "operation", "POST /v1/push"),
                BTreeMap::new(),
                Some("notification-424"),
                jst(11, 22, 21, 0),
                "too_early",
            )
        },
    ]
}

fn story(
    id: &'static str,
    title: &'static str,
    (service, kind, target): (&'static str, &'static str, &'static str),
    signals: BTreeMap<&'static str, f64>,
    deploy: Option<&'static str>,
    from: i64,
    verdict: &'static str,
) -> Story {
    Story {
        id,
        title,
        service,
        kind,
        target,
        signals,
        deploy,
        at: text(from),
        verdict,
        direction: match verdict {
            "too_early" => None,
            "better" => Some("down"),
            _ => Some("up"),
        },
        pattern: Some("sustained"),
        until: None,
        by: None,
        explained_by: None,
        points: None,
        error_share_delta: None,
        members: Vec::new(),
        from,
        to: END,
    }
}

fn text(at: i64) -> String {
    fortnight::model::time::rfc3339(at, chrono_tz::Asia::Tokyo)
}

/// Returns the changes that the stories put into the data.
pub fn effects(stories: &[Story]) -> Vec<Effect> {
    let mut all = Vec::new();
    for story in stories {
        // The repair is the end of the change before it, and load moves latency by itself.
        if story.id == "repair" {
            continue;
        }
        let mut add = |target, signals: &BTreeMap<&'static str, f64>| {
            for (&signal, &ratio) in signals {
                if story.explained_by == Some("load") && signal != "throughput" {
                    continue;
                }
                let change = story.points.map_or(Change::Ratio(ratio), Change::Points);
                all.push(Effect { service: story.service, target, signal, change, from: story.from, until: story.to });
            }
        };
        add(story.target, &story.signals);
        for member in &story.members {
            add(member.target, &member.signals);
        }
    }
    all
}
