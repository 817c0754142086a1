//! `init`: what a team starts from, written from the templates inside the program.

use std::path::Path;

use anyhow::{Context as _, anyhow};

use super::{Exit, Failure, Ui, listed, write_stdout};
use crate::cli::{DEFAULT_CONFIG, Global, InitArgs};
use crate::config::Config;
use crate::publish::PublishError;
use crate::publish::file;
use crate::source::descriptor::{Reading, SetupSecret};
use crate::source::{SourceDescriptor, registry};

/// A file that `init` writes whatever the sources are: its path in the folder, and its text.
type Sheet = (&'static str, &'static str);

/// Placeholder in the config; the sections of the sources replace it.
const SOURCES_MARK: &str = "#{sources}\n";
/// Placeholder in the workflow; the variables with secrets replace it.
const SECRETS_MARK: &str = "      #{secrets}\n";
/// Placeholder in the workflow; the steps that sign in replace it.
const STEPS_MARK: &str = "      #{steps}\n";

/// The config.
const CONFIG: Sheet = (DEFAULT_CONFIG, include_str!("../../templates/init/fortnight.toml"));

/// What keeps the store out of version control.
const IGNORE: Sheet = (".fortnight/.gitignore", include_str!("../../templates/init/gitignore"));

/// Goes with sources that are collected.
const COLLECTED: [Sheet; 2] = [
    ("setup/github-actions.yml", include_str!("../../templates/init/setup/github-actions.yml")),
    ("queries/README.md", include_str!("../../templates/init/queries/README.md")),
];

/// Schedules.
const SCHEDULES: [Sheet; 3] = [
    ("setup/crontab", include_str!("../../templates/init/setup/crontab")),
    ("setup/fortnight.service", include_str!("../../templates/init/setup/fortnight.service")),
    ("setup/fortnight.timer", include_str!("../../templates/init/setup/fortnight.timer")),
];

/// Writes the files of a template; none of them if one is there already.
pub(super) fn init(args: &InitArgs, global: &Global, ui: &Ui) -> Result<Exit, Failure> {
    let zone = global.tz.as_deref().map(super::zone).transpose()?.unwrap_or(chrono_tz::UTC);
    let kinds = kinds(&args.template)?;
    let files = sheets(&kinds, zone.name())?;
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let paths = file::write_tree(&args.dir, &files, args.force).map_err(|error| refused(error, &args.dir))?;
    write_stdout(&listed(&paths))?;
    ui.next(&next_steps(args, &kinds));
    Ok(Exit::Done)
}

/// Returns the kinds of sources that templates name, each once: `newrelic-cloudwatch` names two.
fn kinds(templates: &[String]) -> Result<Vec<&'static SourceDescriptor>, Failure> {
    let mut kinds: Vec<&SourceDescriptor> = Vec::new();
    for word in templates.iter().flat_map(|template| template.split('-')) {
        let Some(kind) = registry::descriptor(word) else {
            return Err(Failure::usage(format!("read `--template`: no source is called {word:?}"), ""));
        };
        if !kinds.iter().any(|known| known.kind == kind.kind) {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}

fn is_collected(kinds: &[&SourceDescriptor]) -> bool {
    kinds.iter().any(|kind| kind.reading == Reading::Collected)
}

/// Fills the templates in, and proves that the config is one.
fn sheets(kinds: &[&SourceDescriptor], zone: &str) -> Result<Vec<(&'static str, String)>, Failure> {
    let sections: Vec<&str> = kinds.iter().map(|kind| kind.setup.section).collect();
    // Padded, so that the comments stay in their column.
    let line = format!("timezone = \"{zone}\"");
    let config = CONFIG.1.replace(SOURCES_MARK, &format!("{}\n", sections.join("\n")));
    let config = config.replace(&format!("{:<35}", "timezone = \"UTC\""), &format!("{line:<35}"));
    let parsed = Config::parse(&config, Path::new(CONFIG.0)).context("fill the template in")?;
    registry::check(&parsed).context("fill the template in")?;

    let secrets: String = kinds
        .iter()
        .flat_map(|kind| kind.setup.secrets)
        .map(|SetupSecret { variable, .. }| format!("      {variable}: ${{{{ secrets.{variable} }}}}\n"))
        .collect();
    let steps: String = kinds.iter().map(|kind| kind.setup.github_steps).collect();
    let filled = |text: &str| text.replace(SECRETS_MARK, &secrets).replace(STEPS_MARK, &steps);
    let mut files = vec![(CONFIG.0, config), (IGNORE.0, IGNORE.1.to_owned())];
    files.extend(kinds.iter().flat_map(|kind| kind.setup.files).map(|file| (file.path, file.text.to_owned())));
    if is_collected(kinds) {
        files.extend(COLLECTED.map(|(path, text)| (path, filled(text))));
    }
    files.extend(SCHEDULES.map(|(path, text)| (path, text.to_owned())));
    Ok(files)
}

fn refused(error: PublishError, folder: &Path) -> Failure {
    let help = match &error {
        PublishError::There { .. } => {
            vec!["nothing was written; `--force` overwrites what is there, `--dir` names another folder".to_owned()]
        }
        _ => Vec::new(),
    };
    let error = anyhow!(error).context(format!("write the template into {}", folder.display()));
    Failure { exit: Exit::Failed, error, help }
}

/// Says what to type next.
fn next_steps(args: &InitArgs, kinds: &[&SourceDescriptor]) -> Vec<String> {
    let mut steps = Vec::new();
    if args.dir != Path::new(".") {
        steps.push(super::explain::command_line(&["cd".to_owned(), args.dir.display().to_string()]));
    }
    let is_collected = is_collected(kinds);
    let what = if is_collected { "   # accounts, regions, roles" } else { "" };
    steps.push(format!("edit {DEFAULT_CONFIG}{what}"));
    let secrets = kinds.iter().flat_map(|kind| kind.setup.secrets);
    steps.extend(secrets.map(|SetupSecret { variable, hint }| format!("export {variable}={hint}")));
    steps.push("fortnight doctor".to_owned());
    if is_collected {
        steps.push("fortnight collect".to_owned());
    }
    steps.push("fortnight report".to_owned());
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SOURCES;

    /// Every kind of source by itself, and all of them together.
    fn all() -> Vec<Vec<&'static SourceDescriptor>> {
        let mut all: Vec<Vec<&SourceDescriptor>> = SOURCES.iter().map(|kind| vec![*kind]).collect();
        all.push(SOURCES.to_vec());
        all
    }

    fn named(template: &str) -> Vec<&'static SourceDescriptor> {
        kinds(&[template.to_owned()]).expect("known")
    }

    #[test]
    fn every_template_has_the_sources_of_its_name_and_no_marks() {
        let of = |template| -> Vec<String> {
            let files = sheets(&named(template), "Asia/Tokyo").expect("valid");
            let (_, text) = files.iter().find(|(name, _)| *name == DEFAULT_CONFIG).expect("a config");
            let config = Config::parse(text, Path::new("x.toml")).expect("valid");
            assert_eq!(config.zone, chrono_tz::Asia::Tokyo);
            config.sources.iter().map(|source| source.kind.clone()).collect()
        };
        assert_eq!(of("newrelic-cloudwatch"), ["newrelic", "cloudwatch", "cloudwatch"]);
        assert_eq!(of("cloudwatch"), ["cloudwatch", "cloudwatch"]);
        assert_eq!(of("newrelic"), ["newrelic"]);
        assert_eq!(of("files"), ["files"]);
        for kinds in all() {
            for (name, text) in sheets(&kinds, "UTC").expect("valid") {
                for mark in [SOURCES_MARK, SECRETS_MARK, STEPS_MARK] {
                    assert!(!text.contains(mark.trim()), "{name}: {mark}");
                }
            }
        }
    }

    #[test]
    fn a_kind_that_is_named_twice_is_written_once() {
        let twice = ["newrelic".to_owned(), "newrelic-files".to_owned()];
        let words: Vec<&str> = kinds(&twice).expect("known").iter().map(|kind| kind.kind).collect();
        assert_eq!(words, ["newrelic", "files"]);
        assert_eq!(kinds(&["prometheus-x".to_owned()]).err().map(|error| error.exit), Some(Exit::Usage));
    }

    #[test]
    fn the_examples_of_the_config_are_valid_too() {
        for kinds in all() {
            let files = sheets(&kinds, "UTC").expect("valid");
            let (_, text) = files.iter().find(|(name, _)| *name == DEFAULT_CONFIG).expect("a config");
            let whole: String = text
                .lines()
                .map(|line| match line.strip_prefix('#') {
                    Some(example) if !example.starts_with(' ') => format!("{example}\n"),
                    _ => format!("{line}\n"),
                })
                .collect();
            let config = Config::parse(&whole, Path::new("x.toml")).expect("examples are valid");
            registry::check(&config).expect("examples are valid");
            assert_eq!((config.services.len(), config.holidays.len()), (1, 1));
        }
    }
}
