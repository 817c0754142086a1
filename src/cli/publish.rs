//! The flags of `publish`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// Examples below the help.
pub(super) const PUBLISH_EXAMPLES: &str = "\
Examples:
  fortnight publish                                 the last written report, to every [[publish]] of the config
  fortnight publish --only folder --dry-run         what that would write
  fortnight publish --reviewed-by \"Aya Sato\"        record that somebody has read the published report
  fortnight publish --only slack --dry-run          the message as Slack would get it
  fortnight publish --link 12h                      addresses of the page that need no key, where a place signs them

Running it again changes nothing. A place that fails does not keep the others from being served; the exit code is 1 then.";

/// Flags of `publish`.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// Only places of this kind or id; may be given again.
    #[arg(long, value_name = "KIND")]
    pub only: Vec<String>,
    /// The report to publish, instead of the one in the config's output folder.
    #[arg(long, value_name = "FILE")]
    pub from_report: Option<PathBuf>,
    /// Print what would be written, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Post messages again, also those that are there or may be there.
    #[arg(long, conflicts_with_all = ["dry_run", "reviewed_by", "link"])]
    pub again: bool,
    /// Record in the archive that this person has reviewed the published report, with date and digest.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["dry_run", "link"])]
    pub reviewed_by: Option<String>,
    /// Print an address of the published page that needs no key and lives this long, such as `12h`; publishes nothing.
    #[arg(long, value_name = "TIME", value_parser = super::deploy::span)]
    pub link: Option<Duration>,
}

/// Examples below the help of `due`.
pub(super) const DUE_EXAMPLES: &str = "\
Examples:
  fortnight due                                     whether a report is due, and when the next one is
  fortnight due --count 8                           the next eight periods
  fortnight due --at 2026-12-28 --exit-not-due      6 if nothing is due at that time

A period is due from its end until its report is at every place of the config, or, without a place, in the output folder.";

/// Flags of `due`.
#[derive(Debug, Args)]
pub struct DueArgs {
    /// The time to answer for, RFC 3339 or a date in the report's zone, instead of now.
    #[arg(long, value_name = "T")]
    pub at: Option<String>,
    /// How many periods to come are listed.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub count: u32,
    /// Exit with 6 when nothing is due.
    #[arg(long)]
    pub exit_not_due: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
