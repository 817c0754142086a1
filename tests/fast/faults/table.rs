//! Each line of `docs/faults.md` names tests, and each of them is there.

use std::path::{Path, PathBuf};

/// Returns the file in which a test is, by its path: `fast::cloudwatch::tags::name`, `lib::store::coverage::tests::name`.
fn files_of(modules: &[&str]) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some((program, rest)) = modules.split_first() else { return Vec::new() };
    let base = if *program == "lib" { root.join("src") } else { root.join("tests").join(program) };
    let path = rest.iter().fold(base.clone(), |path, module| path.join(module));
    // `mod tests` may stand in the file that it tests.
    let parent = rest.split_last().map_or(base.clone(), |(_, rest)| rest.iter().fold(base, |path, one| path.join(one)));
    vec![path.with_extension("rs"), path.join("mod.rs"), parent.with_extension("rs"), parent.join("mod.rs")]
}

fn is_test(path: &str) -> bool {
    let modules: Vec<&str> = path.split("::").collect();
    let Some((name, modules)) = modules.split_last() else { return false };
    files_of(modules).iter().filter_map(|file| std::fs::read_to_string(file).ok()).any(|text| {
        let Some(at) = text.find(&format!("fn {name}(")) else { return false };
        text[..at].lines().rev().take(3).any(|line| line.contains("test]"))
    })
}

/// What the table has to speak of; the first column holds each of these words.
const FAULTS: [&str; 24] = [
    "without a point",
    "part of its series",
    "429",
    "500",
    "503",
    "no answer at all",
    "stops in the middle",
    "HTML",
    "redirect",
    "not accepted",
    "expired",
    "not allowed",
    "clock is ahead",
    "clock is behind",
    "collect: disk full",
    "marker: disk full",
    "report: disk full",
    "cannot be written",
    "segment is damaged",
    "events is damaged",
    "two collectors",
    "`collect` is killed",
    "`report` is killed",
    "`marker` is killed",
];

#[test]
fn every_line_of_the_table_of_faults_names_tests_that_exist() {
    let text = include_str!("../../../docs/faults.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---") && !line.starts_with("| what breaks"))
        .map(|line| line.trim_matches('|').split(" | ").collect())
        .collect();
    for row in &rows {
        assert_eq!(row.len(), 3, "{row:?}");
        let tests: Vec<&str> = row[2].split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test: {row:?}");
        for test in tests {
            assert!(is_test(test), "there is no test {test}");
        }
    }
    for fault in FAULTS {
        assert!(rows.iter().any(|row| row[0].contains(fault)), "no line about: {fault}");
    }
    assert!(!is_test("fast::faults::no_such_test") && !is_test("fast::faults::bytes"));
}
