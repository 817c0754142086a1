//! Verdicts, held against text scripts: `tests/detect/*.txt`. A new case needs no Rust; the language is told in
//! `tests/detect/README.md`.

use crate::support::series::{self, Change, Load, Spec};
use chrono::NaiveDate;
use chrono_tz::Tz;
use fortnight::detect::{self, Comparison, Context, Effect, Judgement, Pattern, UnattributedKind};
use fortnight::model::event::{Event, EventKind};
use fortnight::model::metric::{Kind, Series, UNITS};
use fortnight::model::time::{self, HOUR, MINUTE, Window};

/// The words for a pattern.
const PATTERNS: [&str; 7] = ["sustained", "recovered", "burst", "tail_only", "gradual", "delayed", "no_pattern"];

/// One case as its script says.
struct Case {
    name: String,
    place: String,
    start: NaiveDate,
    days: i64,
    period_days: i64,
    zone: Tz,
    config: String,
    series: Vec<Spec>,
    events: Vec<Event>,
    /// Line and words of each expectation.
    expected: Vec<(usize, Vec<String>)>,
}

type Failure = String;

#[test]
fn every_script_holds() {
    let folder = format!("{}/tests/detect", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    let only = std::env::var("CASE").unwrap_or_default();
    let (mut failures, mut count) = (Vec::new(), 0);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("script");
        let name = file.file_name().expect("name").to_string_lossy().into_owned();
        for case in parse(&name, &text).unwrap_or_else(|failure| panic!("{failure}")) {
            if case.name.contains(&only) {
                count += 1;
                failures.extend(run(&case));
            }
        }
    }
    assert!(count > 0, "no case");
    assert!(failures.is_empty(), "{} of {count} cases do not hold:\n\n{}", failures.len(), failures.join("\n"));
}

/// Judges one case; returns what did not hold, if anything.
fn run(case: &Case) -> Option<Failure> {
    let config = series::config(&format!("timezone = \"{}\"\n{}", case.zone, case.config));
    let midnight = |day: i64| time::midnight(case.start + chrono::TimeDelta::days(day), case.zone);
    let history = Window::new(midnight(0), midnight(case.days));
    let period = Window::new(midnight(case.days - case.period_days), history.end);
    let context = Context { config: &config, period, history };
    let mut made: Vec<Series> = Vec::new();
    let is_traffic = |spec: &&Spec| spec.name[2] == "throughput";
    for spec in case.series.iter().filter(is_traffic) {
        made.push(spec.make(history, case.zone, None));
    }
    for spec in case.series.iter().filter(|spec| !is_traffic(spec)) {
        let usual = case.series.iter().find(|load| is_traffic(load) && load.name[..2] == spec.name[..2]);
        let load = usual.and_then(|usual| {
            let series = made.iter().find(|series| is_of(series, &usual.name))?;
            Some(Load { series, usual: usual.level })
        });
        made.push(spec.make(history, case.zone, load.as_ref()));
    }
    made.sort_by(|a, b| a.key.cmp(&b.key));
    let mut events = case.events.clone();
    events.sort_by_key(|event| event.at);
    let once = detect::merge(
        vec![detect::judge_shard(detect::Shard { series: &made, events: &events, context })],
        &events,
        &context,
    );
    let again = detect::merge(
        vec![detect::judge_shard(detect::Shard { series: &made, events: &events, context })],
        &events,
        &context,
    );
    let mut wrong: Vec<String> = case
        .expected
        .iter()
        .filter_map(|(line, words)| {
            let text = words.join(" ");
            check(case, &once, &made, &events, words)
                .err()
                .map(|why| format!("  line {line}: expect {text}\n    {why}"))
        })
        .collect();
    // NaN is not itself, so the two are compared as text.
    if format!("{once:?}") != format!("{again:?}") {
        wrong.push("  the same input gave another judgement".to_owned());
    }
    (!wrong.is_empty()).then(|| format!("{} ({})\n{}\n", case.name, case.place, wrong.join("\n")))
}

fn is_of(series: &Series, name: &[String; 3]) -> bool {
    [&series.key.service, &series.key.target, &series.key.signal].into_iter().zip(name).all(|(a, b)| **a == **b)
}

/// Checks one expectation; the error says what is there instead.
fn check(case: &Case, got: &Judgement, made: &[Series], events: &[Event], words: &[String]) -> Result<(), String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match &words[..] {
        ["no_alarm"] => {
            none(got.comparisons.iter().filter(|c| c.verdict.is_alarm()).map(|c| tell(got, events, c)).collect())
        }
        ["no_finding"] => {
            none(got.findings.iter().map(|finding| tell(got, events, &got.comparisons[finding.lead])).collect())
        }
        ["no_elsewhere"] => none(got.elsewhere.iter().map(|item| format!("{item:?}")).collect()),
        ["groups", count] => equal("groups", &got.groups.len().to_string(), count),
        ["comparisons", count] => equal("comparisons", &got.comparisons.len().to_string(), count),
        ["order", targets @ ..] => {
            let told = got.findings.iter().map(|finding| &*got.series[got.comparisons[finding.lead].series].key.target);
            equal("order", &told.collect::<Vec<_>>().join(" "), &targets.join(" "))
        }
        ["findings", count] => equal("findings", &got.findings.len().to_string(), count),
        ["names_unharmed"] => {
            let names = got.series.iter().map(|series| &series.key).eq(made.iter().map(|series| &series.key));
            if names { Ok(()) } else { Err("names differ".to_owned()) }
        }
        ["elsewhere", service, target, signal, kind, rest @ ..] => {
            let all = || got.elsewhere.iter().filter(|item| is_named(got, item.series, [service, target, signal]));
            let kind = if *kind == "drift" { UnattributedKind::Drift } else { UnattributedKind::Shift };
            let fits = |item: &&detect::Unattributed| {
                item.kind == kind
                    && rest.iter().all(|word| match word.split_once('=') {
                        None => item.is_worse == (*word == "worse"),
                        Some(("at", place)) => near_place(case, item.at, place),
                        Some(("ratio", wanted)) => within(item.change.estimate.value.exp(), wanted).is_ok(),
                        Some((key, _)) => panic!("{}: no such key {key}", case.place),
                    })
            };
            if all().any(|item| fits(&item)) { Ok(()) } else { Err(format!("{:?}", all().collect::<Vec<_>>())) }
        }
        ["finding", service, target, deploy, verdict, rest @ ..] => {
            let lead = |finding: &detect::Finding| &got.comparisons[finding.lead];
            let at_deploy = || {
                got.findings.iter().filter(|finding| {
                    let key = &got.series[lead(finding).series].key;
                    *key.service == **service && *key.target == **target && is_at(got, events, lead(finding), deploy)
                })
            };
            let fits = |finding: &&detect::Finding| {
                finding.verdict.as_str() == *verdict
                    && rest.iter().all(|word| match word.split_once('=') {
                        Some(("targets", count)) => finding.targets.len() as i64 == whole(count),
                        Some(("waiting", wanted)) => within(finding.cost_s, wanted).is_ok(),
                        Some((key, _)) => panic!("{}: no such key {key}", case.place),
                        None => *got.series[lead(finding).series].key.signal == **word,
                    })
            };
            if at_deploy().any(|finding| fits(&finding)) {
                Ok(())
            } else {
                let told = got
                    .findings
                    .iter()
                    .map(|f| format!("{} of {}, {} s", tell(got, events, lead(f)), f.targets.len(), f.cost_s));
                Err(format!("findings: {:?}", told.collect::<Vec<_>>()))
            }
        }
        [service, target, signal, deploy, rest @ ..] => {
            let comparison = got
                .comparisons
                .iter()
                .find(|c| is_named(got, c.series, [service, target, signal]) && is_at(got, events, c, deploy))
                .ok_or("there is no such comparison")?;
            for word in rest {
                property(got, events, comparison, word)
                    .map_err(|why| format!("{why}; there is {}", tell(got, events, comparison)))?;
            }
            Ok(())
        }
        _ => panic!("{}: cannot read the expectation {words:?}", case.place),
    }
}

fn property(got: &Judgement, events: &[Event], comparison: &Comparison, word: &str) -> Result<(), String> {
    let pattern = comparison.pattern.map_or("no_pattern", Pattern::as_str);
    let effect = comparison.effect.as_ref();
    let (ratio, difference) = (effect.and_then(Effect::log_ratio), effect.and_then(Effect::difference));
    let detectable = effect.and_then(|effect| effect.detectable_ratio(comparison.before));
    match word.split_once('=') {
        Some(("ratio", wanted)) => within(ratio.ok_or("no ratio")?.value.exp(), wanted),
        Some(("delta", wanted)) => within(difference.ok_or("no difference")?.value, wanted),
        Some(("holds", truth)) => {
            let (estimate, truth) = match truth.strip_prefix('+') {
                Some(delta) => (difference, float(delta)),
                None => (ratio, float(truth).ln()),
            };
            let estimate = estimate.ok_or("no interval")?;
            if estimate.low <= truth && truth <= estimate.high {
                Ok(())
            } else {
                Err("interval without the truth".to_owned())
            }
        }
        Some(("detectable", wanted)) => within(detectable.ok_or("nothing detectable")?.exp(), wanted),
        Some(("coverage", wanted)) => within(comparison.coverage, wanted),
        Some(("explained_by", rival)) => {
            equal("explained by", comparison.explained_by.map_or("nothing", detect::Confounder::as_str), rival)
        }
        Some(("by", deploy)) => match comparison.pattern {
            Some(Pattern::Recovered { by: Some(by), .. }) if is_member(got, events, by, deploy) => Ok(()),
            other => Err(format!("taken back by {other:?}")),
        },
        Some((key, _)) => panic!("no such key {key}"),
        None if PATTERNS.contains(&word) => equal("pattern", pattern, word),
        None if word == "no_alarm" => equal("alarm", if comparison.verdict.is_alarm() { "alarm" } else { word }, word),
        None => {
            let verdict = comparison.verdict.as_str();
            if word.split('|').any(|one| one == verdict) { Ok(()) } else { Err(format!("{verdict} is not {word}")) }
        }
    }
}

fn none(found: Vec<String>) -> Result<(), String> {
    if found.is_empty() { Ok(()) } else { Err(found.join("\n    ")) }
}

fn equal(what: &str, got: &str, want: &str) -> Result<(), String> {
    if got == want { Ok(()) } else { Err(format!("{what}: {got} is not {want}")) }
}

/// Holds a number against `1.25±0.03`, `<1.2` or `>1.2`.
fn within(got: f64, wanted: &str) -> Result<(), String> {
    let holds = if let Some((centre, reach)) = wanted.split_once('±') {
        (got - float(centre)).abs() <= float(reach)
    } else if let Some(limit) = wanted.strip_prefix('<') {
        got < float(limit)
    } else if let Some(limit) = wanted.strip_prefix('>') {
        got > float(limit)
    } else {
        panic!("{wanted}: want a±b, <a or >a")
    };
    if holds { Ok(()) } else { Err(format!("{got:.5} is not {wanted}")) }
}

fn is_named(got: &Judgement, series: usize, name: [&str; 3]) -> bool {
    let key = &got.series[series].key;
    [&*key.service, &*key.target, &*key.signal] == name
}

fn is_at(got: &Judgement, events: &[Event], comparison: &Comparison, deploy: &str) -> bool {
    is_member(got, events, comparison.group, deploy)
}

fn is_member(got: &Judgement, events: &[Event], group: usize, deploy: &str) -> bool {
    got.groups[group].members.iter().any(|member| events[*member].id == deploy)
}

fn near_place(case: &Case, at: Window, place: &str) -> bool {
    let (centre, reach) = place.split_once('±').expect("at=d20T10:00±2h");
    let (centre, reach) = (case.instant(centre), length(reach));
    at.overlaps(Window::new(centre - reach, centre + reach))
}

/// Tells a comparison on one line.
fn tell(got: &Judgement, events: &[Event], comparison: &Comparison) -> String {
    let key = &got.series[comparison.series].key;
    let deploy = got.groups[comparison.group].members.first().map_or("", |member| events[*member].id.as_str());
    let range = |name: &str, estimate: Option<detect::Estimate>, turn: fn(f64) -> f64| {
        let three = estimate.map(|e| [e.value, e.low, e.high].map(turn));
        three.map_or(String::new(), |[value, low, high]| format!(" {name} {value:.4} [{low:.4}, {high:.4}]"))
    };
    let effect = comparison.effect.as_ref();
    format!(
        "{} {} {} at {deploy}: {} {}{}{} limit {:.4} p {:.2e} q {:.2e} blame {:?} coverage {:.2}{}",
        key.service,
        key.target,
        key.signal,
        comparison.verdict.as_str(),
        comparison.pattern.map_or("-", Pattern::as_str),
        range("ratio", effect.and_then(Effect::log_ratio), f64::exp),
        range("delta", effect.and_then(Effect::difference), |value| value),
        effect.map_or(f64::INFINITY, |effect| effect.limit_ratio(comparison.before)).exp(),
        comparison.p_value.unwrap_or(f64::NAN),
        comparison.q_value.unwrap_or(f64::NAN),
        comparison.blame,
        comparison.coverage,
        comparison.explained_by.map_or(String::new(), |rival| format!(" explained by {}", rival.as_str())),
    )
}

/// Reads a script into its cases.
fn parse(file: &str, text: &str) -> Result<Vec<Case>, Failure> {
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or_default();
        let words: Vec<String> = line.split_whitespace().map(unescape).collect();
        let Some(first) = words.first().filter(|word| !word.starts_with('#')) else { continue };
        let place = format!("{file}:{}", index + 1);
        if first == "case" {
            cases.push(Case {
                name: words.get(1).cloned().unwrap_or_default(),
                place,
                start: NaiveDate::from_ymd_opt(2026, 10, 5).expect("date"),
                days: 28,
                period_days: 14,
                zone: Tz::UTC,
                config: String::new(),
                series: Vec::new(),
                events: Vec::new(),
                expected: Vec::new(),
            });
            continue;
        }
        let case = cases.last_mut().ok_or_else(|| format!("{place}: a script begins with `case`"))?;
        read(case, index + 1, &words, line).map_err(|why| format!("{place}: {why}"))?;
    }
    Ok(cases)
}

/// Reads one line into its case.
fn read(case: &mut Case, number: usize, words: &[String], line: &str) -> Result<(), String> {
    let text: Vec<&str> = words.iter().map(String::as_str).collect();
    match &text[..] {
        ["from", date] => case.start = date.parse().map_err(|error| format!("{date}: {error}"))?,
        ["days", days, "period", period] => (case.days, case.period_days) = (whole(days), whole(period)),
        ["zone", zone] => case.zone = zone.parse().map_err(|error| format!("{zone}: {error}"))?,
        ["config", ..] => {
            case.config.push_str(line.trim_start().trim_start_matches("config"));
            case.config.push('\n');
        }
        ["series" | "datastore" | "resource", service, target, signal, unit, settings @ ..] => {
            let unit = UNITS.iter().find(|known| known.symbol == *unit).ok_or("no such unit")?.symbol;
            let mut spec = Spec::new([service, target, signal], unit, f64::NAN, number as u64);
            spec.kind = Kind::parse(text[0]).unwrap_or(Kind::Operation);
            set(&mut spec, settings)?;
            case.series.push(spec);
        }
        ["load", service, target, settings @ ..] => {
            let mut spec = Spec::new([service, target, "throughput"], "requests/min", f64::NAN, number as u64);
            set(&mut spec, settings)?;
            case.series.push(spec);
        }
        ["deploy", id, service, "at", at] => {
            case.events.push(series::event(id, service, case.instant(at), None, EventKind::Deploy));
        }
        ["event", kind, id, service, from, to] => {
            let kind = EventKind::parse(kind).ok_or("no such kind of event")?;
            case.events.push(series::event(id, service, case.instant(from), Some(case.instant(to)), kind));
        }
        ["expect", ..] => case.expected.push((number, words[1..].to_vec())),
        [_, ..] => {
            let change = change(case, &text)?;
            case.series.last_mut().ok_or("a change belongs below its series")?.changes.push(change);
        }
        [] => {}
    }
    Ok(())
}

/// Reads what a series does.
fn change(case: &Case, words: &[&str]) -> Result<Change, String> {
    let value = |key: &str| {
        words
            .iter()
            .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
            .ok_or_else(|| format!("{key}= is missing"))
    };
    let at = |key: &str| value(key).map(|place| case.instant(place));
    Ok(match words[0] {
        "step" => match value("add") {
            Ok(by) => Change::Add { at: at("at")?, by: float(by) },
            Err(_) => {
                let (at, factor) = (at("at")?, factor(value("by")?));
                match value("over") {
                    Ok(over) => Change::Ramp { at, until: at + length(over), factor },
                    Err(_) => Change::Step { at, factor },
                }
            }
        },
        "burst" => {
            let from = at("at")?;
            Change::Burst { from, to: from + length(value("for")?), factor: factor(value("by")?) }
        }
        "nightly" => {
            let from = minute(value("at")?);
            Change::Nightly { from, to: from + length(value("for")?) / MINUTE, factor: factor(value("by")?) }
        }
        "gap" => Change::Gap { from: at("from")?, to: at("to")? },
        "only" => Change::Only { from: at("from")?, to: at("to")? },
        "drift" => Change::Drift { factor: factor(value("by")?) },
        "constant" => Change::Constant(float(words.get(1).ok_or("constant VALUE")?)),
        "zeros" => Change::Constant(0.0),
        "missing" => Change::Missing,
        "first" => Change::First(whole(words.get(1).ok_or("first COUNT")?) as usize),
        "thin" => Change::Thin { share: float(value("share")?), seed: whole(value("seed")?) as u64 },
        other => return Err(format!("`{other}` is not known")),
    })
}

/// Reads `level=200 noise=0.03 …`.
fn set(spec: &mut Spec, settings: &[&str]) -> Result<(), String> {
    for setting in settings {
        let (key, value) = setting.split_once('=').ok_or_else(|| format!("{setting}: want key=value"))?;
        match key {
            "level" => spec.level = float(value),
            "season" => spec.season = float(value),
            "weekend" => spec.weekend = factor(value),
            "noise" => spec.noise = float(value),
            "phi" => spec.phi = float(value),
            "white" => spec.white = float(value),
            "grain" => spec.grain = float(value),
            "follow" => spec.follow = float(value),
            "step" => spec.step = length(value),
            "seed" => spec.seed = whole(value) as u64,
            other => return Err(format!("`{other}` is not known")),
        }
    }
    Ok(())
}

impl Case {
    /// Reads `d20T10:00`: a local day of the history, from 0, and a local time.
    fn instant(&self, place: &str) -> i64 {
        let (day, clock) = place.strip_prefix('d').and_then(|rest| rest.split_once('T')).expect("d20T10:00");
        let date = self.start + chrono::TimeDelta::days(whole(day));
        // Scripts name no time that a change of the clock skips, so adding to midnight is right but on that day.
        time::midnight(date, self.zone) + minute(clock) * MINUTE
    }
}

fn minute(clock: &str) -> i64 {
    let (hour, minute) = clock.split_once(':').expect("10:00");
    whole(hour) * 60 + whole(minute)
}

fn length(text: &str) -> i64 {
    let (number, unit) = text.split_at(text.len() - 1);
    whole(number) * if unit == "h" { HOUR } else { MINUTE }
}

/// Reads `+25%`, `-20%` or `x3` as a factor.
fn factor(text: &str) -> f64 {
    match text.strip_suffix('%') {
        Some(percent) => 1.0 + float(percent) / 100.0,
        None => float(text.strip_prefix('x').expect("+25% or x3")),
    }
}

fn float(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is not a number"))
}

fn whole(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is not a whole number"))
}

/// Turns `\s` into a space, `\u{202e}` into its character and `\repeat{ab,3}` into `ababab`.
fn unescape(word: &str) -> String {
    let (mut out, mut rest) = (String::new(), word);
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let (name, inside, tail) = match after.split_once('{').filter(|(name, _)| ["u", "repeat"].contains(name)) {
            Some((name, after)) => {
                let (inside, tail) = after.split_once('}').expect("closing brace");
                (name, inside, tail)
            }
            None => ("s", "", after.strip_prefix('s').expect("\\s, \\u{…} or \\repeat{…}")),
        };
        match name {
            "u" => out.push(u32::from_str_radix(inside, 16).ok().and_then(char::from_u32).expect("a character")),
            "repeat" => {
                let (text, count) = inside.split_once(',').expect("text and count");
                out.push_str(&text.repeat(whole(count) as usize));
            }
            _ => out.push(' '),
        }
        rest = tail;
    }
    out + rest
}
