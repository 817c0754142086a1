//! The story: hands values from room to room, one function a command. The only place that knows all the
//! rooms, and the only one that asks for the time of day.

mod checks;
mod collected;
mod doctor;
mod explain;
mod init;
mod marker;
mod outcome;
mod period;
mod pull;
pub mod sample;
mod services;
mod source_checks;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use clap::CommandFactory;
use indicatif::{ProgressBar, ProgressStyle};

pub use outcome::{Exit, Failure, Talk};

use crate::cli::{Cli, Command, DemoArgs, Global, ReportArgs, SchemaArgs, SchemaOf};
use crate::config::{self, Config, Format};
use crate::model::diagnostic::{Diagnostic, Stage};
use crate::model::event::{Event, deduplicate};
use crate::model::metric::Series;
use crate::source::service_map::ServiceMap;

use crate::model::time::{DAY, Window};
use crate::render::json::Input;
use crate::render::text::plain;
use crate::{detect, publish, render, source, store};
use detect::Judgement;
use source::{Collected, CollectedEvents, Part, SourceState, registry};
use store::{Store, StoreError};

/// Does what was typed.
///
/// # Errors
/// [`Failure`] with its exit code and what to do next.
pub fn run(cli: &Cli, talk: &Talk) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Demo(args) => demo(args, &cli.global, talk),
        Command::Report(args) => report(args, &cli.global, talk),
        Command::Explain(args) => explain::explain(args, &cli.global, talk),
        Command::Doctor(args) => doctor::doctor(args, &cli.global, talk),
        Command::Collect(args) => pull::collect(args, &cli.global, talk),
        Command::Marker(command) => marker::marker(command, &cli.global),
        Command::Init(args) => init::init(args, &cli.global, talk),
        Command::Schema(args) => schema(args),
        Command::Completions { shell } => completions(*shell),
        Command::Man { out } => man(out.as_deref()),
    }
}

/// The whole main job on the sample data inside the program.
fn demo(args: &DemoArgs, global: &Global, talk: &Talk) -> Result<Exit, Failure> {
    let folder = tempfile::tempdir().context("make a folder for the sample data")?;
    publish::file::write_all(folder.path(), &sample::FILES)?;
    let mut config = load(&folder.path().join(sample::CONFIG), global.tz.as_deref())?;
    config.output.folder.clone_from(&args.out);
    config.output.formats.clone_from(&args.format);
    let review = judge(&config, period::anchored(&config), talk)?;
    write_report(&config, &review, talk, &explain::options(global, Some(&args.out)))?;
    Ok(Exit::Done)
}

/// Judges a period of the configured sources and writes the report.
fn report(args: &ReportArgs, global: &Global, talk: &Talk) -> Result<Exit, Failure> {
    let mut config = load(&global.config, global.tz.as_deref())?;
    if let Some(out) = &args.out {
        config.output.folder.clone_from(out);
    }
    if !args.format.is_empty() {
        config.output.formats.clone_from(&args.format);
    }
    let window = period::asked(&config, &args.span, outcome::clock()?.now())?;
    let history = Window::new(window.start - i64::from(config.judge.baseline_days) * DAY, window.end);
    let asked = if args.offline { Vec::new() } else { pull::refresh(&config, history, talk)? };
    let mut review = judge(&config, window, talk)?;
    source::add_states(&mut review.sources, asked);
    write_report(&config, &review, talk, &explain::options(global, args.out.as_ref()))?;
    Ok(outcome::exit_code(&review.judgement, &review.sources, &config, &args.fail_on, args.strict))
}

/// Returns how the store fared, for the report's data section; `None` when all of it could be read, or it is empty.
fn store_state(kept: &store::History) -> Option<SourceState> {
    let refused = kept.refused.iter().map(|error| {
        let help = error.help().into_iter().collect();
        Diagnostic { help, ..Diagnostic::of_error(Stage::Store, "store", error) }
    });
    let left_out = kept
        .left_out
        .iter()
        .map(|left| Diagnostic::counted(Stage::Store, "store", left.reason, left.count, &left.example));
    let diagnostics: Vec<Diagnostic> = refused.chain(left_out).collect();
    (!diagnostics.is_empty()).then(|| SourceState {
        series: kept.series.len(),
        diagnostics,
        ..SourceState::kept("store".to_owned())
    })
}

/// Warns of parts of the store that could not be read before new ones were written; the rest was.
fn warn_of(refused: &[StoreError]) {
    for error in refused {
        tracing::warn!(error = %plain(&with_causes(error)), "left out");
    }
}

/// Returns an error with its causes, in one line.
fn with_causes(error: &StoreError) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn schema(args: &SchemaArgs) -> Result<Exit, Failure> {
    let schema = match (args.what, args.toml) {
        (SchemaOf::Config, true) => {
            data(registry::default_config().as_bytes())?;
            return Ok(Exit::Done);
        }
        (_, true) => return Err(Failure::usage("read the flags: `--toml` goes with `config` only", "")),
        (SchemaOf::Config, false) => registry::config_schema(),
        (SchemaOf::Report, false) => render::json::schema(),
        (SchemaOf::Explain, false) => render::explain::read::schema(),
        (SchemaOf::Doctor, false) => render::doctor::schema(),
        (SchemaOf::Placebo, false) => render::placebo::schema(),
    };
    let mut text = serde_json::to_vec_pretty(&schema).context("write the schema")?;
    text.push(b'\n');
    data(&text)?;
    Ok(Exit::Done)
}

fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fortnight", &mut script);
    data(&script)?;
    Ok(Exit::Done)
}

/// Prints the program's page, or writes one page a command.
fn man(out: Option<&Path>) -> Result<Exit, Failure> {
    let mut command = Cli::command();
    command.build();
    let page = |command: clap::Command| {
        let man = clap_mangen::Man::new(command);
        let mut bytes = Vec::new();
        man.render(&mut bytes).context("render a manual page").map(|()| (man.get_filename(), bytes))
    };
    let Some(folder) = out else {
        data(&page(command)?.1)?;
        return Ok(Exit::Done);
    };
    let mut pages = Vec::new();
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        pages.push(page(sub.clone())?);
    }
    pages.push(page(command)?);
    let files: Vec<(&str, &[u8])> = pages.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    data(&listed(&publish::file::write_all(folder, &files)?))?;
    Ok(Exit::Done)
}

fn load(path: &Path, zone: Option<&str>) -> Result<Config, Failure> {
    let mut config = Config::load(path)?;
    registry::check(&config)?;
    if let Some(name) = zone {
        config.zone = self::zone(name)?;
    }
    registry::learn_signals(&mut config).map_err(|error| {
        let help = error.help().into_iter().collect();
        Failure { exit: Exit::Usage, error: anyhow!(error).context("read the queries that the config names"), help }
    })?;
    Ok(config)
}

fn zone(name: &str) -> Result<chrono_tz::Tz, Failure> {
    name.parse()
        .map_err(|_| Failure::usage(format!("read `--tz`: {name:?} is not an IANA time zone"), config::zone_help(name)))
}

/// A judged period with what it was made of.
struct Review {
    judgement: Judgement,
    events: Vec<Event>,
    sources: Vec<SourceState>,
}

/// Reads and judges part by part, so that series too many for memory go through.
fn judge(config: &Config, period: Window, talk: &Talk) -> Result<Review, Failure> {
    let mut input = History::open(config, period)?;
    let context = input.context();
    let events = std::mem::take(&mut input.events);
    let mut partials = Vec::new();
    input.read(talk, |series| {
        partials.push(detect::judge(&series, &events, &context));
        Ok(())
    })?;
    Ok(Review { judgement: detect::conclude(partials, &events, &context), events, sources: input.sources })
}

/// What a report and the placebos are made from: the history of a period, read in parts.
///
/// What the store has kept is taken along; where a source still has the same point, the source's counts.
struct History<'a> {
    config: &'a Config,
    period: Window,
    history: Window,
    store: Store,
    events: Vec<Event>,
    sources: Vec<SourceState>,
    services: ServiceMap,
    rows: u64,
}

impl<'a> History<'a> {
    /// Reads the events, and how much there is.
    fn open(config: &'a Config, period: Window) -> Result<Self, Failure> {
        let history = Window::new(period.start - i64::from(config.judge.baseline_days) * DAY, period.end);
        let store = Store::open(&config.store.folder)?;
        let CollectedEvents { events, states: sources } = source::events(config);
        outcome::refuse_failed(config, &sources)?;
        let mut sources = sources;
        let kept = store.events()?;
        sources.extend(pull::kept_states(config, &store, period, history, &kept)?);
        let rows = source::rows_estimate(config).saturating_add(store.rows_estimate(history)?);
        let recorded = events.len();
        let events = with_kept(events, kept);
        let parts = source::parts_needed(rows, config.memory_by);
        let services = services::map(config, history, parts, &store, &events)?;
        let events = services.map_events(events);
        // Whoever records deploys in a file says which of them are the same; only several who tell can tell one twice.
        let events = if events.len() > recorded { deduplicate(events).events } else { events };
        Ok(Self { config, period, history, store, events, sources, services, rows })
    }

    fn context(&self) -> detect::Context<'a> {
        detect::Context { config: self.config, period: self.period, history: self.history }
    }

    /// Hands the series to `take`, whole services at a time.
    ///
    /// # Errors
    /// A source that is needed failed; no series has a point in the period.
    fn read(&mut self, talk: &Talk, mut take: impl FnMut(Vec<Series>) -> Result<(), Failure>) -> Result<(), Failure> {
        let Self { config, period, history, .. } = *self;
        let (store, sources, services) = (&self.store, &mut self.sources, &self.services);
        let mut has_data = false;
        read_parts(config, history, self.rows, talk, |mut collected, part| {
            outcome::refuse_failed(config, &collected.states)?;
            collected.states.iter_mut().for_each(|state| state.keys = services.map_keys(&state.keys));
            source::add_states(sources, collected.states);
            let kept = store.read(history, part)?;
            for state in sources.iter_mut() {
                state.keys.extend(kept.sources.get(&state.id).map(|keys| services.map_keys(keys)).unwrap_or_default());
            }
            source::add_states(sources, store_state(&kept).into_iter().collect());
            let series = store::merge(collected.series, kept.series);
            let series = services::of_part(services, series, part, |other| {
                let kept = store.read(history, other)?;
                Ok(store::merge(source::collect(config, history, other).series, kept.series))
            })?;
            has_data |= series.iter().any(|series| reaches(series, period));
            take(series)
        })?;
        if has_data { Ok(()) } else { Err(nothing_in(config, period, talk)) }
    }
}

/// Adds the events that only the store has, by time, then id.
fn with_kept(mut events: Vec<Event>, kept: Vec<Event>) -> Vec<Event> {
    let known: BTreeSet<String> = events.iter().map(|event| event.id.clone()).collect();
    events.extend(kept.into_iter().filter(|event| !known.contains(&event.id)));
    events.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    events
}

fn reaches(series: &Series, period: Window) -> bool {
    series.times.iter().zip(&series.values).any(|(at, value)| period.contains(*at) && !value.is_nan())
}

/// Hands what the sources give to `take`, one part after the other, and tells how far it is.
fn read_parts(
    config: &Config,
    window: Window,
    rows: u64,
    talk: &Talk,
    mut take: impl FnMut(Collected, Part) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let count = source::parts_needed(rows, config.memory_by).max(1);
    let bar = progress(count, talk);
    for index in 0..count {
        bar.set_message("reading");
        let part = Part { index, count };
        let collected = source::collect(config, window, part);
        tracing::info!(part = index + 1, of = count, series = collected.series.len(), "read");
        bar.set_message("working");
        take(collected, part)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Explains a period without a single point by the span that the sources do cover.
fn nothing_in(config: &Config, period: Window, talk: &Talk) -> Failure {
    let (mut first, mut last, mut step) = (i64::MAX, i64::MIN, i64::MAX);
    let rows = source::rows_estimate(config);
    // The error that brought us here is the better one, so this one would only hide it.
    let _ = read_parts(config, period::EVER, rows, talk, |collected, _| {
        for series in &collected.series {
            if let (Some(start), Some(end)) = (series.times.first(), series.times.last()) {
                first = first.min(*start);
                last = last.max(*end);
            }
            step = series.times.windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?)).fold(step, i64::min);
        }
        Ok(())
    });
    let step = if step == i64::MAX { 0 } else { step };
    outcome::no_data(config, period, (first <= last).then(|| Window::new(first, last + step)))
}

/// Renders every form, and only then writes any; then prints the paths and says what came out.
///
/// `options`: by which `explain` finds the report.
fn write_report(config: &Config, review: &Review, talk: &Talk, options: &[String]) -> Result<(), Failure> {
    let Review { judgement, events, sources } = review;
    let generated_at = outcome::source_date_epoch()?.unwrap_or(judgement.period.end);
    let input = Input { judgement, events, sources, config, generated_at };
    let formats = &config.output.formats;
    let page = formats
        .iter()
        .any(|format| *format != Format::Json)
        .then(|| render::model::build(judgement, events, sources, config));
    let mut files = Vec::new();
    for format in formats {
        let bytes = match (format, &page) {
            (Format::Html, Some(page)) => render::html::render(page).context("render the page")?.into_bytes(),
            (Format::Markdown, Some(page)) => render::markdown::render(page).into_bytes(),
            _ => render::json::render(&input).context("render report.json")?,
        };
        files.push((format.file_name(), bytes));
    }
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    let paths = publish::file::write_all(&config.output.folder, &files)?;
    let first = judgement.findings.first().filter(|_| formats.contains(&Format::Json));
    talk.tell(judgement, events, sources, config, first.map(|finding| explain::command(&finding.id, options)));
    data(&listed(&paths))?;
    Ok(())
}

/// Paths as the system writes them, one a line, for other programs to read.
fn listed(paths: &[std::path::PathBuf]) -> Vec<u8> {
    paths.iter().flat_map(|path| [path.as_os_str().as_encoded_bytes(), b"\n"].concat()).collect()
}

/// Writes to standard output; a reader that has seen enough (`| head -1`) is no error.
fn data(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow!(error).context("write to standard output").into())
        }
        _ => Ok(()),
    }
}

/// Shows how far work of so many steps is.
fn progress(parts: usize, talk: &Talk) -> ProgressBar {
    if !talk.progress {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(parts as u64);
    let template = if parts > 1 { "{spinner} {msg} {pos}/{len}" } else { "{spinner} {msg}" };
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(std::time::Duration::from_millis(120));
    bar
}
