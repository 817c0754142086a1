//! The command as others call it: exit codes, what goes to which stream, and the help.

use std::path::Path;
use std::process::Output;

use crate::support::program::{code, command, run, stderr, stdout, write};
use tempfile::TempDir;

const CONFIG: &str = "[[source]]\nkind = \"files\"\nseries = [\"series.csv\"]\n";

fn folder() -> TempDir {
    tempfile::tempdir().expect("temporary folder")
}

fn with_config(text: &str) -> TempDir {
    let folder = folder();
    write(&folder, "fortnight.toml", text);
    folder
}

/// Four weeks of one endpoint, hourly, until 2026-11-23.
fn with_series() -> TempDir {
    let folder = with_config(CONFIG);
    let mut text = String::from("time,service,kind,target,signal,unit,value\n");
    for hour in 0..672_i64 {
        let at = 1_795_392_000 - (672 - hour) * 3600;
        text.push_str(&format!("{at},api,operation,GET /,latency_p95,ms,{}\n", 100 + hour % 7));
    }
    write(&folder, "series.csv", &text);
    folder
}

#[test]
fn demo_prints_the_paths_of_what_it_wrote() {
    let folder = folder();
    let output = run(&folder, &["demo"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let listed = stdout(&output);
    assert_eq!(
        listed.lines().collect::<Vec<_>>(),
        ["fortnight-report/report.html", "fortnight-report/report.json", "fortnight-report/report.md"]
    );
    assert!(listed.lines().all(|path| folder.path().join(path).is_file()));
    assert!(stderr(&output).contains(" checks\n"), "{}", stderr(&output));
    // Nothing but the report is left behind.
    assert_eq!(std::fs::read_dir(folder.path().join("fortnight-report")).expect("folder").count(), 3);
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1);
}

#[test]
fn demo_gives_the_same_bytes_twice_whatever_the_clock_says() {
    let folder = folder();
    for out in ["a", "b"] {
        assert_eq!(code(&run(&folder, &["demo", "--out", out])), 0);
    }
    for name in ["report.html", "report.json", "report.md"] {
        let read = |out: &str| std::fs::read(folder.path().join(out).join(name)).expect("written");
        assert!(read("a") == read("b"), "{name} differs");
    }
}

#[test]
fn report_json_begins_with_its_schema_and_ends_with_the_period() {
    let folder = with_series();
    let args = ["report", "--from", "2026-11-09", "--to", "2026-11-23", "--format", "json", "--out", "r"];
    let output = run(&folder, &args);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), "r/report.json\n");
    let text = std::fs::read_to_string(folder.path().join("r/report.json")).expect("written");
    assert!(text.starts_with("{\n\"schema\":\"fortnight.report/1\","), "{text}");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value.pointer("/period/from").and_then(|at| at.as_str()), Some("2026-11-09T00:00:00Z"));
    assert_eq!(value.pointer("/generated_at"), value.pointer("/period/to"));
}

#[test]
fn source_date_epoch_sets_now_and_the_time_of_generation() {
    let folder = with_series();
    // 2026-11-30: on the default grid the last whole period is then 2026-11-09 to 2026-11-23.
    let output = command(&folder)
        .args(["report", "--format", "json"])
        .env("SOURCE_DATE_EPOCH", "1796000000")
        .output()
        .expect("runs");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = std::fs::read_to_string(folder.path().join("fortnight-report/report.json")).expect("written");
    assert!(text.contains("\"from\":\"2026-11-09T00:00:00Z\",\"to\":\"2026-11-23T00:00:00Z\""), "{text}");
    assert!(text.contains("\"generated_at\":\"2026-11-30T"), "{text}");
    let output = command(&folder).arg("report").env("SOURCE_DATE_EPOCH", "today").output().expect("runs");
    assert_eq!(code(&output), 2);
}

#[test]
fn a_period_without_data_names_the_span_to_type() {
    let folder = with_series();
    let output = run(&folder, &["report", "--from", "2025-01-01"]);
    assert_eq!(code(&output), 1);
    let talk = stderr(&output);
    assert!(talk.contains("error: failed to judge the period from 2025-01-01 to 2025-01-15"), "{talk}");
    assert!(talk.contains("help: the data cover 2026-10-26 to 2026-11-23"), "{talk}");
    assert!(talk.contains("help: type `--from 2026-11-09 --to 2026-11-23`"), "{talk}");
    assert!(!folder.path().join("fortnight-report").exists());
}

#[test]
fn a_mistyped_key_is_wrong_use_with_a_suggestion() {
    let folder = with_config(&format!("[judge.limit]\nrelatve = 0.2\n{CONFIG}"));
    let output = run(&folder, &["report"]);
    assert_eq!(code(&output), 2);
    assert_eq!(
        stderr(&output),
        "error: failed to read the config: fortnight.toml:2: `judge.limit.relatve`: there is no such key\n\
         help: did you mean `relative`?\n"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn a_missing_config_says_where_to_get_one() {
    let folder = folder();
    let output = run(&folder, &["report"]);
    assert_eq!(code(&output), 2);
    let talk = stderr(&output);
    assert!(talk.contains("fortnight.toml: ") && talk.contains("help: name a config with `--config FILE`"), "{talk}");
    assert!(talk.contains("`fortnight init`"), "{talk}");
}

#[test]
fn the_config_is_named_by_flag_before_environment() {
    let folder = folder();
    let output = command(&folder).arg("report").env("FORTNIGHT_CONFIG", "from-env.toml").output().expect("runs");
    assert!(stderr(&output).contains("from-env.toml"));
    let args = ["report", "-c", "from-flag.toml"];
    let output = command(&folder).args(args).env("FORTNIGHT_CONFIG", "from-env.toml").output().expect("runs");
    assert!(stderr(&output).contains("from-flag.toml"));
}

#[test]
fn wrong_flags_are_wrong_use() {
    let folder = with_config(CONFIG);
    for args in [
        &["report", "--bogus"][..],
        &["report", "--format", "pdf"],
        &["report", "--from", "yesterday"],
        &["report", "--from", "2026-11-23", "--to", "2026-11-09"],
        &["report", "--tz", "Asia/Tokio"],
        &["schema", "report", "--toml"],
        &["bogus"],
        &[],
    ] {
        let output = run(&folder, args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{args:?}");
    }
    let talk = stderr(&run(&folder, &["report", "--tz", "Asia/Tokio"]));
    assert!(talk.contains("did you mean `Asia/Tokyo`?"), "{talk}");
}

#[test]
fn a_folder_that_cannot_be_made_is_a_failure() {
    let folder = folder();
    write(&folder, "taken", "");
    let output = run(&folder, &["demo", "--out", "taken/report"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("failed to make the folder taken/report: "), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
}

#[test]
fn a_source_that_fails_is_an_error_unless_it_is_optional() {
    let folder = with_series();
    let broken = "[[source]]\nid = \"broken\"\nkind = \"files\"\nseries = [\"no-such-file.csv\"]\n";
    write(&folder, "needed.toml", &format!("{CONFIG}{broken}"));
    write(&folder, "optional.toml", &format!("{CONFIG}{broken}optional = true\n"));
    let report = |config: &str, more: &[&str]| {
        let args = ["report", "-c", config, "--from", "2026-11-09", "--to", "2026-11-23"];
        run(&folder, &[&args, more].concat())
    };
    let output = report("needed.toml", &[]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("needs `optional = true` at the source `broken`"), "{}", stderr(&output));
    assert!(!folder.path().join("fortnight-report").exists());
    let output = report("optional.toml", &[]);
    assert_eq!(code(&output), 0);
    assert!(stderr(&output).contains("! Source broken failed: "), "{}", stderr(&output));
    // The report is written all the same.
    let output = report("optional.toml", &["--fail-on", "partial"]);
    assert_eq!((code(&output), stdout(&output).lines().count()), (5, 3));
}

#[test]
fn collect_says_that_an_optional_source_failed_even_when_it_is_quiet() {
    let folder = with_series();
    let broken = "[[source]]\nid = \"broken\"\nkind = \"files\"\nseries = [\"no-such-file.csv\"]\noptional = true\n";
    write(&folder, "fortnight.toml", &format!("{CONFIG}{broken}"));
    let output = run(&folder, &["--quiet", "collect"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("optional source failed") && stderr(&output).contains("broken"));
    let output = run(&folder, &["--quiet", "collect", "--fail-on", "partial"]);
    assert_eq!((code(&output), stdout(&output).lines().count()), (5, 2), "{}", stderr(&output));
    // Nothing failed, so nothing is partial.
    write(&folder, "fortnight.toml", CONFIG);
    assert_eq!(code(&run(&folder, &["--quiet", "collect", "--fail-on", "partial"])), 0);
}

#[test]
fn collect_prints_one_line_a_source() {
    let folder = with_series();
    let output = run(&folder, &["collect"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let listed = stdout(&output);
    let fields: Vec<&str> = listed.trim_end().split('\t').collect();
    assert_eq!((listed.lines().count(), fields.len(), fields.first()), (1, 4, Some(&"files")), "{listed}");
    assert_eq!(code(&run(&folder, &["collect", "--since", "2026-02-01", "--until", "2026-01-01"])), 2);
}

#[test]
fn schemas_and_the_default_config_parse() {
    let folder = folder();
    for what in ["config", "report", "explain", "deploy", "doctor", "placebo"] {
        let output = run(&folder, &["schema", what]);
        let schema: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(schema.get("$schema").is_some() && schema.get("properties").is_some());
    }
    let output = run(&folder, &["schema", "config", "--toml"]);
    let text = stdout(&output);
    fortnight::config::Config::parse(&text, Path::new("x.toml")).expect("valid");
}

#[test]
fn completions_are_there_for_the_usual_shells() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&folder, &["completions", shell]);
        assert_eq!(code(&output), 0);
        assert!(stdout(&output).contains("fail-on"), "{shell}");
    }
}

#[test]
fn man_prints_a_page_or_writes_one_a_command() {
    let folder = folder();
    let output = run(&folder, &["man"]);
    assert!(stdout(&output).contains(".TH fortnight 1"));
    let output = run(&folder, &["man", "--out", "man1"]);
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).lines().any(|path| path == "man1/fortnight-report.1"), "{}", stdout(&output));
    assert!(stdout(&output).lines().all(|path| folder.path().join(path).is_file()));
}

#[test]
fn version_and_help_are_data() {
    let folder = folder();
    let output = run(&folder, &["--version"]);
    assert_eq!(stdout(&output), format!("fortnight {}\n", env!("CARGO_PKG_VERSION")));
    let help = stdout(&run(&folder, &["--help"]));
    for word in [
        "Examples:",
        "Exit codes:",
        "demo",
        "report",
        "deploy",
        "explain",
        "doctor",
        "collect",
        "schema",
        "completions",
        "man",
    ] {
        assert!(help.contains(word), "{word}");
    }
    assert!(stdout(&run(&folder, &["report", "--help"])).contains("--fail-on worse,partial"));
}

#[test]
fn colour_needs_a_terminal_or_the_flag() {
    let folder = with_config("x = 1");
    let escape = |output: &Output| output.stderr.contains(&0x1b);
    assert!(!escape(&run(&folder, &["report"])));
    assert!(escape(&run(&folder, &["report", "--color", "always"])));
    let args = ["report", "--color", "auto"];
    assert!(!escape(&command(&folder).args(args).env("NO_COLOR", "1").output().expect("runs")));
    assert!(!escape(&run(&folder, &["report", "--color", "never"])));
}

#[test]
fn quiet_says_nothing_but_errors() {
    let folder = folder();
    let output = run(&folder, &["-q", "demo"]);
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
    assert!(stderr(&run(&folder, &["-q", "report"])).starts_with("error: "));
}

#[test]
fn as_json_every_line_of_talk_is_an_object() {
    let folder = folder();
    for args in [&["--log-format", "json", "demo"][..], &["--log-format", "json", "report"]] {
        let output = run(&folder, args);
        let talk = stderr(&output);
        assert!(!talk.is_empty());
        for line in talk.lines() {
            let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert!(record.get("level").is_some(), "{line}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let folder = folder();
    let program = env!("CARGO_BIN_EXE_fortnight");
    let script = format!("{{ '{program}' schema report; echo $? >code; }} | true");
    let status =
        std::process::Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().expect("runs");
    assert!(status.stderr.is_empty(), "{}", String::from_utf8_lossy(&status.stderr));
    assert_eq!(std::fs::read_to_string(folder.path().join("code")).expect("written").trim(), "0");
}

#[test]
fn a_damaged_part_of_the_store_is_said_in_the_report() {
    let folder = with_series();
    assert_eq!(run(&folder, &["collect"]).status.code(), Some(0));
    let mut folders = vec![folder.path().join(".fortnight")];
    let mut segment = None;
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("read").map(|entry| entry.expect("entry").path()) {
            match entry.extension().and_then(|extension| extension.to_str()) {
                _ if entry.is_dir() => folders.push(entry),
                Some("parquet") => segment = Some(entry),
                _ => {}
            }
        }
    }
    let segment = segment.expect("a segment was written");
    let bytes = std::fs::read(&segment).expect("read");
    std::fs::write(&segment, &bytes[..bytes.len() / 2]).expect("cut off");
    let output =
        run(&folder, &["report", "--from", "2026-11-09", "--to", "2026-11-23", "--fail-on", "partial", "--out", "out"]);
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    let report = std::fs::read_to_string(folder.path().join("out/report.json")).expect("the report stands");
    let report: serde_json::Value = serde_json::from_str(&report).expect("parses");
    let store = report["sources"].as_array().expect("sources").iter().find(|source| source["id"] == "store");
    let errors = store.expect("the store is named")["errors"].to_string();
    let name = segment.file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(errors.contains(name), "{errors}");
    assert!(std::fs::read_to_string(folder.path().join("out/report.html")).expect("page").contains(name));
}
