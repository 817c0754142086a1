//! What can be typed: commands and flags, no behaviour.

mod deploy;
mod publish;
mod setup;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use deploy::{DeployArgs, DeployFailOn};
pub use publish::{DueArgs, PublishArgs};
pub use setup::{InitArgs, MarkerAddArgs, MarkerCommand, MarkerImportArgs, MarkerListArgs};

use crate::config::{Format, Language};

/// Where the configuration stands unless told otherwise.
pub const DEFAULT_CONFIG: &str = "fortnight.toml";

const EXAMPLES: &str = "\
Examples:
  fortnight demo                                    a whole report from sample data, no account
  fortnight init                                    a commented config, access policies, schedules
  fortnight report                                  the last whole period
  fortnight report --from 2026-11-09 --to 2026-11-23 --fail-on worse
  fortnight deploy latest --service card-api        did the last deploy slow things down?
  fortnight explain 1                               the first finding of that report in full
  fortnight report --if-due --publish               every two weeks, by a schedule that runs more often
  fortnight doctor                                  what is wrong with the config and its sources
  fortnight doctor --placebo                        how often your own history would have raised a false alarm

Exit codes:
  0  done
  1  could not do the work
  2  wrong use or invalid config
  3  a regression at or above --fail-on
  4  not enough evidence, with --strict; deploy: nothing about it could be judged
  5  report written but a source failed, with --fail-on partial
  6  not due, with --exit-not-due

Data goes to standard output, talk to standard error.";

const REPORT_EXAMPLES: &str = "\
Examples:
  fortnight report                                  the last whole period, as the config says
  fortnight report --from 2026-11-09 --to 2026-11-23
  fortnight report --format json --out /tmp/review
  fortnight report --fail-on worse,partial          a gate: 3 if something became worse, 5 if a source failed
  fortnight report --if-due --catch-up --publish    for a daily schedule: every period once, late runs included";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  fortnight explain F-3a9c12                        one finding of the last report in full
  fortnight explain 1 --lang ja                     the first one, in Japanese
  fortnight explain F-3a --from-report old/report.json --json";

const COLLECT_EXAMPLES: &str = "\
Examples:
  fortnight collect                                 every day, by a schedule: what the store lacks
  fortnight collect --dry-run                       what that would ask, with requests and price
  fortnight collect --since 2026-11-01 --source apm
  fortnight collect --account card-data --export cards.tar
  fortnight collect --import cards.tar              elsewhere, without a key of that account";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  fortnight doctor                                  config, keys, permissions, series, deploys: what is wrong
  fortnight doctor --source cloudwatch              one source alone
  fortnight doctor --offline                        without a single request
  fortnight doctor --placebo                        the judge at moments without a deploy: false alarms, limits
  fortnight doctor --placebo --tests 10000 --json";

/// Writes the performance review of a software team: what became slower, relative to which deploy, and
/// how sure that is.
#[derive(Debug, Parser)]
#[command(name = "fortnight", version, after_long_help = EXAMPLES, after_help = "Examples and exit codes: --help")]
#[command(max_term_width = 100, arg_required_else_help = true, propagate_version = true)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Configuration file.
    #[arg(short, long, global = true, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    #[arg(env = "FORTNIGHT_CONFIG", hide_env_values = true)]
    pub config: PathBuf,
    /// Time zone of the report as an IANA name, instead of the config's.
    #[arg(long, global = true, value_name = "ZONE")]
    pub tz: Option<String>,
    /// Say more; twice for even more.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// How the talk on standard error looks.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// When to colour. `auto` heeds NO_COLOR, TERM=dumb and whether there is a terminal.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

/// How the talk on standard error looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal that can, unless the environment says no.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a whole report from the sample data inside the program: no account, no network.
    #[command(after_help = "Example:\n  xdg-open \"$(fortnight demo | head -1)\"")]
    Demo(DemoArgs),
    /// Judge a period and write the report; prints the paths of the files, one a line.
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// Print what became of one deploy; exits with 3 if something became worse.
    #[command(after_help = deploy::DEPLOY_EXAMPLES)]
    Deploy(DeployArgs),
    /// Print one finding of a written report in full: hours, values, estimate, rule, rival explanations.
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Bring a written report to where people read it: folders and object storage with an index of all reports, Slack, Teams,
    /// webhooks.
    #[command(after_help = publish::PUBLISH_EXAMPLES)]
    Publish(PublishArgs),
    /// Print whether a report is due, and the periods to come.
    #[command(after_help = publish::DUE_EXAMPLES)]
    Due(DueArgs),
    /// Check the config and its sources; with `--placebo`, run the judge at moments without a deploy and
    /// print how often it would have cried.
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Keep what the sources have now in the store, so that history outlives their retention; prints
    /// source, days, points and new events, one source a line.
    #[command(after_help = COLLECT_EXAMPLES)]
    Collect(CollectArgs),
    /// Record deploys and other events in the store, or list them.
    #[command(subcommand)]
    Marker(MarkerCommand),
    /// Write a commented config, access policies and schedules to start from; prints their paths, one a line.
    #[command(after_help = setup::INIT_EXAMPLES)]
    Init(InitArgs),
    /// Print the JSON Schema of a file that this program reads or writes.
    #[command(after_help = "Example:\n  fortnight schema config > fortnight.schema.json")]
    Schema(SchemaArgs),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  fortnight completions bash > ~/.local/share/bash-completion/completions/fortnight"
    )]
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page, or write one page a command into a folder.
    #[command(after_help = "Example:\n  fortnight man --out ~/.local/share/man/man1")]
    Man {
        /// Folder for the pages.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Flags of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Folder for the report.
    #[arg(long, value_name = "DIR", default_value = "fortnight-report")]
    pub out: PathBuf,
    /// Forms to write.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = format)]
    #[arg(default_value = "html,json,md")]
    pub format: Vec<Format>,
}

/// Flags of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The span to judge.
    #[command(flatten)]
    pub span: Span,
    /// Folder for the report, instead of the config's.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Forms to write, of html, json and md, instead of the config's.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = format)]
    pub format: Vec<Format>,
    /// Ask no source over the network; judge what the store holds.
    #[arg(long)]
    pub offline: bool,
    /// End with an exit code other than 0 when the report finds this or something graver.
    #[arg(long, value_name = "LEVEL", value_delimiter = ',', value_enum)]
    pub fail_on: Vec<FailOn>,
    /// End with 4 when the evidence for some comparison is not enough.
    #[arg(long)]
    pub strict: bool,
    /// Then bring the report to every `[[publish]]` of the config.
    #[arg(long)]
    pub publish: bool,
    /// Do nothing unless a period has ended whose report is not there yet.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub if_due: bool,
    /// Also make the reports of earlier periods that were missed, the oldest first.
    #[arg(long, requires = "if_due")]
    pub catch_up: bool,
    /// End with 6 when nothing is due.
    #[arg(long, requires = "if_due")]
    pub exit_not_due: bool,
}

/// Flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The finding: its id, the beginning of its id, or its number in the list.
    #[arg(value_name = "FINDING")]
    pub finding: String,
    /// The report to read, instead of the one in the config's output folder.
    #[arg(long, value_name = "FILE")]
    pub from_report: Option<PathBuf>,
    /// Language of the text, instead of the first of the config's.
    #[arg(long, value_name = "LANG", value_parser = language, conflicts_with = "json")]
    pub lang: Option<Language>,
    /// Print JSON (`fortnight schema explain`).
    #[arg(long)]
    pub json: bool,
}

/// Flags of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Judge made-up deploys at moments without a real one.
    #[arg(long)]
    pub placebo: bool,
    /// Ask nothing over the network: config, files and store only.
    #[arg(long)]
    pub offline: bool,
    /// Look at this source alone, by its id; may be given again.
    #[arg(long, value_name = "ID", conflicts_with = "placebo")]
    pub source: Vec<String>,
    /// The span to look at.
    #[command(flatten)]
    pub span: Span,
    /// How many comparisons with placebo deploys are wanted at the least.
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "placebo")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub tests: u32,
    /// How often placebo deploys are drawn, whatever number of comparisons that gives.
    #[arg(long, value_name = "N", requires = "placebo", conflicts_with = "tests")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rounds: Option<u32>,
    /// Print JSON (`fortnight schema doctor`, `fortnight schema placebo`).
    #[arg(long)]
    pub json: bool,
}

/// Flags of `collect`.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// Start, RFC 3339 or a date in the report's zone; without it, what a report of the last period needs.
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// End, not included; without it, the last whole hour.
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// Only the source with this id; may be given several times.
    #[arg(long, value_name = "ID")]
    pub source: Vec<String>,
    /// Only the sources of this account; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub account: Vec<String>,
    /// Ask for days again that are sealed.
    #[arg(long)]
    pub again: bool,
    /// Print what would be asked, with requests and price, and collect nothing.
    #[arg(long, conflicts_with_all = ["export", "prune"])]
    pub dry_run: bool,
    /// Leave a source alone that needs more requests than this.
    #[arg(long, value_name = "N")]
    pub max_requests: Option<u64>,
    /// Then write the whole store into one file, to be carried elsewhere.
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// Take over exported stores, and collect nothing.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    #[arg(conflicts_with_all = ["since", "until", "source", "account", "again", "dry_run", "export", "prune"])]
    pub import: Vec<PathBuf>,
    /// Then remove what is older than this many days from the store.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub prune: Option<u32>,
    /// `partial`: exit with 5 if an optional source failed.
    #[arg(long, value_name = "LEVEL", value_enum)]
    pub fail_on: Option<CollectFailOn>,
}

/// A span of time; without both ends it is the last whole period.
#[derive(Debug, Clone, Default, Args)]
pub struct Span {
    /// Start, RFC 3339 or a date in the report's zone. Alone: one period from there.
    #[arg(long, value_name = "T")]
    pub from: Option<String>,
    /// End, not included. Alone: one period up to there.
    #[arg(long, value_name = "T")]
    pub to: Option<String>,
}

/// Flags of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Which file.
    #[arg(value_enum)]
    pub what: SchemaOf,
    /// With `config`: the commented configuration with every default, instead of the schema.
    #[arg(long)]
    pub toml: bool,
}

/// A file with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// The configuration.
    Config,
    /// `report.json`.
    Report,
    /// `index.json` of a place that reports are published to.
    Archive,
    /// What `explain --json` prints.
    Explain,
    /// What `deploy --json` prints.
    Deploy,
    /// What `doctor --json` prints.
    Doctor,
    /// What `doctor --placebo --json` prints.
    Placebo,
}

/// What makes `collect` fail besides a source that is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CollectFailOn {
    /// An optional source failed.
    Partial,
}

/// What `report` fails on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Something became worse: 3.
    Worse,
    /// Or possibly worse: 3.
    Possibly,
    /// Or there is not enough evidence: 4.
    Inconclusive,
    /// A source failed, or its data has too many gaps: 5.
    Partial,
}

fn format(word: &str) -> Result<Format, String> {
    match Format::ALL.iter().find(|(name, _)| *name == word) {
        Some((_, format)) => Ok(*format),
        None => Err("choose from html, json, md".to_owned()),
    }
}

fn language(word: &str) -> Result<Language, String> {
    match Language::ALL.iter().find(|(tag, _)| *tag == word) {
        Some((_, language)) => Ok(*language),
        None => Err("choose from en, ja".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn lists_are_split_at_commas() {
        let words = ["fortnight", "report", "--format", "json,md", "--fail-on", "worse,partial"];
        let Command::Report(args) = Cli::try_parse_from(words).expect("valid").command else { panic!("a report") };
        assert_eq!(args.format, [Format::Json, Format::Markdown]);
        assert_eq!(args.fail_on, [FailOn::Worse, FailOn::Partial]);
        assert!(Cli::try_parse_from(["fortnight", "report", "--format", "pdf"]).is_err());
    }
}
