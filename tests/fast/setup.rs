//! What a new team meets: `init`, then `doctor`; and markers from a pipeline or from files.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::support::program::{code, command, run, stderr, stdout, told, write};
use serde_json::Value;
use tempfile::TempDir;

const TEMPLATES: [&str; 4] = ["newrelic-cloudwatch", "cloudwatch", "newrelic", "files"];

fn folder() -> TempDir {
    tempfile::tempdir().expect("temporary folder")
}

/// Every file below a folder, by its path in it.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("inside").display().to_string();
                files.insert(name, std::fs::read_to_string(&path).expect("text"));
            }
        }
    }
    files
}

#[test]
fn init_writes_what_it_prints_and_the_same_every_time() {
    for template in TEMPLATES {
        let (one, other) = (folder(), folder());
        let output = run(&one, &["init", "--template", template]);
        let mut listed: Vec<String> =
            told(&output).lines().map(|line| line.trim_start_matches("./").to_owned()).collect();
        listed.sort();
        let files = tree(one.path());
        assert_eq!(listed, files.keys().cloned().collect::<Vec<_>>(), "{template}");
        assert!(stderr(&output).contains("next: fortnight doctor\n"), "{}", stderr(&output));
        told(&run(&other, &["init", "--template", template, "--dir", "."]));
        assert_eq!(files, tree(other.path()));
    }
}

#[test]
fn init_never_writes_over_a_file_unless_told() {
    let folder = folder();
    write(&folder, "fortnight.toml", "mine");
    let output = run(&folder, &["init"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (1, ""));
    assert!(stderr(&output).contains("fortnight.toml is there already") && stderr(&output).contains("--force"));
    assert_eq!(tree(folder.path()).len(), 1, "all or none");
    told(&run(&folder, &["init", "--force"]));
    assert_ne!(tree(folder.path())["fortnight.toml"], "mine");
}

#[cfg(unix)]
#[test]
fn the_store_that_init_prepares_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    told(&run(&folder, &["init"]));
    let mode = std::fs::metadata(folder.path().join(".fortnight")).expect("made").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

/// Reads YAML as far as a workflow file uses it, and returns the paths of its keys; panics on what is no YAML.
///
/// Indentation by spaces, `key:` or `key: value`, `- ` items, texts of several lines after `|`. A tab, a value that runs over, or an indentation that
/// fits no open block is refused, as a YAML reader would.
fn yaml_keys(text: &str) -> Vec<String> {
    let mut open: Vec<(usize, String)> = Vec::new();
    let mut keys = Vec::new();
    // Indentation of the key whose text of several lines goes on.
    let mut inside: Option<usize> = None;
    for (number, line) in text.lines().enumerate() {
        if inside.is_some_and(|at| line.trim().is_empty() || line.len() - line.trim_start().len() > at) {
            assert!(!line.contains('\t'), "line {number}: a tab");
            continue;
        }
        inside = None;
        let line = if line.trim_start().starts_with('#') { "" } else { line.split(" # ").next().unwrap_or_default() };
        if line.trim().is_empty() {
            continue;
        }
        assert!(!line.contains('\t'), "line {number}: a tab");
        let mut rest = line.trim_start();
        let mut indent = line.len() - rest.len();
        while let Some(item) = rest.strip_prefix("- ") {
            open.retain(|(at, _)| *at < indent);
            open.push((indent, "-".to_owned()));
            indent += 2;
            rest = item;
        }
        let (key, value) = rest.split_once(':').unwrap_or_else(|| panic!("line {number}: no key in {line:?}"));
        assert!(value.is_empty() || value.starts_with(' '), "line {number}: {line:?}");
        assert_eq!(value.matches('"').count() % 2, 0, "line {number}: {line:?}");
        let is_new_block = open.last().is_none_or(|(at, _)| indent > *at);
        let is_known = open.iter().any(|(at, _)| *at == indent);
        assert!(is_new_block || is_known, "line {number}: indentation of {line:?}");
        open.retain(|(at, _)| *at < indent);
        open.push((indent, key.trim().to_owned()));
        inside = (value.trim() == "|").then_some(indent);
        keys.push(open.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>().join("."));
    }
    keys
}

#[test]
fn the_right_to_see_tags_stands_by_itself() {
    let folder = folder();
    told(&run(&folder, &["init", "--template", "cloudwatch"]));
    let files = tree(folder.path());
    let with: Vec<&str> = files
        .iter()
        .filter(|(name, text)| name.ends_with(".json") && text.contains("tag:GetResources"))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(with, ["setup/tags-policy.json"], "who does not ask for tags gives no right to read them");
    let config = &files["fortnight.toml"];
    assert!(config.contains("\n#service_tag = \"Service\""), "{config}");
    // Taken at its word, the line is valid.
    let uncommented = config.replace("\n#service_tag", "\nservice_tag");
    std::fs::write(folder.path().join("fortnight.toml"), uncommented).expect("written");
    assert!(!failed(&doctor(&folder, &["--offline"]).1, "config").iter().any(|found| found.contains("service_tag")));
}

#[test]
fn every_file_of_every_template_is_what_its_name_says() {
    for template in TEMPLATES {
        let folder = folder();
        told(&run(&folder, &["init", "--template", template, "--tz", "Asia/Tokyo"]));
        for (name, text) in tree(folder.path()) {
            assert!(text.ends_with('\n') && !text.contains("\r"), "{name}");
            if name.ends_with(".json") {
                let policy: Value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(policy["Version"], "2012-10-17", "{name}");
                for statement in policy["Statement"].as_array().expect("statements") {
                    assert_eq!(statement["Effect"], "Allow", "{name}");
                    let actions = statement["Action"].to_string();
                    // Reading and becoming a reader; a star would allow what nobody thought of.
                    assert!(
                        !actions.contains('*') && !actions.contains("Put") && !actions.contains("Delete"),
                        "{name}"
                    );
                }
            } else if name.ends_with(".yml") {
                let keys = yaml_keys(&text);
                for key in ["on.schedule", "permissions.contents", "jobs.collect.steps", "jobs.collect.env"] {
                    assert!(keys.iter().any(|one| one == key), "{name}: no {key} in {keys:?}");
                }
                assert_eq!(text.contains("NEW_RELIC_API_KEY"), template.contains("newrelic"), "{template}");
                assert_eq!(text.contains("role-to-assume"), template.contains("cloudwatch"), "{template}");
            } else if name.ends_with(".service") || name.ends_with(".timer") {
                let is_line = |line: &str| line.is_empty() || line.starts_with(['#', '[']) || line.contains('=');
                assert!(text.lines().all(is_line) && text.contains("[Unit]"), "{name}");
            } else if name.ends_with("crontab") {
                for line in text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())) {
                    let fields: Vec<&str> = line.split_whitespace().take(5).collect();
                    assert!(fields.iter().all(|field| *field == "*" || field.parse::<u8>().is_ok()), "{line}");
                    assert!(!line.contains('%'), "a percent sign ends a line of cron: {line}");
                }
            }
        }
    }
}

fn doctor(folder: &TempDir, more: &[&str]) -> (i32, Value) {
    let output = run(folder, &[&["doctor", "--json"], more].concat());
    (code(&output), serde_json::from_slice(&output.stdout).expect("JSON"))
}

fn failed<'a>(checkup: &'a Value, check: &str) -> Vec<&'a str> {
    let checks = checkup["checks"].as_array().expect("checks");
    let all = checks.iter().filter(|one| one["check"] == check && one["health"] != "ok");
    all.map(|one| one["found"].as_str().expect("text")).collect()
}

#[test]
fn doctor_works_at_once_and_names_the_missing_variables() {
    let cases = [
        ("newrelic-cloudwatch", vec!["NEW_RELIC_API_KEY", "FORTNIGHT_EXTERNAL_ID", "FORTNIGHT_EXTERNAL_ID"]),
        ("cloudwatch", vec!["FORTNIGHT_EXTERNAL_ID"; 2]),
        ("newrelic", vec!["NEW_RELIC_API_KEY"]),
        ("files", vec![]),
    ];
    for (template, variables) in cases {
        let folder = folder();
        told(&run(&folder, &["init", "--template", template]));
        let (code, checkup) = doctor(&folder, &[]);
        assert_eq!(code, 1, "{template}");
        let expected: Vec<String> = variables.iter().map(|name| format!("{name} is not set")).collect();
        assert_eq!(failed(&checkup, "variable"), expected, "{template}");
        assert_eq!(failed(&checkup, "config"), [""; 0], "{template}");
        if template == "files" {
            assert!(failed(&checkup, "source")[0].contains("no file matches `exports/*.csv`"), "{checkup}");
        }
        for check in checkup["checks"].as_array().expect("checks") {
            assert!(check["health"] == "ok" || check["help"][0].is_string(), "says what to do: {check}");
        }
        assert_eq!(failed(&doctor(&folder, &["--offline"]).1, "variable"), expected, "{template}");
    }
}

#[test]
fn doctor_looks_at_one_source_and_refuses_a_name_that_is_none() {
    let folder = folder();
    told(&run(&folder, &["init"]));
    let (code_of_one, checkup) = doctor(&folder, &["--source", "apm", "--offline"]);
    assert_eq!(code_of_one, 1);
    assert_eq!(failed(&checkup, "variable"), ["NEW_RELIC_API_KEY is not set"]);
    let output = run(&folder, &["doctor", "--source", "aws-ap"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("did you mean `aws-app`?"), "{}", stderr(&output));
}

/// Puts account numbers into the config that `init` wrote.
fn fill_in(folder: &TempDir) {
    let path = folder.path().join("fortnight.toml");
    let text = std::fs::read_to_string(&path).expect("read");
    let text = text.replace("1234567", "7654321").replace("111122223333", "210987654321");
    write(folder, "fortnight.toml", &text.replace("444455556666", "109876543210"));
}

#[test]
fn the_value_of_a_variable_is_printed_nowhere() {
    let folder = folder();
    told(&run(&folder, &["init"]));
    fill_in(&folder);
    let mut command = command(&folder);
    command.args(["doctor", "--offline", "-vvv"]);
    command.env("NEW_RELIC_API_KEY", "NRAK-CANARY").env("FORTNIGHT_EXTERNAL_ID", "CANARY-ID");
    let output = command.output().expect("runs");
    let all = format!("{}{}", stdout(&output), stderr(&output));
    assert!(all.contains("NEW_RELIC_API_KEY is set") && !all.contains("CANARY"), "{all}");
    // Nothing is collected yet, which is no failure: a new team goes on with `collect`.
    assert_eq!(code(&output), 0, "{all}");
    assert!(all.contains("run `fortnight collect`"), "{all}");
    let report = run(&folder, &["report"]);
    assert_eq!(code(&report), 1);
    assert!(stderr(&report).contains("nothing is collected yet: run `fortnight collect`"), "{}", stderr(&report));
}

// Markers.

const FILES: &str = "[[source]]\nkind = \"files\"\nseries = [\"series.csv\"]\n";

fn with_config() -> TempDir {
    let folder = folder();
    write(&folder, "fortnight.toml", FILES);
    folder
}

fn marker(folder: &TempDir, args: &[&str]) -> Output {
    command(folder).arg("marker").args(args).env("SOURCE_DATE_EPOCH", "1795046700").output().expect("runs")
}

fn listed(folder: &TempDir) -> Vec<Value> {
    let text = told(&marker(folder, &["list", "--json"]));
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_marker_of_a_pipeline_is_one_however_often_the_step_runs() {
    let folder = with_config();
    let add = ["add", "--service", "card-api", "--revision", "4f2c9e1", "--title", "Add limit check"];
    let id = told(&marker(&folder, &add));
    assert_eq!(id, told(&marker(&folder, &add)));
    assert!(id.starts_with("m-") && id.trim_end().len() == 14, "{id}");
    assert_ne!(id, told(&marker(&folder, &["add", "--service", "card-api", "--revision", "4f2c9e2"])));
    let all = listed(&folder);
    assert_eq!(all.len(), 2);
    assert_eq!(all[0]["at"], "2026-11-19T00:05:00.000Z", "now, by SOURCE_DATE_EPOCH");
    // The same id again replaces.
    let named = ["add", "--service", "card-api", "--id", "ci-7", "--at", "2026-11-17"];
    assert_eq!(told(&marker(&folder, &named)), "ci-7\n");
    told(&marker(&folder, &[&named[..], &["--title", "later"]].concat()));
    let of_id: Vec<Value> = listed(&folder).into_iter().filter(|event| event["id"] == "ci-7").collect();
    assert_eq!((of_id.len(), of_id[0]["title"].as_str()), (1, Some("later")));
}

#[test]
fn markers_without_a_meaning_are_refused_and_nothing_is_recorded() {
    let folder = with_config();
    let cases: [&[&str]; 7] = [
        &["add"],
        &["add", "--service", "*"],
        &["add", "--service", "a", "--at", "yesterday"],
        &["add", "--service", "a", "--kind", "party"],
        &["add", "--service", "a", "--at", "2026-11-17", "--until", "2026-11-16"],
        &["add", "--service", "a", "--id", ""],
        &["add", "--service", "a", "--id", "inferred:x"],
    ];
    for args in cases {
        let output = marker(&folder, args);
        assert_eq!(code(&output), 2, "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).starts_with("error: "), "{args:?}");
    }
    assert!(listed(&folder).is_empty());
    // What concerns all services needs none.
    told(&marker(&folder, &["add", "--kind", "incident", "--at", "2026-11-17", "--until", "2026-11-18"]));
    assert_eq!(listed(&folder)[0]["service"], "*");
}

#[test]
fn files_are_imported_whole_or_not_at_all() {
    let folder = with_config();
    write(&folder, "a.jsonl", "{\"id\":\"d1\",\"service\":\"a\",\"at\":\"2026-11-17T11:05:00+09:00\"}\n");
    write(&folder, "b.csv", "id,service,at,revision\nd2,a,2026-11-18T00:00:00Z,4f2c9e1\nd3,a,soon,\n");
    let output = marker(&folder, &["import", "a.jsonl", "b.csv"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (1, ""));
    assert!(stderr(&output).contains("b.csv:3: ") && stderr(&output).contains("nothing was recorded"));
    assert!(listed(&folder).is_empty());
    write(&folder, "b.csv", "id,service,at,revision\nd2,a,2026-11-18T00:00:00Z,4f2c9e1\n");
    assert_eq!(told(&marker(&folder, &["import", "a.jsonl", "b.csv"])), "2\t2\n");
    assert_eq!(told(&marker(&folder, &["import", "a.jsonl", "b.csv"])), "2\t0\n");
    let text = told(&marker(&folder, &["list", "--since", "2026-11-18"]));
    assert_eq!(text, "2026-11-18T00:00:00Z\ta\tdeploy\t4f2c9e1\td2\t\n");
    assert_eq!(told(&marker(&folder, &["list", "--service", "b"])), "");
}

#[test]
fn what_is_listed_can_be_imported_from_standard_input() {
    let (one, other) = (with_config(), with_config());
    told(&marker(&one, &["add", "--service", "a", "--title", "tab\there\u{1b}[2J", "--until", "2026-11-20"]));
    assert!(!told(&marker(&one, &["list"])).contains('\u{1b}'), "names stay text");
    let lines = told(&marker(&one, &["list", "--json"]));
    let mut child = command(&other)
        .args(["marker", "import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    child.stdin.take().expect("piped").write_all(lines.as_bytes()).expect("written");
    assert_eq!(told(&child.wait_with_output().expect("ends")), "1\t1\n");
    assert_eq!(listed(&one), listed(&other));
    assert_eq!(code(&marker(&one, &["import", "-", "-"])), 2);
}

#[test]
fn what_init_writes_in_the_place_of_an_account_is_a_failure_until_it_is_replaced() {
    for (template, ids) in [("newrelic", &["apm"][..]), ("cloudwatch", &["aws-app", "aws-card"])] {
        let folder = folder();
        told(&run(&folder, &["init", "--template", template]));
        let (code, report) = doctor(&folder, &["--offline"]);
        let found = failed(&report, "placeholder");
        assert_eq!(code, 1, "{found:?}");
        assert!(found.len() >= ids.len(), "{found:?}");
        // With other numbers it is gone, and the key's placeholder is named by its variable alone.
        fill_in(&folder);
        let (_, report) = doctor(&folder, &["--offline"]);
        assert!(failed(&report, "placeholder").is_empty(), "{report}");
        let mut command = command(folder.path());
        // Without a request, too.
        command.args(["doctor", "--offline"]);
        command.env("NEW_RELIC_API_KEY", "NRAK-...").env("FORTNIGHT_EXTERNAL_ID", "...");
        let output = command.output().expect("runs");
        let printed = stdout(&output);
        assert!(output.status.code() == Some(1) && printed.contains("holds a placeholder"), "{printed}");
    }
}
