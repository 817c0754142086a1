//! Whole runs on input that means harm or makes no sense: the program ends in order, says what is wrong, and says
//! nothing of what it does not know.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const HEADER: &str = "time,service,kind,target,signal,unit,value\n";
const CONFIG: &str = "[[source]]\nkind = \"files\"\nseries = [\"series.csv\"]\ndeploys = [\"deploys.jsonl\"]\n";

/// Four weeks from 2026-10-26, hourly.
const HOURS: i64 = 28 * 24;
const START: i64 = 1_792_972_800;

struct Run {
    folder: TempDir,
    output: Output,
}

impl Run {
    fn new(series: &str, deploys: &str) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("series.csv", series);
        write("deploys.jsonl", deploys);
        write("fortnight.toml", CONFIG);
        let output = Command::new(env!("CARGO_BIN_EXE_fortnight"))
            .args(["report", "--from", "2026-11-09", "--to", "2026-11-23", "--out", "out"])
            .current_dir(folder.path())
            .output()
            .expect("runs");
        Self { folder, output }
    }

    fn talk(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join("out").join(name)).unwrap_or_else(|_| panic!("{}", self.talk()))
    }

    fn comparisons(&self) -> Vec<Value> {
        let report: Value = serde_json::from_str(&self.file("report.json")).expect("report parses");
        report["comparisons"].as_array().expect("comparisons").clone()
    }

    fn verdicts(&self) -> Vec<String> {
        self.comparisons().iter().map(|c| c["verdict"].as_str().expect("a verdict").to_owned()).collect()
    }
}

/// One hourly series with the given value of each hour; `None` leaves the row out.
fn hourly(target: &str, value: impl Fn(i64) -> Option<String>) -> String {
    let mut rows = String::new();
    for hour in 0..HOURS {
        if let Some(value) = value(hour) {
            let target = target.replace('"', "\"\"");
            writeln!(rows, "{},api,operation,\"{target}\",latency_p95,ms,{value}", START + hour * 3600)
                .expect("string");
        }
    }
    rows
}

fn deploy(id: &str, at: &str) -> String {
    format!("{{\"id\": \"{id}\", \"service\": \"api\", \"at\": \"{at}\"}}\n")
}

/// A level with a daily wave and a little noise that does not repeat.
fn plain(hour: i64) -> Option<String> {
    let wave = (hour as f64 * std::f64::consts::TAU / 24.0).sin();
    let noise = ((hour * 7919 % 1009) as f64 / 1009.0) - 0.5;
    Some(format!("{:.3}", 200.0 + 20.0 * wave + 8.0 * noise))
}

const MIDDLE: &str = "2026-11-12T10:00:00Z";

#[test]
fn names_that_mean_harm_stay_text() {
    let names = [
        "GET /<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "GET /\u{202e}drowssap\u{202c}/\u{200f}x",
        "]]></title><svg onload=alert(1)>",
        "GET /\u{1b}[31mred\u{7}",
        "=HYPERLINK(\"http://x\")|`cmd`|[a](javascript:alert(1))",
    ];
    let long = format!("GET /{}", "x".repeat(10_000));
    let series: String = names
        .iter()
        .copied()
        .chain([&*long])
        .map(|name| {
            hourly(name, |hour| {
                // Each becomes slower at the deploy, so that every name reaches the findings.
                plain(hour).map(|value| {
                    if hour >= 418 { format!("{:.3}", value.parse::<f64>().expect("number") * 1.6) } else { value }
                })
            })
        })
        .collect();
    let evil = "{\"id\": \"d1\", \"service\": \"api\", \"at\": \"2026-11-12T10:00:00Z\", \"title\": \"</td><script>x</script>\", \"url\": \"javascript:alert(1)\", \"author\": \"<b>me\"}\n";
    let run = Run::new(&format!("{HEADER}{series}"), evil);
    assert_eq!(run.code(), Some(0), "{}", run.talk());
    let page = run.file("report.html");
    for harm in [
        "<script",
        "<img",
        "onload=alert(1)>",
        "javascript:alert(1)\"",
        "</title><svg",
        "<b>me",
        "\u{202e}",
        "\u{1b}",
        "\u{7}",
    ] {
        assert!(!page.contains(harm), "{harm:?} is in the page");
    }
    assert!(!page.contains(&"x".repeat(5000)), "a name of 10 kB is shortened");
    assert!(page.contains("1 link is left out") && run.talk().contains("1 link is left out"), "{}", run.talk());
    assert!(!page.contains(">=HYPERLINK("), "a cell that a spreadsheet would run");
    let markdown = run.file("report.md");
    // Names stand in code spans, where markup is text; everything else must be escaped.
    let outside: String = markdown.lines().map(|line| line.split('`').step_by(2).collect::<String>()).collect();
    assert!(!outside.contains("<script") && !markdown.contains("\u{202e}") && !markdown.contains('\u{1b}'));
    assert!(
        !run.talk().contains('\u{1b}') && !run.talk().contains('\u{202e}'),
        "the terminal gets no control characters"
    );
    assert_eq!(run.verdicts().iter().filter(|verdict| *verdict == "worse").count(), names.len() + 1);
}

#[test]
fn broken_rows_are_named_or_counted() {
    let good = hourly("GET /", plain);
    let row = |text: &str| format!("{HEADER}{good}{text}\n");
    let line = HOURS + 2;
    let refused = [
        ("2026-11-01T00:00:00Z,api,operation,GET /x,latency_p95,parsec,1", "parsec"),
        ("yesterday,api,operation,GET /x,latency_p95,ms,1", "yesterday"),
        ("2026-11-01T00:00:00Z,api,endpoint,GET /x,latency_p95,ms,1", "endpoint"),
        ("2026-11-01T00:00:00Z,,operation,GET /x,latency_p95,ms,1", "service"),
        ("2026-11-01T00:00:00Z,api,operation,GET /x,latency_p95,ms,fast", "fast"),
        ("2026-11-01T00:00:00Z,api,operation,GET /,latency_p95,ms,99999", "GET /"),
        ("2026-11-01T00:00:00Z,api,operation,GET /x,latency_p95", "field"),
    ];
    for (text, word) in refused {
        let run = Run::new(&row(text), &deploy("d1", MIDDLE));
        assert_eq!(run.code(), Some(1), "{text}: {}", run.talk());
        assert!(
            run.talk().contains(&format!("series.csv:{line}")) && run.talk().contains(word),
            "{text}: {}",
            run.talk()
        );
    }
    let counted = [
        ("2026-11-01T00:00:00Z,api,operation,GET /x,latency_p95,ms,-5", "negative"),
        ("2026-11-01T00:00:00Z,api,operation,GET /x,error_rate,ratio,1.5", "above"),
        ("2026-11-01T00:00:00Z,api,operation,GET /x,error_rate,percent,101", "above"),
    ];
    for (text, word) in counted {
        let run = Run::new(&row(text), &deploy("d1", MIDDLE));
        assert_eq!(run.code(), Some(0), "{text}: {}", run.talk());
        let report: Value = serde_json::from_str(&run.file("report.json")).expect("report parses");
        let notes = report["sources"][0]["notes"].to_string();
        assert!(notes.contains(word) && notes.contains(&format!("series.csv:{line}")), "{text}: {notes}");
    }
}

#[test]
fn nothing_to_judge_is_never_fine() {
    for (series, said) in
        [(String::new(), "empty"), (HEADER.to_owned(), "no source has a point"), ("a,b\n1,2\n".to_owned(), "column")]
    {
        let run = Run::new(&series, &deploy("d1", MIDDLE));
        assert_eq!(run.code(), Some(1), "{series:?}: {}", run.talk());
        assert!(run.talk().to_lowercase().contains(said), "{series:?}: {}", run.talk());
        assert!(!run.folder.path().join("out").exists(), "no report is written");
    }
    let at = |hour: i64| hour == 500;
    let one = hourly("GET /", |hour| at(hour).then(|| "200".to_owned()));
    let missing = hourly("GET /", |hour| Some(if at(hour) { "200".to_owned() } else { "NaN".to_owned() }));
    for series in [one, missing] {
        let run = Run::new(&format!("{HEADER}{series}"), &deploy("d1", MIDDLE));
        assert_eq!(run.code(), Some(0), "{}", run.talk());
        assert_eq!(run.verdicts(), ["no_data"]);
        whole(&run);
    }
}

#[test]
fn constants_and_zeros_raise_no_alarm() {
    for value in ["200", "0"] {
        let run = Run::new(&format!("{HEADER}{}", hourly("GET /", |_| Some(value.to_owned()))), &deploy("d1", MIDDLE));
        assert_eq!(run.code(), Some(0), "{}", run.talk());
        assert!(run.verdicts().iter().all(|verdict| verdict != "worse" && verdict != "better"), "{:?}", run.verdicts());
        whole(&run);
    }
}

#[test]
fn deploys_outside_the_data_are_not_judged_fine() {
    let week = hourly("GET /", |hour| (hour >= 21 * 24).then(|| plain(hour)).flatten());
    let deploys = [
        deploy("before", "2026-11-10T10:00:00Z"),
        deploy("inside", "2026-11-19T10:00:00Z"),
        deploy("after", "2026-12-24T10:00:00Z"),
    ]
    .concat();
    let run = Run::new(&format!("{HEADER}{week}"), &deploys);
    assert_eq!(run.code(), Some(0), "{}", run.talk());
    let verdict = |id: &str| run.comparisons().iter().find(|c| c["deploy"] == id).map(|c| c["verdict"].clone());
    assert_eq!(verdict("before"), Some("no_data".into()));
    assert_eq!(verdict("after"), None, "it is outside the period");
    assert!(verdict("inside").is_some());
    whole(&run);
}

/// The page is whole: charts have marks, and no number that is none.
fn whole(run: &Run) {
    let page = run.file("report.html");
    assert!(page.ends_with("</html>\n") || page.ends_with("</html>"), "the page is whole");
    for nothing in ["NaN", "inf%", "Infinity"] {
        assert!(!page.contains(nothing), "{nothing} is in the page");
    }
    assert!(Path::new(run.folder.path()).join("out/report.md").is_file());
}
