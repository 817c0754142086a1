//! `marker`: deploys and other events that a person or a pipeline reports, kept in the store.

use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::collect::warn;
use super::collector::warn_of;
use super::{Exit, Failure, load, outcome, period, write_stdout};
use crate::cli::{Global, MarkerAddArgs, MarkerCommand, MarkerImportArgs, MarkerListArgs};
use crate::config::Config;
use crate::format::events;
use crate::model::event::Event;
use crate::model::time::{Window, rfc3339};
use crate::render::terminal::plain;
use crate::source::scrub_events;
use crate::store::{Store, StoreError};

/// Most that is taken from standard input, bytes: a hundred thousand events, and no endless stream.
const LONGEST_INPUT_BY: u64 = 64 << 20;

/// Bytes of the hash that make a marker's id: 48 bits, no two in a lifetime.
const ID_BY: usize = 6;

/// Records or lists events.
pub(super) fn marker(command: &MarkerCommand, global: &Global) -> Result<Exit, Failure> {
    let config = load(&global.config, global.tz.as_deref())?;
    let store = Store::open(&config.store.folder)?;
    // Adding a marker sets them aside.
    let damaged: Vec<StoreError> = store.events()?.refused.into_iter().filter(StoreError::is_loss).collect();
    warn_of(&damaged);
    match command {
        MarkerCommand::Add(args) => add(args, &config, &store),
        MarkerCommand::Import(args) => import(args, &config, &store),
        MarkerCommand::List(args) => list(args, &config, &store),
    }
}

fn add(args: &MarkerAddArgs, config: &Config, store: &Store) -> Result<Exit, Failure> {
    let at = match period::instant(config, "--at", &args.at)? {
        Some(at) => at,
        None => outcome::clock()?.now(),
    };
    let until = period::instant(config, "--until", &args.until)?;
    let mut event = reported(args, at, until).map_err(|reason| {
        Failure::usage(format!("record a marker: {reason}"), "`fortnight marker add --help` shows examples")
    })?;
    // The store scrubs as well; here the id that it keeps is printed.
    warn(&scrub_events("marker", &config.scrubber(), std::slice::from_mut(&mut event)));
    store.append_events(std::slice::from_ref(&event))?;
    write_stdout(format!("{}\n", plain(&event.id)).as_bytes())?;
    Ok(Exit::Done)
}

/// Makes the event, by the rules of recorded files.
fn reported(args: &MarkerAddArgs, at: i64, until: Option<i64>) -> Result<Event, String> {
    let mut fields = Map::new();
    let texts = [
        ("service", &args.service),
        ("revision", &args.revision),
        ("title", &args.title),
        ("url", &args.url),
        ("author", &args.author),
    ];
    for (name, text) in texts {
        fields.extend(text.as_ref().map(|text| (name.to_owned(), Value::from(text.as_str()))));
    }
    let id = match &args.id {
        Some(id) if id.trim().is_empty() => return Err("`--id` is empty".to_owned()),
        Some(id) if id.starts_with(crate::model::event::INFERRED) => {
            return Err(format!(
                "ids that begin with `{}` are for changes that nobody told",
                crate::model::event::INFERRED
            ));
        }
        Some(id) => id.clone(),
        None => stable_id(args, at),
    };
    fields.insert("id".to_owned(), Value::from(id));
    fields.insert("kind".to_owned(), Value::from(args.kind.as_str()));
    fields.insert("at".to_owned(), events::exact_time(at));
    fields.extend(until.map(|until| ("until".to_owned(), events::exact_time(until))));
    events::of_fields(fields)
}

/// Returns an id that the same marker has again.
fn stable_id(args: &MarkerAddArgs, at: i64) -> String {
    let mut hash = Sha256::new();
    let parts = [
        args.service.as_deref().unwrap_or("*"),
        args.kind.as_str(),
        args.revision.as_deref().unwrap_or_default(),
        &at.to_string(),
    ];
    for part in parts {
        // With its length, so that no two lists of parts run together to the same bytes.
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let hex: String = hash.finalize().iter().take(ID_BY).map(|byte| format!("{byte:02x}")).collect();
    format!("m-{hex}")
}

fn import(args: &MarkerImportArgs, config: &Config, store: &Store) -> Result<Exit, Failure> {
    let mut files = Vec::new();
    let mut typed = None;
    for path in &args.files {
        if path == Path::new("-") {
            if typed.is_some() {
                return Err(Failure::usage("read markers: `-` stands twice", "standard input can be read once"));
            }
            let held = typed.insert(standard_input()?);
            files.push((held.path().to_owned(), "standard input".to_owned()));
        } else {
            files.push((path.clone(), plain(&path.display().to_string())));
        }
    }
    let mut read = events::read(&files).map_err(|error| {
        let mut help: Vec<String> = error.help().into_iter().collect();
        help.push("nothing was recorded".to_owned());
        Failure { exit: Exit::Failed, error: anyhow!(error).context("read markers"), help }
    })?;
    warn(&scrub_events("marker", &config.scrubber(), &mut read.events));
    let changed = store.append_events(&read.events)?;
    write_stdout(format!("{}\t{changed}\n", read.events.len()).as_bytes())?;
    Ok(Exit::Done)
}

/// Keeps standard input in a file, because compressed input is known by its first bytes.
fn standard_input() -> Result<tempfile::NamedTempFile, Failure> {
    let mut file = tempfile::NamedTempFile::new().context("keep standard input")?;
    let taken = std::io::copy(&mut std::io::stdin().lock().take(LONGEST_INPUT_BY + 1), &mut file)
        .context("read standard input")?;
    if taken > LONGEST_INPUT_BY {
        let error = anyhow!("longer than {} MiB", LONGEST_INPUT_BY >> 20).context("read standard input");
        return Err(Failure { exit: Exit::Failed, error, help: vec!["import it in pieces".to_owned()] });
    }
    Ok(file)
}

fn list(args: &MarkerListArgs, config: &Config, store: &Store) -> Result<Exit, Failure> {
    let from = period::instant(config, "--since", &args.since)?.unwrap_or(i64::MIN);
    let to = period::instant(config, "--until", &args.until)?.unwrap_or(i64::MAX);
    let asked = Window { start: from, end: to };
    let is_asked = |event: &&Event| {
        let window = event.window();
        let is_of = args.service.as_ref().is_none_or(|service| event.concerns(service));
        is_of && window.start < asked.end && asked.start <= window.end
    };
    let mut text = String::new();
    for event in store.events()?.events.iter().filter(is_asked) {
        if args.json {
            text.push_str(&events::to_line(event));
        } else {
            let at = rfc3339(event.at, config.zone);
            let fields: [&str; 6] =
                [&at, &event.service, event.kind.as_str(), &event.revision, &event.id, &event.title];
            let fields = fields.map(plain);
            text.push_str(&fields.join("\t"));
        }
        text.push('\n');
    }
    write_stdout(text.as_bytes())?;
    Ok(Exit::Done)
}
