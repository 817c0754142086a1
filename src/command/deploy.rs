//! `deploy`: what became of one deploy, judged now or read from a written report.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use super::explain::{command, command_line};
use super::history::with_kept;
use super::{Exit, Failure, Ui, collector, judge, load, outcome, period, refresh, write_stdout};
use crate::cli::{DEFAULT_CONFIG, DeployArgs, DeployFailOn, Global};
use crate::config::{Config, Format, Language};
use crate::model::event::Event;
use crate::model::scrub::Scrubber;
use crate::model::time::{DAY, HOUR, Window, local, midnight};
use crate::model::verdict::Verdict;
use crate::render::deploy::{self as text, Look};
use crate::render::terminal::{Style, plain};
use crate::review::{DeployMiss, DeployNames, OneDeploy, Review, pick_deploy, read};
use crate::source;
use crate::source::http::{Http, HttpError, Limits, RealTime};
use crate::store::Store;

/// How often the sources are asked while waiting.
const LOOK_EVERY: Duration = Duration::from_secs(300);

/// Deploys that a refusal lists at the most.
const LISTED: usize = 5;

/// Largest report that is fetched from a URL, bytes.
const LARGEST_REPORT_BY: usize = 1 << 30;

/// Prints what became of a deploy, as text or as JSON.
pub(super) fn deploy(args: &DeployArgs, global: &Global, ui: &Ui) -> Result<Exit, Failure> {
    match &args.from_report {
        Some(report) => from_report(args, report, global, ui),
        None => live(args, global, ui),
    }
}

/// Reads a written report, which needs neither a key nor a config.
fn from_report(args: &DeployArgs, report: &str, global: &Global, ui: &Ui) -> Result<Exit, Failure> {
    let config = match global.config.exists() || global.config != Path::new(DEFAULT_CONFIG) {
        true => Some(load(&global.config, global.tz.as_deref())?),
        false => None,
    };
    let (review, place) = match report.starts_with("https://") || report.starts_with("http://") {
        true => fetched(report)?,
        false => {
            let path = PathBuf::from(report);
            let path = if path.is_dir() { path.join(Format::Json.file_name()) } else { path };
            (read::review(&path)?, path)
        }
    };
    let names: Vec<DeployNames<'_>> = review.deploys.iter().map(DeployNames::from).collect();
    let scrubber = config.as_ref().map(Config::scrubber).unwrap_or_default();
    let id = pick_deploy(&names, &scrubber.typed_id(&args.deploy), args.service.as_deref())
        .map_err(|miss| missed(&miss, args, &names, &place.display().to_string()))?;
    let Some(one) = OneDeploy::new(&review, id, args.service.as_deref()) else {
        return Err(not_in_data(args, id, &review));
    };
    let options = ["--from-report".to_owned(), place.display().to_string()];
    // `explain` reads files only.
    let explain = place.is_file().then_some(options.as_slice());
    print(&one, args, config.as_ref(), &review, ui, explain)
}

/// Fetches a report; the address of a page or of its folder leads to the JSON beside it.
fn fetched(address: &str) -> Result<(Review, PathBuf), Failure> {
    let json = Format::Json.file_name();
    let address = match address.rsplit_once('/') {
        Some((folder, "")) => format!("{folder}/{json}"),
        Some((folder, page)) if page.ends_with(".html") => format!("{folder}/{json}"),
        _ => address.to_owned(),
    };
    // What follows `?` may be a signature, and what precedes `@` a password.
    let bare = address.split(['?', '#']).next().unwrap_or_default();
    let shown = match bare.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host)),
        None => bare.to_owned(),
    };
    let limits =
        Limits { largest_by: LARGEST_REPORT_BY, budget: Duration::from_secs(60), tries: 3, ..Limits::default() };
    let failed = |error: HttpError| Failure {
        exit: Exit::Failed,
        error: anyhow!(error).context(format!("read the report {}", plain(&shown))),
        help: vec!["open the address in a browser, or name a file with `--from-report FILE`".to_owned()],
    };
    let http = Http::new(limits, std::sync::Arc::new(RealTime)).map_err(failed)?;
    let json = collector::block_on(http.get_json(&address))?.map_err(failed)?.json;
    let place = PathBuf::from(shown);
    Ok((read::of_json(json, &place)?, place))
}

/// Judges the deploy from what the sources and the store have now, again and again while there is time to wait.
fn live(args: &DeployArgs, global: &Global, ui: &Ui) -> Result<Exit, Failure> {
    let config = load(&global.config, global.tz.as_deref())?;
    let began = Instant::now();
    let wait = args.wait.unwrap_or_default();
    loop {
        let (review, id) = judged(args, &config, ui)?;
        let Some(one) = OneDeploy::new(&review, &id, args.service.as_deref()) else {
            return Err(not_in_data(args, &id, &review));
        };
        let left = wait.saturating_sub(began.elapsed());
        if left.is_zero() || !one.is_waiting() || one.counts.of(Verdict::Worse) > 0 {
            return print(&one, args, Some(&config), &review, ui, None);
        }
        let pause = left.min(LOOK_EVERY);
        let ready = one.ready_at.map(|at| local(at.ms(), config.zone).format("%m-%d %H:%M %Z").to_string());
        ui.say(&format!(
            "waiting: {} of {} checks of {} come too early{}; looking again in {} min, {} min left",
            one.counts.of(Verdict::TooEarly),
            one.counts.total,
            plain(&id),
            ready.map_or(String::new(), |at| format!(", the last can be judged from {at}")),
            pause.as_secs().div_ceil(60),
            left.as_secs().div_ceil(60),
        ));
        std::thread::sleep(pause);
    }
}

/// Collects what is missing, and judges the period around the deploy. Returns the report with the id of the deploy.
fn judged(args: &DeployArgs, config: &Config, ui: &Ui) -> Result<(Review, String), Failure> {
    let now = outcome::clock()?.now();
    let is_given = args.span.from.is_some() || args.span.to.is_some();
    let given = is_given.then(|| period::asked(config, &args.span, now)).transpose()?;
    let request = |window: Window| match args.offline {
        true => Ok(Vec::new()),
        false => refresh::refresh(config, window, ui),
    };
    // Deploys that only the network knows have to be there before one can be picked.
    let mut asked = request(given.unwrap_or_else(|| until_now(config, now)))?;
    let events = known_events(config)?;
    let is_there = |event: &&Event| {
        event.kind.is_judged() && event.at <= now && given.is_none_or(|window| window.contains(event.at))
    };
    let names: Vec<DeployNames<'_>> = events.iter().filter(is_there).map(DeployNames::from).collect();
    let place = if is_given { "the span" } else { "the data" };
    // Ids are kept without what must not be shown, and are still found by what they were.
    let id = pick_deploy(&names, &config.scrubber().typed_id(&args.deploy), args.service.as_deref())
        .map_err(|miss| missed(&miss, args, &names, place))?
        .to_owned();
    let at = names.iter().filter(|name| name.id == id).map(|name| name.at).max().unwrap_or(now);
    let window = given.unwrap_or_else(|| window_of(config, at, now));
    if given.is_none() && window.start < until_now(config, now).start {
        asked = request(window)?;
    }
    outcome::print_failures(&asked);
    let mut judged = judge(config, window, ui)?;
    // Where the data end early, hours to come would count as gaps.
    let ends = judged.judgement.series.iter().map(|series| series.start + series.hourly.len() as i64 * HOUR);
    if let Some(end) = ends.max().filter(|end| !is_given && (window.start + 1..window.end).contains(end)) {
        judged = judge(config, Window::new(window.start, end), ui)?;
    }
    outcome::print_failures(&judged.sources);
    source::add_states(&mut judged.sources, asked);
    Ok((judged.review(config)?, id))
}

/// Returns the last period up to the last whole hour.
fn until_now(config: &Config, now: i64) -> Window {
    let end = now.div_euclid(HOUR) * HOUR;
    Window::new(midnight(local(end - days(config), config.zone).date_naive(), config.zone), end)
}

/// Returns the period to judge a deploy in: the last one up to now if it is recent, else one that begins on its day.
fn window_of(config: &Config, at: i64, now: i64) -> Window {
    let recent = until_now(config, now);
    if recent.start <= at {
        return recent;
    }
    let start = midnight(local(at, config.zone).date_naive(), config.zone);
    Window::new(start, (start + days(config)).min(recent.end))
}

fn days(config: &Config) -> i64 {
    i64::from(config.period.days) * DAY
}

/// Returns every event that the files and the store know.
fn known_events(config: &Config) -> Result<Vec<Event>, Failure> {
    let collected = source::events(config);
    outcome::refuse_failed(config, &collected.states)?;
    Ok(with_kept(collected.events, Store::open(&config.store.folder)?.events()?.events))
}

/// Prints the answer and returns the exit code.
///
/// `explain`: by which options `explain` finds the report, if there is one.
fn print(
    one: &OneDeploy<'_>,
    args: &DeployArgs,
    config: Option<&Config>,
    review: &Review,
    ui: &Ui,
    explain: Option<&[String]>,
) -> Result<Exit, Failure> {
    if args.json {
        let mut bytes = serde_json::to_vec_pretty(one).context("write the deploy")?;
        bytes.push(b'\n');
        write_stdout(&bytes)?;
    } else {
        let of_config = || config.and_then(|config| config.languages.first().copied());
        let look = Look {
            language: args.lang.or_else(of_config).unwrap_or(Language::En),
            zone: config.map_or(review.period.zone(), |config| config.zone),
            style: Style { colour: ui.colour_data, signs: ui.signs_data },
            width: ui.width(),
            numbered: args.from_report.is_some(),
            all: args.all,
        };
        let next = explain.zip(one.findings.first()).map(|(options, finding)| command(&finding.id, options));
        let text = match ui.summary {
            true => text::render(one, next.as_deref(), look),
            false => text::line(one, look),
        };
        write_stdout(text.as_bytes())?;
    }
    Ok(exit_code(one, args))
}

/// Returns the exit code: a regression before a lack of evidence.
fn exit_code(one: &OneDeploy<'_>, args: &DeployArgs) -> Exit {
    let has = |verdict| one.counts.of(verdict) > 0;
    let fails = match args.fail_on {
        DeployFailOn::Worse => has(Verdict::Worse),
        DeployFailOn::Possibly => has(Verdict::Worse) || has(Verdict::PossiblyWorse),
        DeployFailOn::Never => false,
    };
    match fails {
        true => Exit::Regression,
        false if !one.is_judged => Exit::NotEnough,
        false if args.strict && one.counts.open + one.counts.no_data > 0 => Exit::NotEnough,
        false => Exit::Done,
    }
}

/// Says that a deploy is known but has no series to be held against.
fn not_in_data(args: &DeployArgs, id: &str, review: &Review) -> Failure {
    let services: Vec<String> =
        review.services.iter().take(LISTED).map(|service| plain(&service.known.service)).collect();
    let mut help = vec!["`fortnight doctor` lists deploys whose service has no data".to_owned()];
    if !services.is_empty() {
        help.push(format!("services with data in this period: {}", services.join(", ")));
    }
    let error = anyhow!("judge the deploy {}: no series of its service has data around it", plain(id));
    let exit = if args.fail_on == DeployFailOn::Never { Exit::Failed } else { Exit::NotEnough };
    Failure { exit, error, help }
}

/// Says which deploys there are.
fn missed(miss: &DeployMiss, args: &DeployArgs, names: &[DeployNames<'_>], place: &str) -> Failure {
    let word = plain(&Scrubber::default().typed_id(&args.deploy));
    let service = args.service.as_deref().map(plain).unwrap_or_default();
    let shown = |name: &DeployNames<'_>| {
        let revision = if name.revision.is_empty() {
            String::new()
        } else {
            format!(" ({})", plain(text::short_revision(name.revision)))
        };
        format!("{}{revision}", plain(name.id))
    };
    let mut last: Vec<&DeployNames<'_>> = names
        .iter()
        .filter(|name| args.service.as_deref().is_none_or(|own| [own, "*"].contains(&name.service)))
        .collect();
    last.sort_by_key(|name| std::cmp::Reverse((name.at, name.id)));
    last.dedup_by_key(|name| name.id);
    let latest = last.iter().take(LISTED).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
    let near = |near: &Option<String>| near.iter().map(|name| format!("did you mean `{}`?", plain(name))).collect();
    let (reason, help): (String, Vec<String>) = match miss {
        DeployMiss::Empty => (
            format!("{place} has no deploy"),
            vec!["record one with `fortnight marker add`, or check `deploys` in the config".to_owned()],
        ),
        DeployMiss::Service { near: other } => {
            (format!("{place} has no deploy of the service {service:?}"), near(other))
        }
        DeployMiss::Unknown { near: other } => {
            let mut help: Vec<String> = near(other);
            help.push(format!("the latest are {latest}"));
            (format!("{place} has no such deploy"), help)
        }
        DeployMiss::Several { names } => {
            let all: Vec<String> = names
                .iter()
                .take(LISTED)
                .map(|(id, service)| {
                    let service = command_line(&["--service".to_owned(), service.clone()]);
                    format!("`fortnight deploy {} {service}`", command_line(std::slice::from_ref(id)))
                })
                .collect();
            (format!("{place} has several of that name"), vec![format!("type one of {}", all.join(", "))])
        }
    };
    Failure { exit: Exit::Failed, error: anyhow!("find the deploy {word:?}: {reason}"), help }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_instant;

    #[test]
    fn a_recent_deploy_is_judged_up_to_now_and_an_old_one_from_its_day() {
        let text = "timezone = \"Asia/Tokyo\"\n[[source]]\nkind = \"files\"\nseries = [\"a.csv\"]\n";
        let config = Config::parse(text, Path::new("x.toml")).expect("valid");
        let at = |text: &str| parse_instant(text, config.zone).expect("valid");
        let now = at("2026-11-20T10:30:00+09:00");
        let recent = window_of(&config, at("2026-11-18T14:32:00+09:00"), now);
        assert_eq!(recent, Window::new(at("2026-11-06"), at("2026-11-20T10:00:00+09:00")));
        let old = window_of(&config, at("2026-10-03T14:32:00+09:00"), now);
        assert_eq!(old, Window::new(at("2026-10-03"), at("2026-10-17")));
        let edge = window_of(&config, at("2026-11-06T00:00:00+09:00"), now);
        assert_eq!(edge, recent);
    }
}
