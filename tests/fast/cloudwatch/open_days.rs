//! A day for which CloudWatch answers without a point stays open until it has some.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use fortnight::store::DayState;

#[test]
fn empty_days_stay_open_and_are_asked_again_until_they_are_whole() {
    with_keys("open_days::empty_days_stay_open_and_are_asked_again_until_they_are_whole", async || {
        let server = server(&ecs()).await;
        let is_broken = Arc::new(AtomicBool::new(true));
        let empty = [3, 4].map(|ago| day(ago).start / 1000);
        let broken = Arc::clone(&is_broken);
        server.answer(move |request, _| {
            let mut parts = complete(request);
            if broken.load(Ordering::Relaxed) && empty.contains(&request.start_s) {
                parts.iter_mut().for_each(|part| part.points.clear());
            }
            page(request, &parts, None)
        });
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "[[source]]\nid = \"aws\"\nkind = \"cloudwatch\"\nregions = [\"eu-west-1\"]\nendpoint = \"{}\"\n",
            server.server.uri()
        );
        std::fs::write(folder.path().join("fortnight.toml"), text).expect("written");
        let date = |ago: i64| {
            let day = chrono::DateTime::from_timestamp_millis(day(ago).start).expect("a time");
            day.format("%Y-%m-%d").to_string()
        };
        let run = |more: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_fortnight"));
            let (since, until) = (format!("{}T00:00:00Z", date(6)), format!("{}T00:00:00Z", date(0)));
            command.current_dir(folder.path()).args(["collect", "--since", &since, "--until", &until]).args(more);
            process::environment(&mut command, &variables());
            let output = command.output().expect("runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{said}");
            said
        };
        let open = || {
            let store = Store::open(&folder.path().join(".fortnight")).expect("opened");
            let days = store.catalog(Window::new(0, i64::MAX)).expect("read").days("aws");
            let is_open = |state: &DayState| matches!(state, DayState::Open { requested: Some(_) });
            days.iter().filter(|(_, state)| is_open(state)).map(|(day, _)| day.to_string()).collect::<Vec<_>>()
        };
        let said = run(&[]);
        let command = format!("--again --source aws --since {}T00:00:00Z --until {}T00:00:00Z", date(4), date(2));
        assert!(said.contains(&command) && said.contains("times=2"), "{said}");
        assert_eq!(open(), [date(4), date(3)]);
        // On the same date they are not asked again, unless somebody says so.
        let asked = server.asked().len();
        run(&[]);
        let again: Vec<i64> = server.asked().iter().skip(asked).map(|request| request.start_s).collect();
        assert!(!again.iter().any(|start| empty.contains(start)), "{again:?}");
        is_broken.store(false, Ordering::Relaxed);
        let said = run(&["--again"]);
        assert!(!said.contains("--again"), "{said}");
        assert!(open().is_empty());
    });
}
