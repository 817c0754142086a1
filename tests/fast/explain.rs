//! `fortnight explain`: what it prints of a written report, by which names findings are found, and what it refuses.

use crate::support::program::{run, stderr, told as stdout};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with the demo's report in it.
fn demo() -> (TempDir, Value) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let output = run(folder.path(), &["demo"]);
    let talk = stderr(&output);
    let report = std::fs::read_to_string(folder.path().join("fortnight-report/report.json")).expect("written");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    // What is said at the end can be typed as it stands.
    let first = report["findings"][0]["id"].as_str().expect("an id");
    let next = format!("next: fortnight explain {first} --from-report fortnight-report/report.json\n");
    assert!(talk.ends_with(&next), "{talk}");
    (folder, report)
}

#[test]
fn a_finding_is_told_in_full_by_id_prefix_or_number() {
    let (folder, report) = demo();
    let findings = report["findings"].as_array().expect("findings");
    let index = findings.iter().position(|one| one["target"] == "POST /v1/authorizations").expect("told");
    let id = findings[index]["id"].as_str().expect("an id");
    let whole = stdout(&run(folder.path(), &["explain", id]));
    for part in [
        id,
        "POST /v1/authorizations became slower after deploy #25",
        "Every signal of this target that moved",
        "judge.limit.relative",
        "L +26% > 0, E +27% ≥ δ 10%",
        "So: Worse.",
        "What else could explain it",
        "Left out: deploys and",
        "Failover of the card",
        "2026-11-03 文化の日",
        "p25",
        "card-api-1842",
    ] {
        assert!(whole.contains(part), "{part:?} is not in\n{whole}");
    }
    let short = id.to_lowercase();
    let short = short.get(..6).expect("ASCII");
    let number = (index + 1).to_string();
    for name in [short, number.as_str(), &format!("#{number}")] {
        assert_eq!(stdout(&run(folder.path(), &["explain", name])), whole, "{name}");
    }
    let named = ["explain", id, "--from-report", "fortnight-report/report.json"];
    assert_eq!(stdout(&run(folder.path(), &named)), whole);
}

#[test]
fn it_speaks_the_first_language_of_the_config_or_the_one_asked_for() {
    let (folder, _) = demo();
    let japanese = stdout(&run(folder.path(), &["explain", "1", "--lang", "ja"]));
    assert!(japanese.contains("判定の根拠") && japanese.contains("ほかに考えられる要因"), "{japanese}");
    let config = "languages = [\"ja\"]\n[[source]]\nkind = \"files\"\nseries = [\"a.csv\"]\n";
    std::fs::write(folder.path().join("fortnight.toml"), config).expect("written");
    assert_eq!(stdout(&run(folder.path(), &["explain", "1"])), japanese);
    assert_eq!(run(folder.path(), &["explain", "1", "--lang", "fr"]).status.code(), Some(2));
}

#[test]
fn its_json_is_the_reports_own() {
    let (folder, report) = demo();
    let output = stdout(&run(folder.path(), &["explain", "2", "--json"]));
    assert!(output.starts_with("{\n  \"schema\": \"fortnight.explain/1\",\n"), "{output}");
    let told: Value = serde_json::from_str(&output).expect("JSON");
    assert_eq!(told["finding"]["explanation"], report["findings"][1]["explanation"]);
    assert_eq!(told["finding"]["id"], report["findings"][1]["id"]);
    assert_eq!(told["deploys"][0]["id"], report["findings"][1]["deploy"]);
    let schema: Value =
        serde_json::from_str(&stdout(&run(folder.path(), &["schema", "explain"]))).expect("the schema is JSON");
    for (object, name) in [(&told, ""), (&told["finding"], "Finding"), (&told["finding"]["explanation"], "Explanation")]
    {
        let shape = if name.is_empty() { &schema } else { &schema["$defs"][name] };
        let listed: Vec<&String> = shape["properties"].as_object().expect("properties").keys().collect();
        let written: Vec<&String> = object.as_object().expect("an object").keys().collect();
        assert_eq!(listed, written, "{name}");
    }
}

#[test]
fn the_page_says_the_same_numbers() {
    let (folder, report) = demo();
    let page = std::fs::read_to_string(folder.path().join("fortnight-report/report.html")).expect("written");
    for (index, finding) in report["findings"].as_array().expect("findings").iter().take(12).enumerate() {
        let text = stdout(&run(folder.path(), &["explain", &(index + 1).to_string()]));
        let anchor = format!("id=\"finding-{}\"", finding["id"].as_str().expect("an id"));
        let card = page.split(&anchor).nth(1).and_then(|rest| rest.split("</article>").next()).expect("a card");
        // The rule with its numbers, and the hours that were used.
        let rule = text.lines().find_map(|line| line.trim_start().strip_prefix("Rule ")).expect("a rule").trim();
        let rule = rule.split('–').next().expect("numbers").trim();
        assert!(card.contains(&rule.replace('>', "&gt;").replace('<', "&lt;")), "{rule} is not on the page");
        let used = finding["explanation"]["before"]["used"].as_f64().expect("hours");
        assert!(used > 0.0 && card.contains("Hours used"), "{card}");
    }
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    let (folder, report) = demo();
    let refused = |args: &[&str], code: i32| {
        let output = run(folder.path(), args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
        stderr(&output)
    };
    let id = report["findings"][0]["id"].as_str().expect("an id");
    let wrong = format!("{}x", id.get(..7).expect("ASCII"));
    let talk = refused(&["explain", &wrong], 2);
    assert!(talk.contains(&format!("did you mean `{id}`?")) && talk.contains("a number from 1 to"), "{talk}");
    let talk = refused(&["explain", "F-\u{1b}[2J\u{202e}"], 2);
    assert!(!talk.contains('\u{1b}') && !talk.contains('\u{202e}'), "{talk}");
    assert!(refused(&["explain", "F-"], 2).contains(id));
    refused(&["explain"], 2);
    let talk = refused(&["explain", "1", "--from-report", "no/report.json"], 1);
    assert!(talk.contains("help: write one with `fortnight report`"), "{talk}");
    std::fs::write(folder.path().join("other.json"), "{\"schema\":\"something/1\"}").expect("written");
    let talk = refused(&["explain", "1", "--from-report", "other.json"], 1);
    assert!(talk.contains("\"something/1\""), "{talk}");
}

#[test]
fn a_report_without_findings_has_nothing_to_explain() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut series = String::from("time,service,kind,target,signal,unit,value\n");
    for hour in 0..672_i64 {
        series.push_str(&format!("{},api,operation,GET /,latency_p95,ms,100\n", 1_795_392_000 - (672 - hour) * 3600));
    }
    std::fs::write(folder.path().join("series.csv"), series).expect("written");
    let config = "[[source]]\nkind = \"files\"\nseries = [\"series.csv\"]\n";
    std::fs::write(folder.path().join("fortnight.toml"), config).expect("written");
    let output = run(folder.path(), &["explain", "1"]);
    assert_eq!(output.status.code(), Some(1), "no report yet: {}", stderr(&output));
    let report = run(folder.path(), &["report", "--from", "2026-11-09", "--to", "2026-11-23"]);
    assert_eq!(report.status.code(), Some(0));
    assert!(!stderr(&report).contains("next:"), "{}", stderr(&report));
    let output = run(folder.path(), &["explain", "1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("has no findings"), "{}", stderr(&output));
}

#[test]
fn hostile_names_stay_text() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut series = String::from("time,service,kind,target,signal,unit,value\n");
    let evil = "GET /\u{1b}[31m\u{202e}<script>|`x`\u{7}";
    for hour in 0..672_i64 {
        let noise = (hour * 7919 % 1009) as f64 / 1009.0;
        let level = if hour >= 418 { 160.0 } else { 100.0 };
        series.push_str(&format!(
            "{},api,operation,\"{evil}\",latency_p95,ms,{}\n",
            1_792_972_800 + hour * 3600,
            level + 4.0 * noise
        ));
    }
    std::fs::write(folder.path().join("series.csv"), series).expect("written");
    let deploy = "{\"id\": \"d\\u001b[2J1\", \"service\": \"api\", \"at\": \"2026-11-12T10:00:00Z\", \"title\": \"\\u202e</td>\", \"url\": \"javascript:alert(1)\"}\n";
    std::fs::write(folder.path().join("deploys.jsonl"), deploy).expect("written");
    let config = "[[source]]\nkind = \"files\"\nseries = [\"series.csv\"]\ndeploys = [\"deploys.jsonl\"]\n";
    std::fs::write(folder.path().join("fortnight.toml"), config).expect("written");
    let report = run(folder.path(), &["report", "--from", "2026-11-09", "--to", "2026-11-23"]);
    assert_eq!(report.status.code(), Some(0), "{}", stderr(&report));
    for lang in ["en", "ja"] {
        let text = stdout(&run(folder.path(), &["explain", "1", "--lang", lang]));
        assert!(text.contains("<script>") && !text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{text}");
    }
    let json = stdout(&run(folder.path(), &["explain", "1", "--json"]));
    assert!(!json.contains('\u{1b}') && serde_json::from_str::<Value>(&json).is_ok(), "{json}");
    let page = std::fs::read_to_string(folder.path().join("fortnight-report/report.html")).expect("written");
    assert!(page.contains("class=\"sheet\"") && !page.contains("<script") && !page.contains('\u{1b}'));
}
