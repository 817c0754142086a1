//! `explain`: one finding of a written report in full.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{Exit, Failure, Ui, load, write_stdout};
use crate::cli::{ExplainArgs, Global};
use crate::config::{Config, Format, Language};
use crate::render::explain::{self as text, Look};
use crate::render::terminal::plain;
use crate::review::Miss;
use crate::review::read::{self, Findings, ReadError};

/// Ids that a refusal lists at the most.
const LISTED: usize = 20;

/// Folder of reports where no config says otherwise; `demo` writes there too.
const DEFAULT_FOLDER: &str = "fortnight-report";

/// Prints a finding as text, or as JSON.
pub(super) fn explain(args: &ExplainArgs, global: &Global, ui: &Ui) -> Result<Exit, Failure> {
    let config = config(args, global)?;
    let path = match (&args.from_report, &config) {
        (Some(path), _) => path.clone(),
        (None, Some(config)) => config.output.folder.join(Format::Json.file_name()),
        (None, None) => Path::new(DEFAULT_FOLDER).join(Format::Json.file_name()),
    };
    let document = read::findings(&path)?;
    let finding = document.pick(&args.finding).map_err(|miss| missed(&miss, &args.finding, &document, &path))?;
    if args.json {
        let mut bytes = serde_json::to_vec_pretty(&document.explained(finding)).context("write the finding")?;
        bytes.push(b'\n');
        write_stdout(&bytes)?;
        return Ok(Exit::Done);
    }
    let zone = match (&global.tz, &config) {
        (Some(_), Some(config)) => config.zone,
        (Some(name), None) => super::zone(name)?,
        // The page's own zone: the text says what the page says.
        (None, _) => document.period.zone(),
    };
    let of_config = || config.as_ref().and_then(|config| config.languages.first().copied());
    let language = args.lang.or_else(of_config).unwrap_or(Language::En);
    let look = Look { language, zone, bold: ui.colour_data, width: ui.width() };
    let Some(text) = text::render(&document.explained(finding), look) else {
        return Err(Failure {
            exit: Exit::Failed,
            error: anyhow::anyhow!("explain {}: {} holds no explanation of it", plain(&finding.id), path.display()),
            help: vec!["write the report again with `fortnight report`".to_owned()],
        });
    };
    write_stdout(text.as_bytes())?;
    Ok(Exit::Done)
}

/// Loads the config, which says where the report is and which language it speaks; `None` where there is none and none
/// is needed.
fn config(args: &ExplainArgs, global: &Global) -> Result<Option<Config>, Failure> {
    let is_missing = !global.config.exists();
    let is_default = global.config == Path::new(crate::cli::DEFAULT_CONFIG);
    let default_report = Path::new(DEFAULT_FOLDER).join(Format::Json.file_name());
    if is_missing && is_default && (args.from_report.is_some() || default_report.is_file()) {
        return Ok(None);
    }
    load(&global.config, global.tz.as_deref()).map(Some)
}

/// Says which findings there are.
fn missed(miss: &Miss, word: &str, document: &Findings, path: &Path) -> Failure {
    let listed = |ids: &[&str]| {
        let shown: Vec<String> = ids.iter().take(LISTED).map(|id| plain(id)).collect();
        let more = ids.len().saturating_sub(LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", shown.join(", "))
    };
    let all: Vec<&str> = document.findings.iter().map(|finding| finding.id.as_str()).collect();
    let (reason, help) = match miss {
        Miss::Empty => (format!("{} has no findings", path.display()), Vec::new()),
        Miss::Unknown { near } => {
            let near = near.iter().map(|id| format!("did you mean `{}`?", plain(id)));
            let all = format!("its findings are {}; a number from 1 to {} picks one too", listed(&all), all.len());
            (format!("{} has no such finding", path.display()), near.chain([all]).collect())
        }
        Miss::Several { ids } => {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            (format!("it begins more than one of {}", path.display()), vec![format!("type one of {}", listed(&ids))])
        }
    };
    Failure { exit: Exit::Usage, error: anyhow::anyhow!("explain {word:?}: {reason}"), help }
}

/// Returns the command that explains a finding of a report just written.
///
/// `options`: what has to be typed for `explain` to find the report.
pub(super) fn command(id: &str, options: &[String]) -> String {
    let words = ["fortnight", "explain", id].map(str::to_owned);
    command_line(&[words.as_slice(), options].concat())
}

/// Joins words to a line for a shell.
pub(super) fn command_line(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Quotes a word for a shell, if it needs that.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", plain(word).replace('\'', "'\\''"))
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let help = vec![error.help().to_owned()];
        Self { exit: Exit::Failed, error: anyhow::anyhow!(error), help }
    }
}

/// Returns the options by which `explain` finds the report of a config, or of a folder named beside it.
pub(super) fn options(global: &Global, out: Option<&PathBuf>) -> Vec<String> {
    if let Some(out) = out {
        return vec!["--from-report".to_owned(), out.join(Format::Json.file_name()).display().to_string()];
    }
    match global.config == Path::new(crate::cli::DEFAULT_CONFIG) {
        true => Vec::new(),
        false => vec!["-c".to_owned(), global.config.display().to_string()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_a_shell_would_split_them() {
        let options = |path: &str| vec!["--from-report".to_owned(), path.to_owned()];
        assert_eq!(command("F-3a9c12", &[]), "fortnight explain F-3a9c12");
        assert_eq!(command("F-3a9c12", &options("a/b.json")), "fortnight explain F-3a9c12 --from-report a/b.json");
        assert!(command("F-3a9c12", &options("it's $(me)")).ends_with("'it'\\''s $(me)'"));
    }
}
