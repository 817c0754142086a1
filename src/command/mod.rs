//! The story: hands values from room to room, one file a command. The only place that knows all the rooms.
//!
//! Read this file first (`run`, `report`), then `history` (every point, decoded once), `collector`, `collect` and `refresh` (what
//! is requested over the network), `doctor` with `source_checks` and `checks`, and the other commands by name. `failure` and
//! `outcome` know exit codes, `ui` what is said at the terminal, `period` and `days` which hours are meant.
//!
//! This room must not judge, count or choose words of its own for a report: it asks the rooms for that.

mod checks;
mod collect;
mod collector;
mod coverage_check;
mod days;
mod deploy;
mod doctor;
mod due;
mod explain;
mod failure;
mod history;
mod init;
mod marker;
mod outcome;
mod period;
mod progress;
mod publishing;
mod refresh;
pub mod sample;
mod services;
mod source_checks;
mod stored;
mod ui;

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use clap::CommandFactory;

pub use failure::{Exit, Failure};
pub use ui::Ui;

use crate::cli::{Cli, Command, DemoArgs, Global, ReportArgs, SchemaArgs, SchemaOf};
use crate::config::{self, Config, Format};
use crate::model::event::Event;

use crate::model::time::Window;
use crate::render::terminal::plain;
use crate::review::{self, Review};
use crate::{detect, publish, render, source};
use detect::Judgement;
use history::History;
use source::{SourceState, registry};

/// Does what was typed.
///
/// # Errors
/// [`Failure`] with its exit code and what to do next.
pub fn run(cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Demo(args) => demo(args, &cli.global, ui),
        Command::Report(args) => report(args, &cli.global, ui),
        Command::Deploy(args) => deploy::deploy(args, &cli.global, ui),
        Command::Explain(args) => explain::explain(args, &cli.global, ui),
        Command::Publish(args) => publishing::publish(args, &cli.global, ui),
        Command::Due(args) => due::due(args, &cli.global),
        Command::Doctor(args) => doctor::doctor(args, &cli.global, ui),
        Command::Collect(args) => collect::collect(args, &cli.global, ui),
        Command::Marker(command) => marker::marker(command, &cli.global),
        Command::Init(args) => init::init(args, &cli.global, ui),
        Command::Schema(args) => schema(args),
        Command::Completions { shell } => completions(*shell),
        Command::Man { out } => man(out.as_deref()),
    }
}

/// The whole main job on the sample data inside the program.
fn demo(args: &DemoArgs, global: &Global, ui: &Ui) -> Result<Exit, Failure> {
    let folder = tempfile::tempdir().context("make a folder for the sample data")?;
    publish::file::write_all(folder.path(), &sample::FILES)?;
    let mut config = load(&folder.path().join(sample::CONFIG), global.tz.as_deref())?;
    config.output.folder.clone_from(&args.out);
    config.output.formats.clone_from(&args.format);
    let review = judge(&config, period::anchored(&config), ui)?.review(&config)?;
    write_report(&config, &review, ui, &explain::options(global, Some(&args.out)))?;
    Ok(Exit::Done)
}

/// Judges a period of the configured sources and writes the report.
fn report(args: &ReportArgs, global: &Global, ui: &Ui) -> Result<Exit, Failure> {
    let mut config = load(&global.config, global.tz.as_deref())?;
    if let Some(out) = &args.out {
        config.output.folder.clone_from(out);
    }
    if !args.format.is_empty() {
        config.output.formats.clone_from(&args.format);
    }
    let now = outcome::clock()?.now();
    if !args.if_due {
        let window = period::asked(&config, &args.span, now)?;
        return report_of(&config, window, args, global, ui);
    }
    let due = due::windows(&config, now, args.catch_up)?;
    if due.is_empty() {
        ui.say(&due::not_due(&config, now));
        return Ok(if args.exit_not_due { Exit::NotDue } else { Exit::Done });
    }
    // An error ends the run: what was made before it stays, and the next run goes on there.
    let mut ends = Vec::new();
    for window in due {
        ends.push(report_of(&config, window, args, global, ui)?);
    }
    let gravest = [Exit::Regression, Exit::Partial, Exit::NotEnough].into_iter().find(|exit| ends.contains(exit));
    Ok(gravest.unwrap_or(Exit::Done))
}

/// Judges one period, writes its report, and publishes it if that is asked for.
fn report_of(config: &Config, window: Window, args: &ReportArgs, global: &Global, ui: &Ui) -> Result<Exit, Failure> {
    let asked = if args.offline { Vec::new() } else { refresh::refresh(config, window, ui)? };
    // Before judging: where nothing is there to judge, this is why.
    outcome::print_failures(&asked);
    let mut judged = judge(config, window, ui)?;
    outcome::print_failures(&judged.sources);
    source::add_states(&mut judged.sources, asked);
    let review = judged.review(config)?;
    write_report(config, &review, ui, &explain::options(global, args.out.as_ref()))?;
    if args.publish {
        publishing::publish_written(config, &config.output.folder.join(Format::Json.file_name()), ui)?;
    }
    Ok(outcome::exit_code(&review, &args.fail_on, args.strict))
}

fn schema(args: &SchemaArgs) -> Result<Exit, Failure> {
    let schema = match (args.what, args.toml) {
        (SchemaOf::Config, true) => {
            let (sources, targets) = (registry::examples(), publish::registry::examples());
            write_stdout(config::schema::default_toml(&sources, &targets).as_bytes())?;
            return Ok(Exit::Done);
        }
        (_, true) => return Err(Failure::usage("read the flags: `--toml` goes with `config` only", "")),
        (SchemaOf::Config, false) => config::schema::schema(&registry::schemas(), &publish::registry::schemas()),
        (SchemaOf::Report, false) => review::schema(),
        (SchemaOf::Archive, false) => review::archive::archive_schema(),
        (SchemaOf::Deploy, false) => review::one_deploy::schema(),
        (SchemaOf::Explain, false) => review::read::schema(),
        (SchemaOf::Doctor, false) => render::doctor::schema(),
        (SchemaOf::Placebo, false) => review::placebo::schema(),
    };
    let mut text = serde_json::to_vec_pretty(&schema).context("write the schema")?;
    text.push(b'\n');
    write_stdout(&text)?;
    Ok(Exit::Done)
}

fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fortnight", &mut script);
    write_stdout(&script)?;
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
        write_stdout(&page(command)?.1)?;
        return Ok(Exit::Done);
    };
    let mut pages = Vec::new();
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        pages.push(page(sub.clone())?);
    }
    pages.push(page(command)?);
    let files: Vec<(&str, &[u8])> = pages.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    write_stdout(&listed(&publish::file::write_all(folder, &files)?))?;
    Ok(Exit::Done)
}

fn load(path: &Path, zone: Option<&str>) -> Result<Config, Failure> {
    let mut config = Config::load(path)?;
    registry::check(&config)?;
    publish::registry::check(&config)?;
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
struct JudgedPeriod {
    judgement: Judgement,
    events: Vec<Event>,
    sources: Vec<SourceState>,
}

impl JudgedPeriod {
    /// Turns it into the document, and drops everything that the document does not hold.
    fn review(self, config: &Config) -> Result<Review, Failure> {
        let Self { judgement, events, sources } = &self;
        let generated_at = outcome::source_date_epoch()?.unwrap_or(judgement.period.end);
        Ok(review::build(&review::Input { judgement, events, sources, config, generated_at }))
    }
}

/// Reads and judges part by part, so that series too many for memory go through.
fn judge(config: &Config, period: Window, ui: &Ui) -> Result<JudgedPeriod, Failure> {
    let mut input = History::open(config, period, ui)?;
    let context = input.context();
    let events = std::mem::take(&mut input.events);
    let mut shards = Vec::new();
    input.read(ui, |series| {
        shards.push(detect::judge_shard(detect::Shard { series: &series, events: &events, context }));
        Ok(())
    })?;
    Ok(JudgedPeriod { judgement: detect::merge(shards, &events, &context), events, sources: input.sources })
}

/// Renders every form, and only then writes any; then prints the paths and says what came out.
///
/// `options`: by which `explain` finds the report.
fn write_report(config: &Config, review: &Review, ui: &Ui, options: &[String]) -> Result<(), Failure> {
    let formats = &config.output.formats;
    let page = formats.iter().any(|format| *format != Format::Json).then(|| render::view::build(review));
    let mut files = Vec::new();
    for format in formats {
        let bytes = match (format, &page) {
            (Format::Html, Some(page)) => render::html::render(page).context("render the page")?.into_bytes(),
            (Format::Markdown, Some(page)) => render::markdown::render(page).into_bytes(),
            _ => review::to_json(review).context("render report.json")?,
        };
        files.push((format.file_name(), bytes));
    }
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    let paths = publish::file::write_all(&config.output.folder, &files)?;
    let first = review.findings.first().filter(|_| formats.contains(&Format::Json));
    ui.print_summary(review, first.map(|finding| explain::command(&finding.id, options)));
    write_stdout(&listed(&paths))?;
    Ok(())
}

/// Paths as the system writes them, one a line, for other programs to read.
fn listed(paths: &[std::path::PathBuf]) -> Vec<u8> {
    paths.iter().flat_map(|path| [path.as_os_str().as_encoded_bytes(), b"\n"].concat()).collect()
}

/// Writes to standard output; a reader that has seen enough (`| head -1`) is no error.
fn write_stdout(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow!(error).context("write to standard output").into())
        }
        _ => Ok(()),
    }
}
