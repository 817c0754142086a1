//! Personal data and credentials in events and in names of series reach no output, no store and no message.

mod sources;

use std::path::Path;

use tempfile::TempDir;

use crate::support::program::{code, run, stderr, stdout, write};

/// Put together here, so that no whole one stands in this file.
fn secrets() -> [String; 3] {
    [["4111", "1111", "1111", "1111"].concat(), format!("taro{}example.jp", '@'), ["hunter2", "secret"].concat()]
}

/// Names of series that hold a secret each, in each kind of target.
fn names() -> Vec<(&'static str, String, &'static str)> {
    let [card, mail, password] = secrets();
    vec![
        ("operation", format!("GET /cards/{card}"), "latency_p95"),
        ("operation", format!("GET /cards/{}", ["5500", "0000", "0000", "0004"].concat()), "latency_p95"),
        ("operation", format!("POST /login?password={password}"), "latency_p95"),
        ("datastore", format!("select * from users where mail = '{mail}'"), "db_time"),
        ("resource", format!("host-{mail}"), "queue_time"),
        ("operation", "GET /staff/S123456".to_owned(), "latency_p95"),
    ]
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut text = String::from("time,service,kind,target,signal,unit,value\n");
    for hour in 0..672_i64 {
        let at = 1_795_392_000 - (672 - hour) * 3600;
        text.push_str(&format!("{at},api,operation,GET /,latency_p95,ms,{}\n", 100 + hour % 7));
        for (kind, target, signal) in names() {
            text.push_str(&format!("{at},api,{kind},\"{target}\",{signal},ms,{}\n", 50 + hour % 5));
        }
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

/// Reads every file below a folder. The store's segments are read through the program: what is in them is compressed.
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
    for code in ["scrubbed_card", "scrubbed_email", "scrubbed_secret", "scrubbed_literal"] {
        assert!(report.contains(code), "{code}");
    }
    // Two endpoints stay two.
    assert!(report.contains("GET /cards/[card]\"") && report.contains("GET /cards/[card] #2\""));
    let doctor = run(&folder, &["doctor", "--from", "2026-11-09", "--to", "2026-11-23"]);
    assert_clean("doctor", &format!("{}{}", stdout(&doctor), stderr(&doctor)));
    // What was typed as it was finds its deploy, and no answer repeats it.
    let [card, ..] = secrets();
    let id = format!("d-{card}");
    for args in [&["deploy", &id, "--from-report", "out"][..], &["deploy", &id], &["deploy", &format!("x-{card}")]] {
        let output = run(&folder, args);
        assert_eq!(code(&output) == 1, args[1].starts_with('x'), "{}", stderr(&output));
        assert_clean("deploy", &format!("{}{}", stdout(&output), stderr(&output)));
    }
}

#[test]
fn patterns_of_ones_own_are_replaced_by_their_name_and_a_broken_one_is_refused() {
    let folder = folder();
    let config = std::fs::read_to_string(folder.path().join("fortnight.toml")).expect("there");
    let with = |pattern: &str| {
        write(&folder, "fortnight.toml", &format!("{config}[scrub]\npatterns = {{ staff = '{pattern}' }}\n"))
    };
    with(r"\bS[0-9]{6}\b");
    let output = run(&folder, &["report", "--from", "2026-11-09", "--to", "2026-11-23", "--out", "out"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let report = std::fs::read_to_string(folder.path().join("out/report.json")).expect("written");
    assert!(report.contains("GET /staff/[staff]") && !report.contains("S123456") && report.contains("scrubbed_own"));
    for (pattern, words) in [("S[0-9", "unclosed"), (".*", "matches the empty text")] {
        with(pattern);
        let output = run(&folder, &["report"]);
        assert_eq!(code(&output), 2);
        assert!(
            stderr(&output).contains("`scrub.patterns.staff`") && stderr(&output).contains(words),
            "{}",
            stderr(&output)
        );
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
    for name in stored_names(&folder.path().join(".fortnight")) {
        assert_clean("a segment", &name);
    }
}

#[test]
fn a_broken_row_is_named_without_what_it_holds() {
    let folder = folder();
    let [card, mail, password] = secrets();
    let good = std::fs::read_to_string(folder.path().join("series.csv")).expect("there");
    for row in [
        format!("1795392000,api,operation,GET /,latency_p95,ms,{card}x"),
        format!("{mail},api,operation,GET /,latency_p95,ms,1"),
        format!("1795300000,api,operation,GET /x,latency_p95,token={password},1"),
        format!("1795300000,api,{card},GET /x,latency_p95,ms,1"),
    ] {
        write(&folder, "series.csv", &format!("{good}{row}\n"));
        let output = run(&folder, &["-vv", "report", "--from", "2026-11-09", "--to", "2026-11-23", "--out", "out"]);
        assert_ne!(code(&output), 0, "{row}");
        assert!(stderr(&output).contains("series.csv"), "the file is named: {}", stderr(&output));
        assert_clean("an error", &format!("{}{}", stdout(&output), stderr(&output)));
    }
}

/// Returns every text in the segments of a store.
fn stored_names(store: &Path) -> Vec<String> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let mut names = Vec::new();
    for path in glob::glob(&format!("{}/**/*.parquet", store.display())).expect("a pattern").flatten() {
        let reader = SerializedFileReader::new(std::fs::File::open(path).expect("there")).expect("Parquet");
        names.extend(reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row").to_string()));
    }
    assert!(names.iter().any(|row| row.contains("GET /")), "rows hold names");
    names
}
