//! `publish`, and `report --publish`: brings a written report to every place of the config.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use super::collector::block_on;
use super::{Exit, Failure, Ui, load, outcome, write_stdout};
use crate::cli::{Global, PublishArgs};
use crate::config::{Config, Format, Language, PublishTarget};
use crate::publish::shelf::{self, Composed, NamedFile};
use crate::publish::{OpenTarget, Place, PublishError, registry};
use crate::render::terminal::plain;
use crate::render::{self, archive as pages};
use crate::review::archive::{ARCHIVE_SCHEMA, key_of};
use crate::review::{Archive, ArchivedReport, Instant, Review, Reviewed, read};

/// Name of the newest page at a place.
const LATEST: &str = "latest.html";

/// A report as it is published.
struct Bundle {
    review: Review,
    key: String,
    files: Vec<NamedFile>,
    report: ArchivedReport,
}

/// A place of the config that is to be served.
struct Target<'a> {
    id: &'a str,
    url: String,
    place: Box<dyn Place>,
}

/// Brings the last written report to the places of the config.
pub(super) fn publish(args: &PublishArgs, global: &Global, ui: &Ui) -> Result<Exit, Failure> {
    let config = load(&global.config, global.tz.as_deref())?;
    let chosen = chosen(&config, &args.only)?;
    let path = match &args.from_report {
        Some(path) if path.is_dir() => path.join(Format::Json.file_name()),
        Some(path) => path.clone(),
        None => config.output.folder.join(Format::Json.file_name()),
    };
    let bundle = bundle(&path)?;
    if args.dry_run {
        return dry_run(&config, &chosen, &bundle);
    }
    match (&args.reviewed_by, args.link) {
        (Some(name), _) => {
            let line = reviewed(name, &bundle, &config)?;
            serve(&config, &chosen, ui, |target| sign(target, &bundle.key, &line, &config))
        }
        (None, Some(life)) => serve(&config, &chosen, ui, |target| link(target, &bundle, life)),
        (None, None) => serve(&config, &chosen, ui, |target| put(target, &bundle, &config)),
    }
    .map(|()| Exit::Done)
}

/// Publishes a report that was just written.
pub(super) fn publish_written(config: &Config, path: &Path, ui: &Ui) -> Result<(), Failure> {
    let chosen = chosen(config, &[])?;
    let bundle = bundle(path)?;
    serve(config, &chosen, ui, |target| put(target, &bundle, config))
}

/// Returns the first local days of the reports that every place has; `None` without a place.
///
/// # Errors
/// A place cannot be asked.
pub(super) fn archives(config: &Config) -> Result<Option<BTreeSet<String>>, Failure> {
    let mut common: Option<BTreeSet<String>> = None;
    for target in &config.targets {
        let opened = open(config, target)?;
        let archive = block_on(shelf::archive(&*opened.place))?.map_err(|error| at(&opened, error))?;
        let archive = parse(archive.as_deref()).map_err(|error| at(&opened, error))?;
        let keys: BTreeSet<String> = archive.reports.into_iter().map(|report| report.key).collect();
        common = Some(match common {
            Some(others) => others.intersection(&keys).cloned().collect(),
            None => keys,
        });
    }
    Ok(common)
}

/// Returns the places that `--only` names, by kind or id.
fn chosen<'a>(config: &'a Config, only: &[String]) -> Result<Vec<&'a PublishTarget>, Failure> {
    if config.targets.is_empty() {
        let example = "add [[publish]] with kind = \"folder\" and dir = \"/srv/www/performance\" to the config";
        return Err(Failure::usage("publish: the config names no place", example));
    }
    let is_named = |target: &PublishTarget, word: &String| *word == target.id || *word == target.kind;
    if let Some(word) = only.iter().find(|word| !config.targets.iter().any(|target| is_named(target, word))) {
        let known: Vec<&str> = config.targets.iter().map(|target| target.id.as_str()).collect();
        let reason = format!("read `--only`: {word:?} is neither a kind nor an id of a place");
        return Err(Failure::usage(reason, format!("the config has {}", known.join(", "))));
    }
    let is_chosen = |target: &&PublishTarget| only.is_empty() || only.iter().any(|word| is_named(target, word));
    Ok(config.targets.iter().filter(is_chosen).collect())
}

/// Reads a written report with the forms beside it.
fn bundle(path: &Path) -> Result<Bundle, Failure> {
    if !path.exists() {
        let error = anyhow!("publish {}: there is no such file", path.display());
        let help = "write it with `fortnight report`; `formats` of the config must hold \"json\"".to_owned();
        return Err(Failure { exit: Exit::Failed, error, help: vec![help] });
    }
    let review = read::review(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let page = render::view::build(&review);
    let mut files: Vec<NamedFile> = Vec::new();
    for (_, format) in Format::ALL {
        // Pages are made from the document, so that what is published never mixes two runs.
        let bytes = match format {
            Format::Html => render::html::render(&page).context("render the page")?.into_bytes(),
            Format::Markdown => render::markdown::render(&page).into_bytes(),
            Format::Json => {
                std::fs::read(path).with_context(|| format!("read {} in {}", path.display(), folder.display()))?
            }
        };
        files.push((format.file_name().to_owned(), bytes));
    }
    let sha256 = files
        .iter()
        .find(|(name, _)| name == Format::Json.file_name())
        .map(|(_, bytes)| shelf::sha256(bytes))
        .unwrap_or_default();
    let names = files.iter().map(|(name, _)| name.clone()).collect();
    let report = ArchivedReport::of(&review, &pages::told(&review, &page), names, sha256);
    Ok(Bundle { key: key_of(&review.period), review, files, report })
}

fn open<'a>(config: &Config, target: &'a PublishTarget) -> Result<Target<'a>, Failure> {
    let settings = registry::settings(target)?;
    match registry::open(config, target)? {
        OpenTarget::Place(place) => Ok(Target { id: &target.id, url: settings.url().to_owned(), place }),
    }
}

/// Serves place after place; one that fails does not keep the others from being served.
///
/// `one`: serves a place and returns the line to print.
fn serve(
    config: &Config,
    chosen: &[&PublishTarget],
    ui: &Ui,
    one: impl Fn(&Target<'_>) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let mut failures: Vec<(&str, Failure)> = Vec::new();
    for target in chosen {
        match open(config, target).and_then(|target| one(&target)) {
            Ok(line) => write_stdout(format!("{line}\n").as_bytes())?,
            Err(failure) => failures.push((&target.id, failure)),
        }
    }
    let Some((first, mut failure)) = failures.pop() else { return Ok(()) };
    for (id, other) in failures {
        ui.say(&format!("error: place `{id}`: failed to {:#}", other.error));
    }
    failure.error = failure.error.context(format!("serve the place `{first}`"));
    failure.help.push(format!("the report itself is there; then run `fortnight publish --only {first}`"));
    failure.exit = Exit::Failed;
    Err(failure)
}

fn at(target: &Target<'_>, error: PublishError) -> Failure {
    let mut failure = Failure::from(error);
    failure.error = failure.error.context(format!("ask the place `{}`", target.id));
    failure
}

/// Writes a report with index and feed, and returns where it can be opened.
fn put(target: &Target<'_>, bundle: &Bundle, config: &Config) -> Result<String, Failure> {
    let compose = |old: Option<&[u8]>| {
        let mut archive = parse(old)?;
        if let Some(there) = archive.report(&bundle.key).filter(|there| there.period != bundle.review.period) {
            let (from, to) = (there.period.from.to_string(), there.period.to.to_string());
            return Err(PublishError::OtherPeriod { key: bundle.key.clone(), from, to });
        }
        archive.put(bundle.report.clone());
        compose(&archive, target, config, Some(bundle))
    };
    block_on(shelf::publish(&*target.place, &bundle.key, &bundle.files, &compose))??;
    let page = format!("{}/{}", bundle.key, Format::Html.file_name());
    Ok(if target.url.is_empty() { format!("{}: {page}", target.id) } else { format!("{}/{page}", target.url) })
}

/// Makes the archive's bytes and the files around it; the index page comes last.
fn compose(
    archive: &Archive,
    target: &Target<'_>,
    config: &Config,
    bundle: Option<&Bundle>,
) -> Result<Composed, PublishError> {
    let wrong = |reason: String| PublishError::Archive { reason };
    let mut bytes = serde_json::to_vec_pretty(archive).map_err(|error| wrong(error.to_string()))?;
    bytes.push(b'\n');
    let first = config.languages.first().copied().unwrap_or(Language::En);
    let mut around: Vec<NamedFile> = Vec::new();
    let newest = archive.reports.last().map(|report| &report.key);
    if let Some(bundle) = bundle.filter(|bundle| newest == Some(&bundle.key)) {
        let page = bundle.files.iter().find(|(name, _)| name == Format::Html.file_name());
        around.extend(page.map(|(_, bytes)| (LATEST.to_owned(), bytes.clone())));
    }
    around.push(("feed.xml".to_owned(), pages::feed(archive, &target.url, first).into_bytes()));
    let index = pages::index(archive, &config.languages).map_err(|error| wrong(error.to_string()))?;
    around.push(("index.html".to_owned(), index.into_bytes()));
    Ok(Composed { archive: bytes, around })
}

fn parse(archive: Option<&[u8]>) -> Result<Archive, PublishError> {
    let Some(bytes) = archive else { return Ok(Archive::default()) };
    let archive: Archive =
        serde_json::from_slice(bytes).map_err(|error| PublishError::Archive { reason: error.to_string() })?;
    if archive.schema != ARCHIVE_SCHEMA {
        let reason = format!("it has the format {}, and this program reads {ARCHIVE_SCHEMA}", plain(&archive.schema));
        return Err(PublishError::Archive { reason });
    }
    Ok(archive)
}

/// Makes the line of a review.
fn reviewed(name: &str, bundle: &Bundle, config: &Config) -> Result<Reviewed, Failure> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Failure::usage("read `--reviewed-by`: it holds no name", "write --reviewed-by \"Aya Sato\""));
    }
    let on = Instant::new(outcome::clock()?.now(), config.zone);
    Ok(Reviewed { by: name.to_owned(), on, sha256: bundle.report.sha256.clone() })
}

/// Adds the line of a review to the archive of a place.
fn sign(target: &Target<'_>, key: &str, line: &Reviewed, config: &Config) -> Result<String, Failure> {
    let compose = |old: Option<&[u8]>| {
        let mut archive = parse(old)?;
        let report = archive.reports.iter_mut().find(|report| report.key == key && report.sha256 == line.sha256);
        let Some(report) = report else {
            let reason = format!("it has no report {key} with these bytes; publish it first");
            return Err(PublishError::Archive { reason });
        };
        // The same person's second look at the same bytes says nothing new.
        if !report.reviewed.iter().any(|known| known.by == line.by && known.sha256 == line.sha256) {
            report.reviewed.push(line.clone());
        }
        compose(&archive, target, config, None)
    };
    block_on(shelf::update(&*target.place, &compose))??;
    Ok(format!("{}: {key} reviewed by {} on {}", target.id, plain(&line.by), line.on))
}

/// Returns an address that needs no key.
fn link(target: &Target<'_>, bundle: &Bundle, life: Duration) -> Result<String, Failure> {
    let name = format!("{}/{}", bundle.key, Format::Html.file_name());
    let signed = block_on(target.place.signed(&name, life.as_secs()))??;
    let hours = signed.seconds / 3600;
    let caveat = if signed.caveat.is_empty() { String::new() } else { format!("; {}", signed.caveat) };
    // The address goes to standard output alone, so that a script can post it.
    tracing::info!("the link lives {hours} h at most{caveat}");
    Ok(signed.url)
}

/// Prints what would be written where, and writes nothing.
fn dry_run(config: &Config, chosen: &[&PublishTarget], bundle: &Bundle) -> Result<Exit, Failure> {
    let mut lines: BTreeMap<&str, String> = BTreeMap::new();
    for target in chosen {
        let opened = open(config, target)?;
        let archive = block_on(shelf::archive(&*opened.place))?.map_err(|error| at(&opened, error))?;
        let archive = parse(archive.as_deref()).map_err(|error| at(&opened, error))?;
        let state = match archive.report(&bundle.key) {
            Some(there) if there.sha256 == bundle.report.sha256 => "is there already, with the same bytes",
            Some(_) => "would replace the one of the same period",
            None => "would be new",
        };
        let names: Vec<PathBuf> = bundle.files.iter().map(|(name, _)| Path::new(&bundle.key).join(name)).collect();
        let names: Vec<String> = names.iter().map(|name| name.display().to_string()).collect();
        let size: usize = bundle.files.iter().map(|(_, bytes)| bytes.len()).sum();
        let line = format!("{}: {} ({} kB) {state}\n", opened.id, names.join(", "), size / 1000);
        lines.insert(opened.id, line);
    }
    write_stdout(lines.into_values().collect::<String>().as_bytes())?;
    Ok(Exit::Done)
}
