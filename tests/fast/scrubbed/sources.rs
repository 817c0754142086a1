//! Every field of New Relic, CloudWatch, CloudTrail, files and markers, and the words of servers that fail: what is planted
//! there is in no output, no log and no store.

use std::process::Output;

use super::stored_names;
use crate::support::program::{command, stderr, stdout, write};
use crate::support::servers::cloudwatch::{CloudWatch, fault};
use crate::support::servers::nerdgraph::{KEY, NerdGraph, refusal};
use crate::support::servers::world::{HOUR, World};
use crate::support::servers::{NOW, TODAY};
use tempfile::TempDir;

/// What is planted: the text, and the part of it that must be gone. Put together here, so that no whole one stands in this
/// file. UUIDs and long numbers are not among it: ids of events are made of them.
fn planted() -> Vec<(String, String)> {
    let own = |before: &str, gone: &str| (format!("{before}{gone}"), gone.to_owned());
    vec![
        own("", &["4012", "8888", "8888", "1881"].concat()),
        own("", &["5555-5555", "-5555-4444"].concat()),
        own("", &format!("hanako.sato{}example.co.jp", '@')),
        own("", &["AK", "IA", "MADEUPFORTESTS00"].concat()),
        own("Bearer ", "Made0Up1For2Tests3Only4"),
        own("password=", "hunter2hunter2"),
        own("", &["eyJhbGciOiJub25l", "In0.eyJzdWIiOiJ0ZXN0", "In0.c2lnbmF0dXJl"].concat()),
        own("https://admin:", "s3cr3tpassw0rd").with("@db.example.com/x"),
        own("", &["3782-822463", "-10005"].concat()),
        own("aws_secret_access_key=", &tail(40)),
        own("", &["gh", "p_", &tail(36)].concat()),
        own("", &["gl", "pat-", &tail(20)].concat()),
        own("", &["xo", "xb-1234-", &tail(24)].concat()),
        own("", &["sk_", "live_", &tail(24)].concat()),
        own("", &["AI", "za", &tail(35)].concat()),
        own("", &["NR", "AK-", "MADEUPFORTESTS0MADEUPFORTES"].concat()),
        own("Basic ", "dGVzdDpodW50ZXIy"),
        own("/reset?a=1&token=", "hunter3hunter3").with("&b=2"),
    ]
}

/// Letters and digits that follow the prefix of a key.
fn tail(length: usize) -> String {
    "Made0Up1For2Tests3Only4".chars().cycle().take(length).collect()
}

trait With {
    fn with(self, after: &str) -> Self;
}

impl With for (String, String) {
    fn with(self, after: &str) -> Self {
        (format!("{}{after}", self.0), self.1)
    }
}

fn assert_clean(what: &str, text: &str) {
    for (_, gone) in planted() {
        assert!(!text.contains(&gone), "{gone} is in {what}:\n{text}");
    }
}

struct Place {
    folder: TempDir,
    _runtime: tokio::runtime::Runtime,
    newrelic: NerdGraph,
    cloudwatch: CloudWatch,
}

impl Place {
    fn new(newrelic_fails: bool) -> Self {
        let texts: Vec<String> = planted().into_iter().map(|(text, _)| text).collect();
        let world = World {
            applications: texts.len(),
            transactions: 1,
            otel: 1,
            routes: 2,
            now: NOW,
            planted: texts.clone(),
            ..World::default()
        };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
        let all = texts.join(", ");
        let newrelic = runtime.block_on(NerdGraph::start_with(
            world,
            Box::new(move |asked| (newrelic_fails && asked.what == "nrql").then(|| refusal(&all, "BAD_USER_INPUT"))),
        ));
        let name = |k: usize| texts[k % texts.len()].replace(['/', ',', '=', ' '], "_");
        let metrics = [
            format!("AWS/ApplicationELB RequestCount LoadBalancer=app/{}/50dc6c495c0c9188", name(0)),
            format!("AWS/ECS CPUUtilization ClusterName={},ServiceName={}", name(1), name(2)),
            format!("AWS/SQS ApproximateAgeOfOldestMessage QueueName={}", name(3)),
            format!("AWS/RDS CPUUtilization DBInstanceIdentifier={}", name(6)),
            format!("AWS/Lambda Duration FunctionName={}", name(2)),
        ];
        let metrics: Vec<&str> = metrics.iter().map(String::as_str).collect();
        let cloudwatch = runtime.block_on(CloudWatch::start(&metrics));
        let trail = texts.iter().enumerate().map(|(k, text)| {
            let body = serde_json::json!({
                "requestParameters": {"service": text, "cluster": text, "taskDefinition": format!("{text}:7")},
                "userIdentity": {"arn": text, "userName": text, "principalId": text},
                "sourceIPAddress": text,
                "errorMessage": null,
            });
            ("UpdateService".to_owned(), format!("event-{k}"), TODAY / 1000 - 86_400 + 600 * k as i64, body.to_string())
        });
        let trail: Vec<_> = trail.collect();
        let arn = |k: usize| format!("arn:aws:sqs:eu-west-1:222222222222:{}", name(k));
        let tags = vec![(arn(3), vec![("Service".to_owned(), texts[4].clone())])];
        cloudwatch.set(|script| (script.trail, script.tags) = (Some(trail), Some(tags)));
        let folder = tempfile::tempdir().expect("temporary folder");
        let config = format!(
            "[period]\ndays = 7\nanchor = \"2026-11-16\"\n[judge]\nbaseline_days = 3\n\
             [[source]]\nid = \"apm\"\nkind = \"newrelic\"\naccount = \"1\"\nendpoint = \"{}\"\nstep_minutes = 60\noptional = true\n\
             [[source]]\nid = \"aws\"\nkind = \"cloudwatch\"\nregions = [\"eu-west-1\"]\nendpoint = \"{}\"\nservice_tag = \"Service\"\noptional = true\n\
             [[source]]\nid = \"own\"\nkind = \"files\"\nseries = [\"own.csv\"]\n\
             [[publish]]\nid = \"shelf\"\nkind = \"folder\"\ndir = \"shelf\"\n\
             [[publish]]\nid = \"talk\"\nkind = \"slack\"\n",
            newrelic.endpoint(),
            cloudwatch.server.uri()
        );
        write(&folder, "fortnight.toml", &config);
        let mut own = String::from("time,service,kind,target,signal,unit,value\n");
        for (k, text) in texts.iter().enumerate() {
            for hour in 0..240 {
                let at = TODAY / 1000 - (240 - hour) * 3600;
                own.push_str(&format!(
                    "{at},\"{text}\",operation,\"GET /{k}/{text}\",latency_p95,ms,{}\n",
                    100 + hour % 7
                ));
            }
        }
        write(&folder, "own.csv", &own);
        Self { folder, _runtime: runtime, newrelic, cloudwatch }
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = command(&self.folder);
        command.args(args).env("SOURCE_DATE_EPOCH", (NOW / 1000).to_string()).env("NO_PROXY", "127.0.0.1");
        command.env("NEW_RELIC_API_KEY", KEY).env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "y");
        command.env("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T/B/x").env("RUST_LOG", "trace");
        command.output().expect("runs")
    }

    /// Runs a command at the lowest and the highest level of the log, which has what all between them have, and checks what
    /// it says; returns what it prints.
    fn says(&self, args: &[&str]) -> String {
        let mut said = String::new();
        for level in ["--quiet", "-vvv"] {
            let output = self.run(&[args, &[level]].concat());
            assert_clean(&format!("{args:?} {level}"), &format!("{}{}", stdout(&output), stderr(&output)));
            said = format!("{}{}", stdout(&output), stderr(&output));
            assert!(!said.contains("failed to read the config") && !said.contains("Usage:"), "{said}");
        }
        said
    }

    fn files_are_clean(&self, of: &str) {
        let all = format!("{}/{of}/**/*", self.folder.path().display());
        let mut count = 0;
        for path in glob::glob(&all).expect("a pattern").flatten().filter(|path| path.is_file()) {
            let bytes = std::fs::read(&path).expect("readable");
            assert_clean(&path.display().to_string(), &String::from_utf8_lossy(&bytes));
            assert_clean("the name of a file", &path.display().to_string());
            count += 1;
        }
        assert!(count > 0, "nothing in {of}");
    }
}

#[test]
fn what_is_planted_in_any_field_of_any_source_reaches_no_output() {
    let place = Place::new(false);
    let marker = planted().into_iter().map(|(text, _)| text).collect::<Vec<_>>().join(" and ");
    let add = ["marker", "add", "--service", "own", "--at", "2026-11-20T10:00:00Z"];
    let more = ["--title", marker.as_str(), "--author", marker.as_str(), "--revision", "4f2c9e1"];
    place.says(&[&add[..], &more].concat());
    place.says(&["collect", "--since", "2026-11-19"]);
    assert!(place.newrelic.asked().len() > 10 && !place.cloudwatch.asked().is_empty(), "both were asked");
    let period = ["--from", "2026-11-16", "--to", "2026-11-23"];
    place.says(&[&["report", "--format", "html,json,md", "--out", "out"][..], &period].concat());
    let report = std::fs::read_to_string(place.folder.path().join("out/report.json")).expect("written");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let kinds = |key: &str| {
        let all = report[key].as_array().expect("a list").iter();
        all.map(|one| one["kind"].as_str().unwrap_or_default().to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(kinds("series").len(), 3, "operations, datastores and resources came through: {:?}", kinds("series"));
    let deploys = report["deploys"].as_array().expect("a list");
    for source in ["cloudwatch", "newrelic"] {
        assert!(deploys.iter().any(|one| one["id"].as_str().is_some_and(|id| id.contains(source))), "{source}");
    }
    place.files_are_clean("out");
    for args in [
        &["marker", "list"][..],
        &["marker", "list", "--json"],
        &["doctor", "--from", "2026-11-16", "--to", "2026-11-23"],
        &["explain", "1", "--from-report", "out/report.json"],
        &["publish", "--from-report", "out/report.json", "--only", "shelf"],
        &["publish", "--from-report", "out/report.json", "--only", "talk", "--dry-run"],
        &["deploy", "latest", "--from-report", "out/report.json"],
        &["deploy", "4f2c9e1"],
    ] {
        assert!(!place.says(args).is_empty(), "{args:?}");
    }
    for deploy in deploys.iter().take(40) {
        place.run(&["deploy", deploy["id"].as_str().expect("an id"), "--from-report", "out/report.json"]);
    }
    place.files_are_clean("shelf");
    place.files_are_clean(".fortnight");
    for row in stored_names(&place.folder.path().join(".fortnight")) {
        assert_clean("a segment", &row);
    }
}

#[test]
fn what_a_failing_server_says_is_repeated_without_it() {
    let place = Place::new(true);
    let all = planted().into_iter().map(|(text, _)| text).collect::<Vec<_>>().join(", ");
    place.cloudwatch.set(|script| script.list_fails = Some(fault(400, "InvalidParameterValueException", &all)));
    let said = place.says(&["collect", "--since", "2026-11-21"]);
    assert!(said.contains("source failed") && said.contains("[card]"), "{said}");
    place.says(&["report", "--format", "html,json,md", "--out", "out", "--from", "2026-11-16", "--to", "2026-11-23"]);
    place.files_are_clean("out");
    place.says(&["doctor"]);
}

#[test]
fn a_pipeline_and_two_sources_have_one_deploy_with_a_persons_words() {
    let place = Place::new(false);
    let at = TODAY - 40 * HOUR;
    let time = |ms: i64| chrono::DateTime::from_timestamp_millis(ms).expect("a time").to_rfc3339();
    let body = r#"{"requestParameters":{"service":"web","taskDefinition":"web:3"},"userIdentity":{"userName":"222222222222"}}"#;
    let trail = vec![("UpdateService".to_owned(), "a".to_owned(), at / 1000 + 50, body.to_owned())];
    place.cloudwatch.set(|script| {
        script.metrics = vec![crate::support::servers::cloudwatch::metric(
            "AWS/ECS CPUUtilization ClusterName=main,ServiceName=web",
        )];
        (script.trail, script.tags) = (Some(trail), Some(Vec::new()));
    });
    write(&place.folder, "own.csv", "time,service,kind,target,signal,unit,value\n");
    place.run(&[
        "marker",
        "add",
        "--service",
        "web",
        "--at",
        &time(at),
        "--title",
        "Add limit check",
        "--author",
        "hanako",
        "--revision",
        "4f2c9e1d20c64ab1",
    ]);
    let label = serde_json::json!({"id": "label", "service": "web", "at": time(at + 30_000), "revision": "v1.42.0", "origin": "tracked:apm"});
    write(&place.folder, "labels.jsonl", &format!("{label}\n"));
    let config = std::fs::read_to_string(place.folder.path().join("fortnight.toml")).expect("there");
    let config = config.replace("series = [\"own.csv\"]", "series = [\"own.csv\"]\ndeploys = [\"labels.jsonl\"]");
    write(&place.folder, "fortnight.toml", &config);
    place.run(&["collect", "--since", "2026-11-20", "--source", "aws"]);
    let output =
        place.run(&["report", "--format", "json", "--out", "out", "--from", "2026-11-16", "--to", "2026-11-23"]);
    let report = std::fs::read(place.folder.path().join("out/report.json")).unwrap_or_default();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    let own: Vec<_> =
        report["deploys"].as_array().expect("a list").iter().filter(|one| one["service"] == "web").collect();
    assert_eq!(own.len(), 1, "{own:#?}");
    assert_eq!((&own[0]["title"], &own[0]["author"]), (&"Add limit check".into(), &"hanako".into()), "{}", own[0]);
    assert_eq!(
        (&own[0]["revision"], &own[0]["version"]),
        (&"4f2c9e1d20c64ab1".into(), &"v1.42.0".into()),
        "{}",
        own[0]
    );
}
