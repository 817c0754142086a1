//! Deploys and other changes: change tracking, and the older deployment markers of each entity.
//!
//! The same deploy is often in both: those of one entity with one version within ten minutes are one. Two deployments
//! with one `groupId` and one version are the start and the end of a rolling deploy.

use serde_json::{Value, json};

use super::entities::{Entity, Found, service_of};
use super::error::NewRelicError;
use super::graph::{Graph, documents, shape};
use crate::model::event::{Event, EventKind};
use crate::model::scrub::excerpt;
use crate::model::time::{DAY, MINUTE, Window};

/// Changes of one answer at most, and deployments.
const MOST_CHANGES: usize = 1_000;
const MOST_DEPLOYMENTS: usize = 2_000;
/// Entities asked in one request.
const ENTITIES_AT_ONCE: usize = 25;
/// Two markers of one version closer than this are one deploy.
const SAME: i64 = 10 * MINUTE;
/// A rolling deploy is over after this.
const LONGEST_ROLL: i64 = DAY;
/// Longest text of a marker that is kept, in signs; a changelog may be pages long.
const LONGEST_TEXT: usize = 1_000;

/// What the markers of a window say.
#[derive(Debug, Default)]
pub(super) struct Marked {
    /// In no order.
    pub events: Vec<Event>,
    /// Changes that are none of ours: how many, and the first one's category.
    pub other: Option<(u64, String)>,
}

/// A marker as it came.
#[derive(Debug, Clone)]
struct Marker {
    event: Event,
    group: String,
}

/// Asks for all markers of a window.
///
/// # Errors
/// [`NewRelicError`].
pub(super) async fn markers(graph: &Graph, found: &Found, window: Window) -> Result<Marked, NewRelicError> {
    let mut marked = Marked::default();
    let mut markers = changes(graph, found, window, &mut marked).await?;
    markers.extend(deployments(graph, found, window).await?);
    marked.events = joined(markers);
    Ok(marked)
}

/// Asks change tracking; a full answer is asked again in halves of its window.
async fn changes(
    graph: &Graph,
    found: &Found,
    window: Window,
    marked: &mut Marked,
) -> Result<Vec<Marker>, NewRelicError> {
    const WHAT: &str = "search of changes";
    let mut open = vec![window];
    let mut markers = Vec::new();
    while let Some(window) = open.pop() {
        let variables = json!({
            "account": graph.account, "start": window.start, "end": window.end, "limit": MOST_CHANGES
        });
        let reply = graph.ask(WHAT, documents::CHANGES, variables).await?;
        let list = reply.data.pointer("/actor/changeTracking/changeTrackingSearch/changeEvents");
        let list = list_of(WHAT, list)?;
        if list.len() >= MOST_CHANGES {
            open.extend(halves(WHAT, window, list.len())?);
            continue;
        }
        for (index, change) in list.iter().enumerate() {
            if let Some(marker) = change_marker(WHAT, index, change, found, marked)? {
                markers.push(marker);
            }
        }
    }
    Ok(markers)
}

/// Asks for the markers of each entity; they come newest first, up to a limit.
async fn deployments(graph: &Graph, found: &Found, window: Window) -> Result<Vec<Marker>, NewRelicError> {
    const WHAT: &str = "search of deployments";
    let mut open: Vec<(Vec<&Entity>, Window)> =
        found.entities.chunks(ENTITIES_AT_ONCE).map(|entities| (entities.iter().collect(), window)).collect();
    let mut markers = Vec::new();
    while let Some((entities, window)) = open.pop() {
        let guids: Vec<&str> = entities.iter().map(|entity| entity.guid.as_str()).collect();
        let variables = json!({"guids": guids, "start": window.start, "end": window.end, "limit": MOST_DEPLOYMENTS});
        let reply = graph.ask(WHAT, documents::DEPLOYMENTS, variables).await?;
        for entity in list_of(WHAT, reply.data.pointer("/actor/entities"))? {
            // An entity that is gone is null, and one that cannot have markers says null for them.
            let list = entity.pointer("/deploymentSearch/results").unwrap_or(&Value::Null);
            let guid = entity.get("guid").and_then(Value::as_str).unwrap_or_default();
            let (Some(list), Some(entity)) = (list.as_array(), entities.iter().find(|known| known.guid == guid)) else {
                continue;
            };
            if list.len() >= MOST_DEPLOYMENTS {
                open.extend(halves(WHAT, window, list.len())?.map(|half| (vec![*entity], half)));
                continue;
            }
            for (index, deployment) in list.iter().enumerate() {
                markers.push(deployment_marker(WHAT, index, deployment, &entity.name)?);
            }
        }
    }
    Ok(markers)
}

fn list_of<'a>(what: &str, list: Option<&'a Value>) -> Result<&'a [Value], NewRelicError> {
    list.and_then(Value::as_array).map(Vec::as_slice).ok_or_else(|| shape(what, "the answer holds no list"))
}

fn halves(what: &str, window: Window, count: usize) -> Result<[Window; 2], NewRelicError> {
    let middle = window.start + window.length() / 2;
    if middle == window.start {
        let reason = format!("{count} in one millisecond");
        return Err(NewRelicError::Cut { what: what.to_owned(), reason });
    }
    Ok([Window::new(middle, window.end), Window::new(window.start, middle)])
}

/// A text of a field, on one line and bounded; empty if there is none.
fn text(of: &Value, key: &str) -> String {
    let text = of.get(key).and_then(Value::as_str).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST_TEXT).collect()
}

/// A web address, or nothing.
fn address(of: &Value, key: &str) -> String {
    let text = text(of, key);
    if text.starts_with("https://") || text.starts_with("http://") { text } else { String::new() }
}

fn first_of(texts: [String; 4]) -> String {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

fn timestamp(what: &str, index: usize, of: &Value) -> Result<i64, NewRelicError> {
    let at = of.get("timestamp").and_then(Value::as_i64).filter(|at| (0..=253_402_300_799_999).contains(at));
    at.ok_or_else(|| shape(what, format!("row {}: `timestamp` is no time", index + 1)))
}

fn change_marker(
    what: &str,
    index: usize,
    change: &Value,
    found: &Found,
    marked: &mut Marked,
) -> Result<Option<Marker>, NewRelicError> {
    let guid = change.pointer("/entity/guid").and_then(Value::as_str).unwrap_or_default();
    let Some(entity) = found.entities.iter().find(|entity| entity.guid == guid) else { return Ok(None) };
    let (category, kind) = (text(change, "category"), text(change, "type"));
    let Some(kind) = kind_of(&category, &kind) else {
        let example = excerpt(&format!("{category} / {kind}"));
        marked.other.get_or_insert((0, example)).0 += 1;
        return Ok(None);
    };
    let id = text(change, "changeTrackingId");
    if id.is_empty() {
        return Err(shape(what, format!("row {}: `changeTrackingId` is missing", index + 1)));
    }
    let revision =
        first_of([text(change, "version"), text(change, "commit"), text(change, "featureFlagId"), String::new()]);
    let title = first_of([
        text(change, "shortDescription"),
        text(change, "description"),
        text(change, "changelog"),
        revision.clone(),
    ]);
    let event = Event {
        revision,
        title,
        url: first_of([address(change, "deepLink"), address(change, "changelog"), String::new(), String::new()]),
        author: text(change, "user"),
        kind,
        ..Event::new(format!("newrelic:{id}"), &*service_of(&entity.name), timestamp(what, index, change)?)
    };
    Ok(Some(Marker { event, group: text(change, "groupId") }))
}

fn deployment_marker(what: &str, index: usize, of: &Value, application: &str) -> Result<Marker, NewRelicError> {
    let at = timestamp(what, index, of)?;
    let (id, version) = (text(of, "deploymentId"), text(of, "version"));
    let id = if id.is_empty() { format!("{application}:{version}:{at}") } else { id };
    let is_canary = text(of, "deploymentType").eq_ignore_ascii_case("canary");
    let event = Event {
        title: first_of([text(of, "description"), text(of, "changelog"), version.clone(), String::new()]),
        revision: first_of([version, text(of, "commit"), String::new(), String::new()]),
        url: first_of([address(of, "deepLink"), address(of, "changelog"), String::new(), String::new()]),
        author: text(of, "user"),
        kind: if is_canary { EventKind::Canary } else { EventKind::Deploy },
        ..Event::new(format!("newrelic:{id}"), &*service_of(application), at)
    };
    Ok(Marker { event, group: text(of, "groupId") })
}

/// Tells what a change is by its category and type, whatever the case; `None` for what says nothing about code,
/// settings or traffic, such as the steps of a build.
fn kind_of(category: &str, kind: &str) -> Option<EventKind> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-'], " ");
    let (category, kind) = (plain(category), plain(kind));
    match category.trim() {
        "deployment" if kind.contains("canary") => Some(EventKind::Canary),
        "deployment" => Some(EventKind::Deploy),
        "feature flag" => Some(EventKind::Flag),
        "business event" if kind.contains("campaign") => Some(EventKind::Campaign),
        "operational" if kind.contains("incident") || kind.contains("crash") => Some(EventKind::Incident),
        "operational" if kind.contains("config") => Some(EventKind::Config),
        _ => None,
    }
}

/// Makes one event of what is one deploy.
fn joined(mut markers: Vec<Marker>) -> Vec<Event> {
    markers.sort_by(|a, b| (a.event.at, &a.event.id).cmp(&(b.event.at, &b.event.id)));
    let mut kept: Vec<Marker> = Vec::new();
    for marker in markers {
        let same = kept.iter_mut().rev().find(|known| {
            let (known_event, event) = (&known.event, &marker.event);
            let is_like = known_event.service == event.service
                && known_event.kind == event.kind
                && known_event.revision == event.revision;
            let gap = event.at - known_event.until.unwrap_or(known_event.at);
            let is_rolling = !marker.group.is_empty() && known.group == marker.group;
            known_event.id == event.id
                || is_like && (gap < SAME || is_rolling && event.at - known_event.at < LONGEST_ROLL)
        });
        match same {
            None => kept.push(marker),
            Some(known) => merge(known, marker),
        }
    }
    kept.into_iter().map(|marker| marker.event).collect()
}

/// Fills what the first marker does not say from the second; a second time makes a span of a group.
fn merge(known: &mut Marker, marker: Marker) {
    let is_rolling = !marker.group.is_empty() && known.group == marker.group;
    if is_rolling && marker.event.at > known.event.at {
        known.event.until = Some(known.event.until.unwrap_or(known.event.at).max(marker.event.at));
    }
    let (event, other) = (&mut known.event, marker.event);
    for (mine, theirs) in
        [(&mut event.title, other.title), (&mut event.url, other.url), (&mut event.author, other.author)]
    {
        if (mine.is_empty() || *mine == event.revision) && !theirs.is_empty() {
            *mine = theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(id: &str, at: i64, version: &str, group: &str) -> Marker {
        let event = Event { revision: version.into(), ..Event::new(id, "a", at) };
        Marker { event, group: group.into() }
    }

    #[test]
    fn one_deploy_told_twice_is_one() {
        let mut titled = marker("old", 5 * MINUTE, "v1", "");
        titled.event.title = "from the older marker".into();
        let events = joined(vec![titled, marker("new", 0, "v1", ""), marker("other", 6 * MINUTE, "v2", "")]);
        assert_eq!(events.len(), 2);
        assert_eq!((events[0].id.as_str(), events[0].title.as_str()), ("new", "from the older marker"));
        assert_eq!(events[0].until, None, "two tellings are no span");
        let apart = joined(vec![marker("x", 0, "v1", ""), marker("y", 11 * MINUTE, "v1", "")]);
        assert_eq!(apart.len(), 2, "deployed again");
    }

    #[test]
    fn start_and_end_of_a_group_are_one_rolling_deploy() {
        let events = joined(vec![marker("start", 0, "v1", "g"), marker("end", 40 * MINUTE, "v1", "g")]);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].until, Some(40 * MINUTE));
    }

    #[test]
    fn categories_are_read_in_any_case() {
        assert_eq!(kind_of("DEPLOYMENT", "Basic"), Some(EventKind::Deploy));
        assert_eq!(kind_of("deployment", "CANARY"), Some(EventKind::Canary));
        assert_eq!(kind_of("Feature_Flag", "x"), Some(EventKind::Flag));
        assert_eq!(kind_of("feature flag", "x"), Some(EventKind::Flag));
        assert_eq!(kind_of("Operational", "Incident"), Some(EventKind::Incident));
        assert_eq!(kind_of("Deployment Lifecycle", "build upload"), None);
    }
}
