//! Personal data and credentials in events reach no output, no store and no message.

use std::path::Path;

use tempfile::TempDir;

use crate::support::program::{code, run, stderr, stdout, write};

/// Put together here, so that no whole one stands in this file.
fn secrets() -> [String; 3] {
    [["4111", "1111", "1111", "1111"].concat(), format!("taro{}example.jp", '@'), ["hunter2", "secret"].concat()]
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut text = String::from("time,service,kind,target,signal,unit,value\n");
    for hour in 0..672_i64 {
        let at = 1_795_392_000 - (672 - hour) * 3600;
        text.push_str(&format!("{at},api,operation,GET /,latency_p95,ms,{}\n", 100 + hour % 7));
    }
    write(&folder, "series.csv", &text);
    let [card, mail, password] = secrets();
    let deploy = format!(
        "{{\"id\":\"d-{card}\",\"service\":\"api\",\"at\":\"2026-11-12T03:00:00Z\",\"title\":\"Refund {card}\",\
         \"author\":\"{mail}\",\"url\":\"https://user:{password}@git.example.com/pull/7\"}}\n"
    );
    write(&folder, "deploys.jsonl", &deploy);
    let config = "[[source]]\nkind = \"files\"\nseries = [\"series.csv\"]\ndeploys = [\"deploys.jsonl\"]\n";
    write(&folder, "fortnight.toml", config);
    folder
}

fn assert_clean(what: &str, text: &str) {
    for secret in secrets() {
        assert!(!text.contains(&secret), "{secret} is in {what}");
    }
}

/// Reads every file below a folder; Parquet holds no events.
fn assert_folder_is_clean(folder: &Path) {
    for path in glob::glob(&format!("{}/**/*", folder.display())).expect("a pattern").flatten() {
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("readable");
            assert_clean(&path.display().to_string(), &String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn a_report_on_files_shows_none_and_counts_them() {
    let folder = folder();
    let args = ["-vv", "report", "--from", "2026-11-09", "--to", "2026-11-23", "--out", "out"];
    let output = run(&folder, &args);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_clean("standard error", &stderr(&output));
    assert_folder_is_clean(&folder.path().join("out"));
    let report = std::fs::read_to_string(folder.path().join("out/report.json")).expect("written");
    for code in ["scrubbed_card", "scrubbed_email", "scrubbed_secret"] {
        assert!(report.contains(code), "{code}");
    }
}

#[test]
fn the_store_keeps_none() {
    let folder = folder();
    let [card, mail, _] = secrets();
    let output = run(&folder, &["-vv", "collect"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let title = format!("Refund {card}");
    let add = [
        "-vv",
        "marker",
        "add",
        "--service",
        "api",
        "--title",
        &title,
        "--author",
        &mail,
        "--at",
        "2026-11-13T03:00:00Z",
    ];
    let added = run(&folder, &add);
    assert_eq!(code(&added), 0, "{}", stderr(&added));
    let list = run(&folder, &["marker", "list"]);
    assert!(stdout(&list).contains("Refund"), "{}", stdout(&list));
    for output in [&output, &added, &list] {
        assert_clean("standard output", &stdout(output));
        assert_clean("standard error", &stderr(output));
    }
    assert_folder_is_clean(&folder.path().join(".fortnight"));
}
