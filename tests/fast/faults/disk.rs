//! Disks that are full at any write, and stores that cannot be written.

use super::*;

/// Runs a command that can write no file beyond a size, as on a full disk. Pipes are not files.
fn limited(folder: &Path, most_by: usize, args: &[&str]) -> Output {
    let inner = prepared(folder, args);
    let mut command = Command::new("bash");
    // Without the signal, writing fails with an error, which is what a full disk gives.
    let script = "trap '' XFSZ; exec prlimit --fsize=\"$0\" -- \"$@\"";
    command.arg("-c").arg(script).arg(most_by.to_string()).arg(inner.get_program());
    command.args(inner.get_args()).current_dir(folder);
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.output().expect("bash runs")
}

/// Checks that a run failed for want of room, in words that name a file and what to do.
fn has_failed(output: &Output, name: &str) {
    let said = stderr(output);
    assert_eq!(code(output), 1, "{said}");
    assert!(said.contains(name) && said.contains("File too large") && said.contains("help: "), "{said}");
}

#[test]
fn a_collector_on_a_full_disk_keeps_whole_days_and_goes_on_when_there_is_room() {
    let bench = Bench::new();
    assert_eq!(code(&bench.run(&["-q", "collect"])), 0);
    let whole = bytes(&bench.store(""));
    let mut sizes: Vec<usize> = whole.values().map(Vec::len).collect();
    sizes.sort_unstable();
    let largest = *sizes.last().expect("files");
    let mut kept_some = false;
    // A file that is as large as there is room for is written; each size but the largest is a limit for those above it.
    for most_by in sizes.into_iter().chain([0, 1, largest - 1]) {
        let folder = bench.other();
        let store = folder.path().join(".fortnight");
        let output = limited(folder.path(), most_by, &["-q", "collect"]);
        if most_by < largest {
            has_failed(&output, ".fortnight/");
            let kept = bytes(&store);
            assert!(kept.keys().all(|name| !name.to_string_lossy().contains(".writing-")), "{kept:?}");
            kept_some |= kept.len() > 1;
        }
        let output = prepared(folder.path(), &["-q", "collect"]).output().expect("runs");
        assert_eq!(code(&output), 0, "{most_by} bytes: {}", stderr(&output));
        assert!(bytes(&store) == whole, "{most_by} bytes: another store than with room");
    }
    assert!(kept_some, "the disk was full before anything was kept, each time");
}

#[test]
fn a_marker_on_a_full_disk_is_an_error_and_the_others_stay() {
    let bench = Bench::new();
    let add = |id| ["marker", "add", "--service", "a", "--id", id, "--at", "2026-11-20T03:00:00Z"];
    assert_eq!(code(&bench.run(&add("first"))), 0);
    let before = bytes(&bench.store(""));
    has_failed(&limited(bench.folder.path(), 0, &add("second")), "events.2.jsonl");
    assert!(bytes(&bench.store("")) == before);
    assert_eq!(code(&bench.run(&add("second"))), 0);
}

#[test]
fn a_report_a_snapshot_and_a_template_on_a_full_disk_are_errors_and_what_was_there_stays() {
    let bench = Bench::new();
    let folder = bench.folder.path();
    assert_eq!(code(&bench.run(&["-q", "collect", "--export", "all.tar"])), 0);
    assert_eq!(code(&bench.run(&["-q", "report", "--offline", "--out", "out"])), 0);
    let before = bytes(folder);
    for most_by in [0, 8 << 10] {
        let output = limited(folder, most_by, &["-q", "report", "--offline", "--out", "out"]);
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        assert!(
            stderr(&output).contains("report.") && stderr(&output).contains("File too large"),
            "{}",
            stderr(&output)
        );
        assert!(bytes(folder) == before, "{most_by} bytes: files changed");
    }
    has_failed(&limited(folder, 0, &["-q", "collect", "--until", "2026-11-20", "--export", "all.tar"]), "all.tar");
    let output = limited(folder, 0, &["init", "--dir", "new"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(bytes(folder) == before, "files changed");
}

#[test]
fn points_that_find_no_room_beside_the_memory_are_an_error() {
    let folder = tempfile::tempdir().expect("temporary folder");
    program::write(&folder, "fortnight.toml", "memory_mb = 16\n[[source]]\nkind = \"files\"\nseries = [\"a.csv\"]\n");
    let mut rows = "time,service,kind,target,signal,unit,value\n".to_owned();
    // Series take room even with few points.
    for series in 0..9_000 {
        for hour in 0..4 {
            let at = (NOW - 14 * 24 * HOUR + hour * HOUR) / 1000;
            rows.push_str(&format!("{at},s{},operation,GET /{series},latency_p95,ms,{}\n", series % 40, 100 + hour));
        }
    }
    program::write(&folder, "a.csv", &rows);
    let output = limited(folder.path(), 4096, &["report", "--out", "new"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("temporary file"), "{}", stderr(&output));
    assert!(!folder.path().join("new/report.json").exists());
}

#[test]
fn a_store_that_cannot_be_written_is_an_error_for_who_has_to_write() {
    let bench = Bench::new();
    assert_eq!(code(&bench.run(&["-q", "collect"])), 0);
    let lock = bench.store("lock");
    std::fs::remove_file(&lock).expect("removed");
    // Root may write everywhere, but not into a folder as if it were a file.
    std::fs::create_dir(&lock).expect("made");
    let before = bytes(&bench.store(""));
    let add = ["marker", "add", "--service", "a", "--at", "2026-11-20T03:00:00Z"];
    for args in [&["-q", "collect", "--again"][..], &add] {
        let output = bench.run(args);
        let said = stderr(&output);
        assert_eq!(code(&output), 1, "{said}");
        assert!(
            said.contains(".fortnight/lock: cannot be written") && said.contains("check the folder's owner"),
            "{said}"
        );
    }
    assert!(bytes(&bench.store("")) == before);
}
