//! `due`, and `report --if-due`: which periods have ended without a report.
//!
//! Schedulers know no fortnight, run late or twice, and follow another zone's clock. So they run often, and this decides:
//! periods are counted in local days from the anchor, and one is due from its end until its report is where it belongs.

use std::collections::BTreeSet;

use anyhow::Context as _;
use serde_json::json;

use super::period::{self, shifted, typed};
use super::{Exit, Failure, load, outcome, publishing, write_stdout};
use crate::cli::{DueArgs, Global};
use crate::config::{Config, Format};
use crate::model::time::{Window, last_period};
use crate::review::archive::key_of;
use crate::review::{Period, read};

/// Periods that catching up goes back at most: a year of fortnights.
const FURTHEST: usize = 26;

/// Prints whether a report is due, and the periods to come.
pub(super) fn due(args: &DueArgs, global: &Global) -> Result<Exit, Failure> {
    let config = load(&global.config, global.tz.as_deref())?;
    let now = period::instant(&config, "--at", &args.at)?.unwrap_or(outcome::clock()?.now());
    let missing = windows(&config, now, true)?;
    let mut coming = vec![next(&config, last(&config, now))];
    while coming.len() < args.count as usize {
        coming.extend(coming.last().map(|last| next(&config, *last)));
    }
    let ends = |window: &Window| (typed(window.start, config.zone), typed(window.end, config.zone));
    if args.json {
        let object = |window: &Window| {
            let (from, to) = ends(window);
            json!({"from": from, "to": to})
        };
        let all = |windows: &[Window]| windows.iter().map(object).collect::<Vec<_>>();
        let answer = json!({"is_due": !missing.is_empty(), "due": all(&missing), "coming": all(&coming)});
        let mut bytes = serde_json::to_vec_pretty(&answer).context("write the answer")?;
        bytes.push(b'\n');
        write_stdout(&bytes)?;
    } else {
        let line = |word: &str, window: &Window| {
            let (from, to) = ends(window);
            format!("{word:<8} {from} to {to}\n")
        };
        let due = missing.iter().map(|window| line("due", window));
        let coming = coming.iter().map(|window| line("coming", window));
        let text: String = due.chain(coming).collect();
        write_stdout(text.as_bytes())?;
    }
    Ok(if missing.is_empty() && args.exit_not_due { Exit::NotDue } else { Exit::Done })
}

/// Returns the periods that have ended without a report, the oldest first; without `catch_up` the last one at most.
///
/// # Errors
/// A place cannot be asked which reports it has: then it is not known what is due.
pub(super) fn windows(config: &Config, now: i64, catch_up: bool) -> Result<Vec<Window>, Failure> {
    let there = match publishing::archives(config)? {
        Some(keys) => keys,
        None => written(config)?,
    };
    Ok(missing(config, now, &there, catch_up))
}

/// Says that nothing is due, and when something will be.
pub(super) fn not_due(config: &Config, now: i64) -> String {
    let coming = next(config, last(config, now));
    let typed = |at| typed(at, config.zone);
    format!("not due: the next period is {} to {}", typed(coming.start), typed(coming.end))
}

fn last(config: &Config, now: i64) -> Window {
    last_period(config.period.anchor, config.period.days, now, config.zone)
}

fn next(config: &Config, window: Window) -> Window {
    Window::new(window.end, shifted(window.end, i64::from(config.period.days), config.zone))
}

/// `there`: first local days of the reports that are where they belong.
fn missing(config: &Config, now: i64, there: &BTreeSet<String>, catch_up: bool) -> Vec<Window> {
    let days = i64::from(config.period.days);
    let key = |window: &Window| key_of(&Period::new(*window, config.zone));
    let mut all = Vec::new();
    let mut window = last(config, now);
    // What lies before the first report was never asked for.
    let first = there.first().cloned();
    for _ in 0..if catch_up { FURTHEST } else { 1 } {
        let name = key(&window);
        if first.as_ref().map_or(!all.is_empty(), |first| name < *first) {
            break;
        }
        if !there.contains(&name) {
            all.push(window);
        } else if all.is_empty() && !catch_up {
            break;
        }
        window = Window::new(shifted(window.start, -days, config.zone), window.start);
    }
    all.reverse();
    all
}

/// Returns the first local day of the report in the output folder, if there is one.
fn written(config: &Config) -> Result<BTreeSet<String>, Failure> {
    let path = config.output.folder.join(Format::Json.file_name());
    if !path.exists() {
        return Ok(BTreeSet::new());
    }
    Ok(BTreeSet::from([key_of(&read::findings(&path)?.period)]))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::time::{DAY, HOUR, parse_instant};

    fn config(zone: &str) -> Config {
        let text = format!(
            "timezone = \"{zone}\"\n[period]\nanchor = 2026-11-09\n[[source]]\nkind = \"files\"\nseries = [\"a.csv\"]\n"
        );
        Config::parse(&text, Path::new("x.toml")).expect("valid")
    }

    fn key(config: &Config, window: Window) -> String {
        key_of(&Period::new(window, config.zone))
    }

    /// 2026 has a week 53, so jobs by odd or even weeks run twice or wait three weeks there.
    #[test]
    fn every_fortnight_is_due_exactly_once_however_often_and_late_the_schedule_runs() {
        for zone in ["Asia/Tokyo", "America/New_York", "Australia/Lord_Howe"] {
            let config = config(zone);
            let at = |text: &str| parse_instant(text, config.zone).expect("valid");
            // Daily, twice a day, every nine days (a scheduler that drops runs), monthly.
            for step in [DAY, DAY / 2 + HOUR, 9 * DAY, 31 * DAY] {
                let (mut now, mut there, mut made) = (at("2026-12-01T09:00:00Z"), BTreeSet::new(), Vec::new());
                while now < at("2028-03-20") {
                    for window in missing(&config, now, &there, true) {
                        assert!(window.end <= now, "not over yet");
                        assert!(there.insert(key(&config, window)), "twice");
                        made.push(window);
                    }
                    now += step;
                }
                let gaps = made.windows(2).filter(|pair| pair[0].end != pair[1].start).count();
                assert_eq!(gaps, 0, "{zone} every {} h", step / HOUR);
                let expected = if step > 14 * DAY { 33..=34 } else { 34..=35 };
                assert!(expected.contains(&made.len()), "{} in {zone}", made.len());
            }
        }
    }

    #[test]
    fn without_catching_up_only_the_last_period_is_made() {
        let config = config("Asia/Tokyo");
        let now = parse_instant("2027-03-01T09:00:00+09:00", config.zone).expect("valid");
        let there = BTreeSet::from(["2026-11-23".to_owned()]);
        let all = missing(&config, now, &there, true);
        let keys: Vec<String> = all.iter().map(|window| key(&config, *window)).collect();
        assert_eq!(keys.len(), 6, "{keys:?}");
        assert_eq!(keys.first().map(String::as_str), Some("2026-12-07"));
        assert_eq!(missing(&config, now, &there, false), all[5..]);
        // Nothing was ever reported: the last period, and none that nobody wanted.
        assert_eq!(missing(&config, now, &BTreeSet::new(), true), all[5..]);
        let done = BTreeSet::from(["2026-11-23".to_owned(), keys[5].clone()]);
        assert!(missing(&config, now, &done, false).is_empty());
        let all_done = BTreeSet::from([keys[5].clone()]);
        assert!(missing(&config, now, &all_done, true).is_empty(), "nothing before the first report is missing");
        assert_eq!(missing(&config, now, &done, true).len(), 5);
    }
}
