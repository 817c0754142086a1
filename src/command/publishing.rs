//! `publish`, and `report --publish`: brings a written report to every place of the config.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use super::collector::block_on;
use super::{Exit, Failure, Ui, load, outcome, write_stdout};
use crate::cli::{Global, PublishArgs};
use crate::config::{Config, Format, Language, PublishTarget};
use crate::publish::channel::{Channel, Delivered, Entry, Notice};
use crate::publish::folder::FolderPlace;
use crate::publish::shelf::{self, Composed, NamedFile};
use crate::publish::{OpenTarget, Place, PublishError, registry};
use crate::render::chat::News;
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

/// What is known before a message is written.
struct Memory<'a> {
    /// Where the log of messages is.
    place: &'a dyn Place,
    /// Regressions of the report that no earlier one has open, by id.
    new: Vec<String>,
    /// Address of the page; empty for none.
    link: String,
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
    let places: Vec<&PublishTarget> = chosen.iter().copied().filter(|target| registry::is_place(target)).collect();
    match (&args.reviewed_by, args.link) {
        _ if args.dry_run => dry_run(&config, &chosen, &bundle)?,
        (Some(name), _) => {
            let line = reviewed(name, &bundle, &config)?;
            let one = |target: &PublishTarget| sign(&open_place(&config, target)?, &bundle.key, &line, &config);
            serve(&places, ui, one)?;
        }
        (None, Some(life)) => {
            serve(&places, ui, |target| link(&open_place(&config, target)?, &bundle, life, ui))?;
        }
        (None, None) => everywhere(&config, &chosen, &bundle, args.again, ui)?,
    }
    Ok(Exit::Done)
}

/// Publishes a report that was just written.
pub(super) fn publish_written(config: &Config, path: &Path, ui: &Ui) -> Result<(), Failure> {
    let chosen = chosen(config, &[])?;
    everywhere(config, &chosen, &bundle(path)?, false, ui)
}

/// Serves the places first, because messages link to them, then the channels.
fn everywhere(
    config: &Config,
    chosen: &[&PublishTarget],
    bundle: &Bundle,
    again: bool,
    ui: &Ui,
) -> Result<(), Failure> {
    let (places, channels): (Vec<&PublishTarget>, Vec<&PublishTarget>) =
        chosen.iter().partition(|target| registry::is_place(target));
    let served = serve(&places, ui, |target| put(&open_place(config, target)?, bundle, config));
    if channels.is_empty() {
        return served;
    }
    if let Err(failure) = served {
        // A message that leads nowhere is worse than a late one.
        ui.say("error: nothing was posted, because messages would link to a report that is not there");
        return Err(failure);
    }
    let first = config.targets.iter().find(|target| registry::is_place(target));
    let place: Box<dyn Place> = match first {
        Some(target) => open_place(config, target)?.place,
        None => Box::new(FolderPlace::new(&config.store.folder)),
    };
    let memory = memory(config, &*place, bundle)?;
    serve(&channels, ui, |target| post(config, target, bundle, &memory, again))
}

/// Returns what is known of earlier reports, and where the page is.
fn memory<'a>(config: &Config, place: &'a dyn Place, bundle: &Bundle) -> Result<Memory<'a>, Failure> {
    let mut archive = parse(block_on(shelf::archive(place))??.as_deref())?;
    archive.put(bundle.report.clone());
    let new = archive.new_in(&bundle.key).into_iter().map(|finding| finding.id.clone()).collect();
    let mut urls = config.targets.iter().filter_map(|target| registry::settings(target).ok());
    let url = urls.find_map(|settings| Some(settings.url().to_owned()).filter(|url| !url.is_empty()));
    let link = url.map(|url| format!("{url}/{}/{}", bundle.key, Format::Html.file_name())).unwrap_or_default();
    Ok(Memory { place, new, link })
}

/// Posts a report in a channel, and says what became of it.
fn post(
    config: &Config,
    target: &PublishTarget,
    bundle: &Bundle,
    memory: &Memory<'_>,
    again: bool,
) -> Result<String, Failure> {
    let channel = open_channel(config, target)?;
    let notice = notice(config, &*channel, bundle, memory);
    let delivered = block_on(async {
        let mut entry = Entry::read(memory.place, &target.id, &bundle.key).await?;
        channel.deliver(&notice, &mut entry, again).await
    })??;
    let said = match delivered {
        Delivered::Posted => "posted to",
        Delivered::Updated => "changed in",
        Delivered::There => "is there already:",
    };
    Ok(format!("{}: {said} {}", target.id, channel.name()))
}

fn notice(config: &Config, channel: &dyn Channel, bundle: &Bundle, memory: &Memory<'_>) -> Notice {
    let first = config.languages.first().copied().unwrap_or(Language::En);
    let news = News {
        review: &bundle.review,
        new: &memory.new,
        link: &memory.link,
        language: channel.language().unwrap_or(first),
        mentions: channel.mentions(),
    };
    let page = bundle.files.iter().find(|(name, _)| name == Format::Html.file_name()).cloned();
    Notice { page, ..channel.compose(news) }
}

/// Returns the first local days of the reports that every place has; `None` without a place.
///
/// # Errors
/// A place cannot be asked.
pub(super) fn archives(config: &Config) -> Result<Option<BTreeSet<String>>, Failure> {
    let mut common: Option<BTreeSet<String>> = None;
    for target in config.targets.iter().filter(|target| registry::is_place(target)) {
        let opened = open_place(config, target)?;
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

fn open_place<'a>(config: &Config, target: &'a PublishTarget) -> Result<Target<'a>, Failure> {
    let settings = registry::settings(target)?;
    match registry::open(config, target)? {
        OpenTarget::Place(place) => Ok(Target { id: &target.id, url: settings.url().to_owned(), place }),
        OpenTarget::Channel(_) => Err(anyhow!("open `{}`: it keeps no files", target.id).into()),
    }
}

fn open_channel(config: &Config, target: &PublishTarget) -> Result<Box<dyn Channel>, Failure> {
    match registry::open(config, target)? {
        OpenTarget::Channel(channel) => Ok(channel),
        OpenTarget::Place(_) => Err(anyhow!("open `{}`: it takes no messages", target.id).into()),
    }
}

/// Serves place after place; one that fails does not keep the others from being served.
///
/// `one`: serves a place and returns the line to print.
fn serve(
    chosen: &[&PublishTarget],
    ui: &Ui,
    one: impl Fn(&PublishTarget) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let mut failures: Vec<(&str, Failure)> = Vec::new();
    for target in chosen {
        match one(target) {
            Ok(line) => write_stdout(format!("{line}\n").as_bytes())?,
            Err(failure) => failures.push((&target.id, failure)),
        }
    }
    let Some((last, mut failure)) = failures.pop() else { return Ok(()) };
    for (id, other) in failures {
        ui.say(&format!("error: failed to serve the place `{id}`: {:#}", other.error));
    }
    failure.error = failure.error.context(format!("serve the place `{last}`"));
    failure.help.push(format!("the report itself is written; go on with `fortnight publish --only {last}`"));
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
fn link(target: &Target<'_>, bundle: &Bundle, life: Duration, ui: &Ui) -> Result<String, Failure> {
    let name = format!("{}/{}", bundle.key, Format::Html.file_name());
    let signed = block_on(target.place.signed(&name, life.as_secs()))??;
    let hours = signed.seconds.div_ceil(3600);
    let caveat = if signed.caveat.is_empty() { String::new() } else { format!("; {}", signed.caveat) };
    // The address goes to standard output alone, so that a script can post it.
    ui.say(&format!("the link lives {hours} h at most{caveat}"));
    Ok(signed.url)
}

/// Prints what would be written where, and what would be posted; does neither.
fn dry_run(config: &Config, chosen: &[&PublishTarget], bundle: &Bundle) -> Result<(), Failure> {
    let first = config.targets.iter().find(|target| registry::is_place(target));
    let place: Box<dyn Place> = match first {
        Some(target) => open_place(config, target)?.place,
        None => Box::new(FolderPlace::new(&config.store.folder)),
    };
    let memory = memory(config, &*place, bundle)?;
    let mut text = String::new();
    for target in chosen {
        if !registry::is_place(target) {
            let notice = notice(config, &*open_channel(config, target)?, bundle, &memory);
            let replies: Vec<&serde_json::Value> = notice.replies.iter().map(|(_, reply)| reply).collect();
            let payload = serde_json::json!({"target": target.id, "message": notice.message, "replies": replies});
            text.push_str(&serde_json::to_string_pretty(&payload).context("write the message")?);
            text.push('\n');
            continue;
        }
        let opened = open_place(config, target)?;
        let archive = block_on(shelf::archive(&*opened.place))?.map_err(|error| at(&opened, error))?;
        let archive = parse(archive.as_deref()).map_err(|error| at(&opened, error))?;
        let state = match archive.report(&bundle.key) {
            Some(there) if there.sha256 == bundle.report.sha256 => "is there already, with the same bytes",
            Some(_) => "would replace the one of the same period",
            None => "would be new",
        };
        let names: Vec<String> = bundle.files.iter().map(|(name, _)| format!("{}/{name}", bundle.key)).collect();
        let size: usize = bundle.files.iter().map(|(_, bytes)| bytes.len()).sum();
        text.push_str(&format!("{}: {} ({} kB) {state}\n", opened.id, names.join(", "), size / 1000));
    }
    write_stdout(text.as_bytes())
}
