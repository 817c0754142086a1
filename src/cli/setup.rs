//! Flags of the commands that set a team up: `init` and `marker`.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Subcommand};

use crate::model::event::EventKind;
use crate::source::SOURCES;

pub(super) const INIT_EXAMPLES: &str = "\
Examples:
  fortnight init                                    New Relic and CloudWatch, into this folder
  fortnight init --template files --dir review      recorded series, into another folder
  fortnight doctor                                  then: what is still missing, and what to do about it";

const ADD_EXAMPLES: &str = "\
Examples:
  fortnight marker add --service card-api --revision \"$(git rev-parse HEAD)\"
  fortnight marker add --service card-api --at 2026-11-17T11:05:00+09:00 --until 2026-11-17T11:12:00+09:00
  fortnight marker add --kind campaign --at 2026-11-14T20:00:00+09:00 --until 2026-11-14T23:00:00+09:00";

const IMPORT_EXAMPLES: &str = "\
Examples:
  fortnight marker import deploys.jsonl incidents.csv
  ssh ci cat deploys.jsonl | fortnight marker import -

Files are JSON lines or CSV (also gzip) with id, service, at and optional until, revision, title, url, author, kind.";

/// Flags of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Sources that the config starts from; several are separated by commas.
    #[arg(long, value_name = "SOURCE", default_value = BOTH, value_delimiter = ',', value_parser = templates())]
    pub template: Vec<String>,
    /// Folder for the files.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Overwrite files that are there.
    #[arg(long)]
    pub force: bool,
}

/// Two sources that many teams have together.
const BOTH: &str = "newrelic-cloudwatch";

/// Returns what `--template` takes: each kind of source, and [`BOTH`].
fn templates() -> PossibleValuesParser {
    let both =
        PossibleValue::new(BOTH).help("Applications in New Relic, resources in Amazon CloudWatch, in two accounts");
    let kinds = SOURCES.iter().map(|kind| PossibleValue::new(kind.kind).help(kind.about));
    PossibleValuesParser::new(std::iter::once(both).chain(kinds))
}

/// What to do with markers.
#[derive(Debug, Subcommand)]
pub enum MarkerCommand {
    /// Record one deploy or other event; prints its id. The same id again replaces it.
    #[command(after_help = ADD_EXAMPLES)]
    Add(MarkerAddArgs),
    /// Record the events of files, all or none; prints how many were read, and how many of them were new or different.
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(MarkerImportArgs),
    /// Print what the store holds: start, service, kind, revision, id and title, separated by tabs.
    List(MarkerListArgs),
}

/// Flags of `marker add`.
#[derive(Debug, Args)]
pub struct MarkerAddArgs {
    /// The service that changed. Needed for a deploy; without it, other events concern all services.
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<String>,
    /// Start, RFC 3339 or a date in the report's zone; without it, now.
    #[arg(long, value_name = "T")]
    pub at: Option<String>,
    /// End, if it was not an instant.
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// Commit or version.
    #[arg(long, value_name = "SHA")]
    pub revision: Option<String>,
    /// What it was about.
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Where to read more.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Who knows it.
    #[arg(long, value_name = "NAME")]
    pub author: Option<String>,
    /// What it is.
    #[arg(long, value_name = "KIND", default_value = "deploy", value_parser = kind)]
    pub kind: EventKind,
    /// Its id; without it, made from service, kind, revision and start, so that the same marker twice is one.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
}

/// Flags of `marker import`.
#[derive(Debug, Args)]
pub struct MarkerImportArgs {
    /// Files; `-` is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// Flags of `marker list`.
#[derive(Debug, Args)]
pub struct MarkerListArgs {
    /// Only those that were not over by then, RFC 3339 or a date in the report's zone.
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// Only those that began before.
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// Only those of this service, and those that concern all.
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<String>,
    /// Print JSON lines, which `marker import` reads.
    #[arg(long)]
    pub json: bool,
}

fn kind(word: &str) -> Result<EventKind, String> {
    EventKind::parse(word).ok_or_else(|| {
        let words: Vec<&str> = EventKind::ALL.iter().map(|(word, _)| *word).collect();
        format!("choose from {}", words.join(", "))
    })
}
