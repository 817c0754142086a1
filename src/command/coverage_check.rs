//! What `doctor` says of the days that the store holds of a source.

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};

use super::stored::{self, open_days};
use crate::render::doctor::Check;
use crate::store::DayState;

/// Whole days that may be behind before it is worth a word: yesterday may still change, and a run may come late.
const BEHIND: i64 = 2;

/// Missing days that are named.
const NAMED: usize = 5;

/// Looks at the days of one source.
///
/// `days`: the UTC days that are there. `today`: the day that is running, UTC.
pub(super) fn check(source: &str, days: &BTreeMap<NaiveDate, DayState>, today: NaiveDate) -> Check {
    let (Some((first, _)), Some((last, _))) = (days.first_key_value(), days.last_key_value()) else {
        let help = "run `fortnight collect` now, and every day: what a source has forgotten cannot be had again";
        return Check::warn("collected", source, "no day is collected yet", help);
    };
    let sealed = days.iter().filter(|(_, state)| **state == DayState::Sealed).map(|(day, _)| *day);
    let (count, newest) = (sealed.clone().count(), sealed.max());
    let mut found = format!("{} days from {first} to {last}, {count} of them complete", days.len());
    let span = (*last - *first).num_days().clamp(0, 3660);
    let missing: Vec<NaiveDate> =
        (0..span).map(|k| *first + TimeDelta::days(k)).filter(|day| !days.contains_key(day)).collect();
    let age = newest.map(|day| (today - day).num_days());
    match age {
        Some(age) => found.push_str(&format!("; the last complete one ended {} days ago", (age - 1).max(0))),
        None => found.push_str("; none is complete"),
    }
    let mut help: Vec<String> = Vec::new();
    if !missing.is_empty() {
        let named: Vec<String> = missing.iter().take(NAMED).map(NaiveDate::to_string).collect();
        let more = missing.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        found.push_str(&format!("; missing: {}{more}", named.join(", ")));
        help.push(
            "run `fortnight collect`: it takes the days that the source still has; the others stay gaps, which the \
             report counts as such"
                .to_owned(),
        );
    }
    if let Some((named, command)) = stored::named(source, &open_days(days)) {
        found.push_str(&format!("; open, because the source gave nothing or little: {named}"));
        help.push(format!("`collect` requests open days once a day; to request them now: `{command}`"));
    }
    if help.is_empty() && age.is_none_or(|age| age - 1 > BEHIND) {
        help.push("run `fortnight collect` every day, see setup/ of `fortnight init` for schedules".to_owned());
    }
    match help.is_empty() {
        true => Check::ok("collected", source, found),
        false => Check { help, ..Check::warn("collected", source, found, "") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::doctor::Health;

    fn date(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, day).expect("a day")
    }

    fn days(list: &[u32], unsealed: &[u32]) -> BTreeMap<NaiveDate, DayState> {
        let state = |day: &u32| if unsealed.contains(day) { DayState::UNFINISHED } else { DayState::Sealed };
        list.iter().map(|day| (date(*day), state(day))).collect()
    }

    #[test]
    fn days_without_a_hole_up_to_yesterday_are_well() {
        let found = check("apm", &days(&[18, 19, 20, 21, 22], &[22]), date(22));
        assert_eq!(found.health, Health::Ok);
        assert_eq!(
            found.found,
            "5 days from 2026-11-18 to 2026-11-22, 4 of them complete; the last complete one ended 0 days ago"
        );
    }

    #[test]
    fn holes_and_a_collector_that_stopped_are_told_with_what_to_do() {
        let cases = [
            (days(&[], &[]), "no day is collected yet"),
            (
                days(&[10, 12, 22], &[]),
                "missing: 2026-11-11, 2026-11-13, 2026-11-14, 2026-11-15, 2026-11-16 and 5 more",
            ),
            (days(&[10, 11], &[]), "ended 11 days ago"),
            (days(&[21, 22], &[21, 22]), "none is complete"),
        ];
        for (days, part) in cases {
            let found = check("apm", &days, date(23));
            assert!(found.health == Health::Warn && !found.help.is_empty() && found.found.contains(part), "{found:?}");
        }
        // A clock that is behind the store is told by its own line.
        assert_eq!(check("apm", &days(&[22], &[]), date(1)).health, Health::Ok);
    }

    #[test]
    fn open_days_are_named_with_the_command_that_requests_them() {
        let mut days = days(&[18, 19, 20, 21, 22], &[22]);
        for day in [19, 20] {
            days.insert(date(day), DayState::Open { requested: Some(date(22)) });
        }
        let found = check("apm", &days, date(22));
        assert_eq!(found.health, Health::Warn);
        assert!(found.found.contains("2 of them complete"), "{}", found.found);
        assert!(found.found.ends_with("gave nothing or little: 2026-11-19, 2026-11-20"), "{}", found.found);
        let command =
            "`fortnight collect --again --source apm --since 2026-11-19T00:00:00Z --until 2026-11-21T00:00:00Z`";
        assert!(found.help.concat().contains(command), "{:?}", found.help);
    }
}
