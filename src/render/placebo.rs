//! The outcome of the placebo deploys for people: counts, a table, the alarms, and lines for the config.

use chrono_tz::Tz;

use crate::model::time::{Window, local};
use crate::render::terminal::{columns_of, plain};
use crate::review::placebo::{Counts, LEAST_TESTS, Outcome, SignalCounts};

/// Writes the outcome for people, with lines for the config at its end.
pub fn text(outcome: &Outcome, zone: Tz, period: Window) -> String {
    let mut lines = head(outcome, zone, period);
    lines.push(String::new());
    lines.extend(table(outcome));
    lines.extend(alarm_lines(outcome));
    lines.extend(left_out_lines(outcome));
    lines.extend(config_lines(outcome));
    lines.join("\n") + "\n"
}

fn head(outcome: &Outcome, zone: Tz, period: Window) -> Vec<String> {
    let date = |at| local(at, zone).format("%Y-%m-%d %H:%M");
    let [low, high] = outcome.total.alarms_per_1000_ci;
    let alarms = outcome.total.worse + outcome.total.better;
    let at = if outcome.moments < alarms { format!(" at {} moments", outcome.moments) } else { String::new() };
    let mut lines = vec![
        format!(
            "{} comparisons with {} placebo deploys at moments without a real one, {} rounds",
            outcome.total.tests, outcome.placebos, outcome.rounds
        ),
        format!("{} to {} ({}), limits and settings of the config", date(period.start), date(period.end), zone.name()),
        format!(
            "false alarms: {alarms}{at}, that is {} per 1,000 (95 % interval {} to {})",
            rate(outcome.total.alarms_per_1000),
            rate(Some(low)),
            rate(Some(high))
        ),
    ];
    if let Some(expected) = outcome.expected_per_1000 {
        let verdict = match (outcome.within_claim, high <= expected) {
            (true, true) => "the measured rate is below it",
            (true, false) => "the measured rate does not contradict it",
            (false, _) => "the measured rate is HIGHER: trust alarms less, or raise the limits as below",
        };
        lines.push(format!("the reports' own audits allow for {} per 1,000: {verdict}", rate(Some(expected))));
    }
    if outcome.rounds > 1 {
        lines.push(
            "rounds look at the same hours again, so one change may be met often and the intervals are too narrow"
                .to_owned(),
        );
    }
    if outcome.not_judged > 0 {
        lines.push(format!("{} more comparisons had too little data", outcome.not_judged));
    }
    lines
}

fn table(outcome: &Outcome) -> Vec<String> {
    let head = [
        "signal",
        "tests",
        "worse",
        "better",
        "possibly",
        "per 1,000",
        "95 % interval",
        "range held",
        "proven",
        "detectable",
        "limit",
        "decided",
        "advice",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for one in &outcome.signals {
        let share = one.lever == "absolute";
        let mut row = vec![plain(&one.signal)];
        row.extend(cells(&one.counts));
        row.extend([size(one.detectable, share), size(Some(one.limit), share), percent(one.decided), advice(one)]);
        rows.push(row);
    }
    for one in &outcome.classes {
        let name = serde_json::to_value(one.class).ok().and_then(|name| name.as_str().map(str::to_owned));
        rows.push([vec![format!("all {}", name.unwrap_or_default())], cells(&one.counts)].concat());
    }
    rows.push([vec!["all".to_owned()], cells(&outcome.total)].concat());
    columns_of(&rows, &[0, 12])
}

fn alarm_lines(outcome: &Outcome) -> Vec<String> {
    if outcome.alarms.is_empty() {
        return Vec::new();
    }
    let title = "alarms, in case one is a real change that nobody recorded:".to_owned();
    let rows: Vec<Vec<String>> = outcome
        .alarms
        .iter()
        .map(|alarm| {
            let change = match (alarm.ratio, alarm.delta) {
                (Some(ratio), _) => format!("{:+.1} %", (ratio - 1.0) * 100.0),
                (_, Some(delta)) => format!("{delta:+.4}"),
                _ => String::new(),
            };
            let names = [&alarm.service, &alarm.target, &alarm.signal].map(|name| shorten(&plain(name)));
            let draws = if alarm.draws > 1 { format!("{} draws", alarm.draws) } else { String::new() };
            let head = vec![format!("  {}", alarm.at)];
            [head, names.to_vec(), vec![alarm.verdict.to_owned(), change, draws]].concat()
        })
        .collect();
    let mut lines = vec![String::new(), title];
    lines.extend(columns_of(&rows, &[0, 1, 2, 3, 4]));
    if outcome.moments > outcome.alarms.len() {
        lines.push(format!("  and {} more", outcome.moments - outcome.alarms.len()));
    }
    lines
}

fn left_out_lines(outcome: &Outcome) -> Vec<String> {
    let of = |reason: &str| -> Vec<String> {
        outcome.left_out.iter().filter(|one| one.reason == reason).map(|one| shorten(&plain(&one.service))).collect()
    };
    let mut lines = Vec::new();
    for (reason, words) in
        [("deploys", "deploys or other events everywhere"), ("too_short", "too few hours of data in the period")]
    {
        let names = of(reason);
        if !names.is_empty() {
            let shown = names.get(..10).unwrap_or(&names).join(", ");
            let more = names.len().saturating_sub(10);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            lines.push(format!("no placebo fits, {words}: {shown}{more}"));
        }
    }
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}

/// Writes the proposals that differ from the config, ready to be pasted.
fn config_lines(outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    for one in outcome.signals.iter().filter(|one| one.advice == "raise") {
        let Some(proposed) = one.proposed else { continue };
        lines.push(format!("[signal.{}]", toml_key(&one.signal)));
        if one.lever == "absolute" {
            lines.push(format!("absolute = {}", trimmed(proposed.limit * 100.0)));
            lines.push("unit = \"percent\"".to_owned());
        } else {
            lines.push(format!("relative = {}", trimmed(proposed.limit)));
        }
    }
    if lines.is_empty() {
        return lines;
    }
    lines.insert(0, "# for the config; merge with tables of the same name".to_owned());
    lines.insert(0, String::new());
    lines
}

/// Writes the counts of a row.
fn cells(counts: &Counts) -> Vec<String> {
    let [low, high] = counts.alarms_per_1000_ci;
    vec![
        counts.tests.to_string(),
        counts.worse.to_string(),
        counts.better.to_string(),
        counts.possibly_worse.to_string(),
        rate(counts.alarms_per_1000),
        format!("{} .. {}", rate(Some(low)), rate(Some(high))),
        percent(counts.coverage),
        percent(counts.proven),
    ]
}

fn advice(one: &SignalCounts) -> String {
    let share = one.lever == "absolute";
    match (one.advice, one.proposed) {
        ("fine", Some(proposed)) if proposed.limit < one.limit => {
            format!("fine; {} would do", size(Some(proposed.limit), share))
        }
        ("fine", _) => "fine".to_owned(),
        ("raise", Some(proposed)) => {
            format!(
                "raise to {} (at most {} per 1,000)",
                size(Some(proposed.limit), share),
                rate(Some(proposed.upper_per_1000))
            )
        }
        ("few", _) => format!("too few, {LEAST_TESTS} needed"),
        _ if one.alarms_at_most > 0 => format!("no limit is enough: {} alarms at any", one.alarms_at_most),
        _ => "no limit is enough: too noisy to decide".to_owned(),
    }
}

fn rate(per_1000: Option<f64>) -> String {
    per_1000.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

/// Writes a limit: relative in percent, a difference of shares in points.
fn size(value: Option<f64>, is_share: bool) -> String {
    let unit = if is_share { "pt" } else { "%" };
    value.map_or_else(|| "-".to_owned(), |value| format!("{} {unit}", short(value * 100.0)))
}

fn short(value: f64) -> String {
    if value.abs() >= 9.95 { format!("{value:.0}") } else { trimmed((value * 100.0).round() / 100.0) }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn shorten(name: &str) -> String {
    match name.char_indices().nth(40) {
        Some((cut, _)) => format!("{}...", name.get(..cut).unwrap_or(name)),
        None => name.to_owned(),
    }
}

/// Writes a name from outside as a key of TOML: bare where it may be, else quoted with everything strange escaped.
fn toml_key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) {
        return name.to_owned();
    }
    let escaped: String = name
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_alphanumeric() || (c.is_ascii() && !c.is_ascii_control()) => c.to_string(),
            c => format!("\\U{:08X}", u32::from(c)),
        })
        .collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_becomes_a_key_that_reads_back() {
        for name in ["latency_p95", "a.B", "x\"]\n[judge]", "\u{202e}\u{1b}", "決済", ""] {
            let line = format!("[signal.{}]\nrelative = 0.1\n", toml_key(name));
            let table: toml::Table = line.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
            assert!(table["signal"].as_table().expect("a table").contains_key(name), "{line}");
            assert!(!line.contains('\u{202e}') && !line.contains('\u{1b}'), "{line}");
        }
    }

    #[test]
    fn limits_are_written_as_they_are_typed() {
        assert_eq!([0.075, 0.1, 1.0].map(trimmed), ["0.075", "0.1", "1"]);
        assert_eq!(size(Some(0.075), false), "7.5 %");
        assert_eq!(size(Some(0.002), true), "0.2 pt");
    }
}
