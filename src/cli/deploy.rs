//! What can be typed after `fortnight deploy`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Span, language};
use crate::config::Language;

/// Examples of `deploy`.
pub(super) const DEPLOY_EXAMPLES: &str = "\
Examples:
  fortnight deploy latest --service card-api        the last deploy of a service
  fortnight deploy 4f2c9e1                          by its revision, as short as git prints it
  fortnight deploy '#1842' --lang ja                by its pull request, in Japanese
  fortnight deploy latest --wait 2h                 a gate in a pipeline: waits until it can be judged
  fortnight deploy 7 --from-report https://reports.example.com/latest/report.json";

/// Flags of `deploy`.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// The deploy: its id, its revision, `#` and its pull request, its number in the report, or `latest`.
    #[arg(value_name = "DEPLOY")]
    pub deploy: String,
    /// Only this service.
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Read this written report (a file, its folder, or a URL) instead of judging anew; needs no key.
    #[arg(long, value_name = "REPORT", conflicts_with_all = ["from", "to", "offline", "wait"])]
    pub from_report: Option<String>,
    /// The span to judge it in.
    #[command(flatten)]
    pub span: Span,
    /// Ask no source over the network; judge what the store holds.
    #[arg(long)]
    pub offline: bool,
    /// Wait at most this long (`90m`, `2h`) while checks come too early; a regression ends the wait.
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub wait: Option<Duration>,
    /// Exit with 3 when the deploy has this.
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = DeployFailOn::Worse)]
    pub fail_on: DeployFailOn,
    /// Exit with 4 when the evidence for some check is not enough.
    #[arg(long)]
    pub strict: bool,
    /// List every check, also those where harm is ruled out.
    #[arg(long, conflicts_with = "json")]
    pub all: bool,
    /// Language of the text, instead of the first of the config's.
    #[arg(long, value_name = "LANG", value_parser = language, conflicts_with = "json")]
    pub lang: Option<Language>,
    /// Print JSON (`fortnight schema deploy`).
    #[arg(long)]
    pub json: bool,
}

/// What `deploy` exits with 3 for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeployFailOn {
    /// Something became worse.
    Worse,
    /// Something became worse, or possibly worse.
    Possibly,
    /// Nothing.
    Never,
}

/// Reads `90m`, `2h`, `45s`, `1d`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    const LONGEST_S: u64 = 7 * 86_400;
    let wrong = || "write it as 90m or 2h, 7d at most".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    number.checked_mul(factor).filter(|s| *s <= LONGEST_S).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_a_unit() {
        assert_eq!(span("90m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(span("2h"), Ok(Duration::from_secs(7_200)));
        for text in ["", "2", "h", "-1h", "2 h", "1.5h", "99999999999999999999h", "8d", "2時"] {
            assert!(span(text).is_err(), "{text:?}");
        }
    }
}
