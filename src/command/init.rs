//! `init`: what a team starts from, written from the templates inside the program.

use std::path::Path;

use anyhow::{Context as _, anyhow};

use super::{Exit, Failure, Talk, data, listed};
use crate::cli::{DEFAULT_CONFIG, Global, InitArgs, Template};
use crate::config::Config;
use crate::publish::PublishError;
use crate::publish::file;

/// A file to write: its path in the folder, its text, and the part that it is for; empty for every template.
type Sheet = (&'static str, &'static str, &'static str);

/// Everything that a template may write. `#[part]` to `#[end]` in a text goes with that part alone.
const SHEETS: [Sheet; 13] = [
    (DEFAULT_CONFIG, include_str!("../../templates/init/fortnight.toml"), ""),
    (".fortnight/.gitignore", include_str!("../../templates/init/gitignore"), ""),
    ("setup/reader-policy.json", include_str!("../../templates/init/setup/reader-policy.json"), "cloudwatch"),
    ("setup/tags-policy.json", include_str!("../../templates/init/setup/tags-policy.json"), "cloudwatch"),
    ("setup/reader-trust.json", include_str!("../../templates/init/setup/reader-trust.json"), "cloudwatch"),
    ("setup/collector-policy.json", include_str!("../../templates/init/setup/collector-policy.json"), "cloudwatch"),
    ("setup/aws.md", include_str!("../../templates/init/setup/aws.md"), "cloudwatch"),
    ("setup/ecs.md", include_str!("../../templates/init/setup/ecs.md"), "cloudwatch"),
    ("setup/github-actions.yml", include_str!("../../templates/init/setup/github-actions.yml"), "network"),
    ("queries/README.md", include_str!("../../templates/init/queries/README.md"), "network"),
    ("setup/crontab", include_str!("../../templates/init/setup/crontab"), ""),
    ("setup/fortnight.service", include_str!("../../templates/init/setup/fortnight.service"), ""),
    ("setup/fortnight.timer", include_str!("../../templates/init/setup/fortnight.timer"), ""),
];

impl Template {
    /// Returns the parts of the texts that go with it.
    fn parts(self) -> &'static [&'static str] {
        match self {
            Self::NewrelicCloudwatch => &["newrelic", "cloudwatch", "network"],
            Self::Cloudwatch => &["cloudwatch", "network"],
            Self::Newrelic => &["newrelic", "network"],
            Self::Files => &["files"],
        }
    }
}

/// Writes the files of a template; none of them if one is there already.
pub(super) fn init(args: &InitArgs, global: &Global, talk: &Talk) -> Result<Exit, Failure> {
    let zone = global.tz.as_deref().map(super::zone).transpose()?.unwrap_or(chrono_tz::UTC);
    let files = sheets(args.template, zone.name())?;
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let paths = file::write_tree(&args.dir, &files, args.force).map_err(|error| refused(error, &args.dir))?;
    data(&listed(&paths))?;
    talk.next(&next_steps(args));
    Ok(Exit::Done)
}

/// Fills the templates in, and proves that the config is one.
fn sheets(template: Template, zone: &str) -> Result<Vec<(&'static str, String)>, Failure> {
    let parts = template.parts();
    let mut files = Vec::new();
    for (name, text, part) in SHEETS {
        if !part.is_empty() && !parts.contains(&part) {
            continue;
        }
        let mut text = kept(text, parts);
        if name == DEFAULT_CONFIG {
            // Padded, so that the comments stay in their column.
            let line = format!("timezone = \"{zone}\"");
            text = text.replace(&format!("{:<35}", "timezone = \"UTC\""), &format!("{line:<35}"));
            Config::parse(&text, Path::new(name)).context("fill the template in")?;
        }
        files.push((name, text));
    }
    Ok(files)
}

/// Leaves out the parts of a text that belong to other templates, and the marks around them.
fn kept(text: &str, parts: &[&str]) -> String {
    let mut keeps = true;
    let mut result = String::with_capacity(text.len());
    for line in text.lines() {
        match line.trim_start().strip_prefix("#[").and_then(|rest| rest.strip_suffix(']')) {
            Some("end") => keeps = true,
            // `#[[service]]` is an example to switch on, no mark.
            Some(part) if part.bytes().all(|byte| byte.is_ascii_lowercase()) && is_part(part) => {
                keeps = parts.contains(&part);
            }
            _ if keeps => {
                result.push_str(line);
                result.push('\n');
            }
            _ => {}
        }
    }
    result
}

fn is_part(word: &str) -> bool {
    ["newrelic", "cloudwatch", "network", "files"].contains(&word)
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
fn next_steps(args: &InitArgs) -> Vec<String> {
    let mut steps = Vec::new();
    if args.dir != Path::new(".") {
        steps.push(super::explain::command_line(&["cd".to_owned(), args.dir.display().to_string()]));
    }
    let parts = args.template.parts();
    let what = if parts.contains(&"network") { "   # accounts, regions, roles" } else { "" };
    steps.push(format!("edit {DEFAULT_CONFIG}{what}"));
    if parts.contains(&"newrelic") {
        steps.push("export NEW_RELIC_API_KEY=NRAK-...".to_owned());
    }
    if parts.contains(&"cloudwatch") {
        steps.push("export FORTNIGHT_EXTERNAL_ID=...   # setup/aws.md".to_owned());
    }
    steps.push("fortnight doctor".to_owned());
    if parts.contains(&"network") {
        steps.push("fortnight collect".to_owned());
    }
    steps.push("fortnight report".to_owned());
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Template; 4] =
        [Template::NewrelicCloudwatch, Template::Cloudwatch, Template::Newrelic, Template::Files];

    #[test]
    fn every_template_has_the_sources_of_its_name_and_no_marks() {
        let kinds = |template| -> Vec<&str> {
            let files = sheets(template, "Asia/Tokyo").expect("valid");
            let (_, text) = files.iter().find(|(name, _)| *name == DEFAULT_CONFIG).expect("a config");
            let config = Config::parse(text, Path::new("x.toml")).expect("valid");
            assert_eq!(config.zone, chrono_tz::Asia::Tokyo);
            config.sources.iter().map(|source| source.kind.name()).collect::<Vec<_>>()
        };
        assert_eq!(kinds(Template::NewrelicCloudwatch), ["newrelic", "cloudwatch", "cloudwatch"]);
        assert_eq!(kinds(Template::Cloudwatch), ["cloudwatch", "cloudwatch"]);
        assert_eq!(kinds(Template::Newrelic), ["newrelic"]);
        assert_eq!(kinds(Template::Files), ["files"]);
        for template in ALL {
            for (name, text) in sheets(template, "UTC").expect("valid") {
                for mark in ["#[newrelic]", "#[cloudwatch]", "#[network]", "#[files]", "#[end]"] {
                    assert!(!text.contains(mark), "{name}: {mark}");
                }
            }
        }
    }

    #[test]
    fn the_examples_of_the_config_are_valid_too() {
        for template in ALL {
            let files = sheets(template, "UTC").expect("valid");
            let (_, text) = files.iter().find(|(name, _)| *name == DEFAULT_CONFIG).expect("a config");
            let whole: String = text
                .lines()
                .map(|line| match line.strip_prefix('#') {
                    Some(example) if !example.starts_with(' ') => format!("{example}\n"),
                    _ => format!("{line}\n"),
                })
                .collect();
            let config = Config::parse(&whole, Path::new("x.toml")).expect("examples are valid");
            assert_eq!((config.services.len(), config.holidays.len()), (1, 1));
        }
    }
}
