//! What CloudTrail recorded of deployments: new task definitions, new code of functions, changed databases and caches.
//!
//! LookupEvents takes one name at a time, 50 events a page, two requests a second, and looks 90 days back. A role that
//! may not ask it still has its metrics, so that is a note and no failure. What a call asked for and did not get
//! (`errorCode`) is no change; a change that waits for a maintenance window is none yet; and a service whose number of
//! tasks moved, as an autoscaler does all day, has the same code as before.
//!
//! Numbers of task definitions and versions are no revisions that a pipeline would know, so they stand in the title: a
//! revision would tell the same deploy apart from the one that a pipeline recorded.

use std::collections::BTreeMap;

use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{Event as Recorded, LookupAttribute, LookupAttributeKey};
use serde_json::{Map, Value};

use super::client::RegionClient;
use super::error::CloudWatchError;
use super::period::LOOKUP_GAP;
use crate::model::event::{Event, EventKind};
use crate::model::sanitize::excerpt;
use crate::model::time::{DAY, Window};
use crate::source::http::RealTime;

/// How far CloudTrail looks back.
pub const RETENTION_MS: i64 = 90 * DAY;

/// Names of calls that change what runs. Lambda's carry the version of its API.
pub const CALLS: [&str; 9] = [
    "UpdateService",
    "CreateDeployment",
    "UpdateFunctionCode20150331v2",
    "PublishVersion20150331",
    "ModifyDBInstance",
    "ModifyDBCluster",
    "ModifyCacheCluster",
    "ModifyReplicationGroup",
    "ApplyPendingMaintenanceAction",
];

/// Events a page, Amazon's limit, and pages after which a server is not believed to come to an end.
const PAGE: i32 = 50;
const MOST_PAGES: usize = 1000;

const LOOKUP: &str = "cloudtrail:LookupEvents";

/// What was looked up.
#[derive(Debug, Default)]
pub struct LookedUp {
    pub events: Vec<Event>,
    /// Changes that wait for a maintenance window, and the first of them.
    pub pending: Option<(u64, String)>,
}

/// Looks up what was changed inside a window.
///
/// # Errors
/// A call failed; also one that is not allowed, which the caller may forgive.
pub async fn look_up(region: &RegionClient, window: Window) -> Result<LookedUp, CloudWatchError> {
    let mut found: BTreeMap<String, Event> = BTreeMap::new();
    let mut pending: Option<(u64, String)> = None;
    for call in CALLS {
        let mut token: Option<String> = None;
        for page in 1.. {
            let answer = ask(region, call, window, token.clone(), PAGE).await?;
            for recorded in answer.events() {
                match change(&region.region, recorded) {
                    Some(Change::Done(event)) if window.contains(event.at) => {
                        found.insert(event.id.clone(), event);
                    }
                    Some(Change::Pending(what)) => pending.get_or_insert((0, what)).0 += 1,
                    _ => {}
                }
            }
            let next = answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if next.is_some() && (next == token || page >= MOST_PAGES) {
                let reason = format!("after {page} pages there is still another one");
                return Err(CloudWatchError::Answer { place: region.place.clone(), action: LOOKUP, reason });
            }
            token = next;
            if token.is_none() {
                break;
            }
        }
    }
    Ok(LookedUp { events: found.into_values().collect(), pending })
}

/// Asks for one page of the calls of one name.
///
/// # Errors
/// The call failed.
pub async fn ask(
    region: &RegionClient,
    call: &str,
    window: Window,
    token: Option<String>,
    most: i32,
) -> Result<aws_sdk_cloudtrail::operation::lookup_events::LookupEventsOutput, CloudWatchError> {
    region.lookup_limiter.take(LOOKUP_GAP, &RealTime).await;
    let name = LookupAttribute::builder().attribute_key(LookupAttributeKey::EventName).attribute_value(call).build();
    let name = name.map_err(|error| CloudWatchError::Answer {
        place: region.place.clone(),
        action: LOOKUP,
        reason: error.to_string(),
    })?;
    let call = region
        .trail
        .lookup_events()
        .lookup_attributes(name)
        .start_time(DateTime::from_millis(window.start))
        .end_time(DateTime::from_millis(window.end))
        .max_results(most)
        .set_next_token(token);
    region.answer(LOOKUP, call.send()).await
}

/// One lookup that costs nothing, to see whether it is allowed.
///
/// # Errors
/// The call failed.
pub async fn try_out(region: &RegionClient, now: i64) -> Result<(), CloudWatchError> {
    ask(region, CALLS[0], Window::new(now - DAY, now), None, 1).await.map(|_| ())
}

/// Returns Amazon's word for the service whose resource an event of this source happened to, as an ARN has it; empty
/// where it is not known.
///
/// Its title begins with the call, or with `version` where a function's was inferred.
pub fn service_of(event: &Event) -> &'static str {
    match event.title.split(' ').next().unwrap_or_default() {
        "UpdateService" => "ecs",
        "UpdateFunctionCode" | "PublishVersion" | "version" => "lambda",
        "ModifyDBInstance" | "ModifyDBCluster" | "ApplyPendingMaintenanceAction" => "rds",
        "ModifyCacheCluster" => "elasticache",
        // An application of CodeDeploy, a group of caches: nothing here is measured under that name.
        _ => "",
    }
}

#[derive(Debug, PartialEq)]
enum Change {
    Done(Event),
    Pending(String),
}

/// Reads one record; `None` if nothing that runs was changed, or it cannot be understood.
fn change(region: &str, recorded: &Recorded) -> Option<Change> {
    let at = recorded.event_time()?.to_millis().ok()?;
    let whole: Value = serde_json::from_str(recorded.cloud_trail_event()?).ok()?;
    let whole = whole.as_object()?;
    if whole.contains_key("errorCode") {
        return None;
    }
    let none = Map::new();
    let table = |name: &str| field(whole, name).and_then(Value::as_object).unwrap_or(&none);
    let (asked, got) = (table("requestParameters"), table("responseElements"));
    let call = recorded.event_name().unwrap_or_default();
    let told = match call {
        "UpdateService" => of_ecs(asked, got)?,
        "CreateDeployment" => Told {
            service: text(asked, "applicationName")?,
            what: text(asked, "deploymentGroupName").unwrap_or_default(),
        },
        _ if call.starts_with("UpdateFunctionCode") || call.starts_with("PublishVersion") => of_lambda(asked, got)?,
        _ => of_database(asked)?,
    };
    let is_code = matches!(call, "UpdateService" | "CreateDeployment")
        || call.contains("Function")
        || call.starts_with("Publish");
    let is_engine = ["engineVersion", "dBInstanceClass", "cacheNodeType", "applyAction"]
        .iter()
        .any(|key| field(asked, key).is_some());
    let title = format!("{} {}", plain(call), told.what).trim_end().to_owned();
    if !is_code && waits(asked) {
        return Some(Change::Pending(format!("{}: {title}", told.service)));
    }
    let id = format!("cloudwatch:{region}:{}", excerpt(recorded.event_id()?));
    Some(Change::Done(Event {
        title,
        author: author(recorded.username()),
        kind: match (is_code, is_engine) {
            (true, _) => EventKind::Deploy,
            (false, true) => EventKind::Middleware,
            (false, false) => EventKind::Config,
        },
        ..Event::new(id, told.service, at)
    }))
}

/// Returns who made a call; the number of an account is nobody.
fn author(name: Option<&str>) -> String {
    name.filter(|name| name.chars().any(char::is_alphabetic)).map(excerpt).unwrap_or_default()
}

struct Told {
    service: String,
    what: String,
}

/// A new task definition, or the same one started anew; anything else moves the number of tasks.
fn of_ecs(asked: &Map<String, Value>, got: &Map<String, Value>) -> Option<Told> {
    let is_forced = field(asked, "forceNewDeployment").and_then(Value::as_bool).unwrap_or(false);
    let definition = text(asked, "taskDefinition");
    if definition.is_none() && !is_forced {
        return None;
    }
    let service = field(got, "service").and_then(Value::as_object);
    let name = service.and_then(|service| text(service, "serviceName")).or_else(|| text(asked, "service"))?;
    let definition = service.and_then(|service| text(service, "taskDefinition")).or(definition).unwrap_or_default();
    Some(Told { service: last(&name).to_owned(), what: last(&definition).to_owned() })
}

fn of_lambda(asked: &Map<String, Value>, got: &Map<String, Value>) -> Option<Told> {
    let name = text(asked, "functionName")?;
    // A name, `123:function:name` or a whole ARN, each perhaps with `:version`.
    let name = name.split_once("function:").map_or(name.as_str(), |(_, name)| name);
    let name = name.split(':').next().filter(|name| !name.is_empty())?;
    let version = text(got, "version").filter(|version| version != "$LATEST").unwrap_or_default();
    Some(Told { service: name.to_owned(), what: version })
}

fn of_database(asked: &Map<String, Value>) -> Option<Told> {
    let names =
        ["dBInstanceIdentifier", "dBClusterIdentifier", "cacheClusterId", "replicationGroupId", "resourceIdentifier"];
    let name = names.iter().find_map(|key| text(asked, key))?;
    let name = name.rsplit(':').next().unwrap_or_default().to_owned();
    let details = ["engineVersion", "dBInstanceClass", "cacheNodeType", "applyAction"];
    let what: Vec<String> = details.iter().filter_map(|key| text(asked, key)).collect();
    Some(Told { service: name, what: what.join(" ") })
}

/// Returns whether a change was put off to the maintenance window.
fn waits(asked: &Map<String, Value>) -> bool {
    match field(asked, "optInType").and_then(Value::as_str) {
        Some(word) => word != "immediate",
        None => !field(asked, "applyImmediately").and_then(Value::as_bool).unwrap_or(false),
    }
}

/// Finds a key whatever its capitals: services differ in `dBInstance…` and `dbInstance…`.
fn field<'a>(table: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    table.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn text(table: &Map<String, Value>, name: &str) -> Option<String> {
    field(table, name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(excerpt)
}

/// Returns the name in an ARN or path.
fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Takes the API's date off a call of Lambda's.
fn plain(call: &str) -> &str {
    call.split_once("2015").map_or(call, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(call: &str, body: &str) -> Option<Change> {
        let recorded = Recorded::builder()
            .event_id("0a1b")
            .event_name(call)
            .event_time(DateTime::from_secs(1_795_000_000))
            .username("pipeline")
            .cloud_trail_event(body)
            .build();
        change("eu-west-1", &recorded)
    }

    fn done(call: &str, body: &str) -> Event {
        match read(call, body) {
            Some(Change::Done(event)) => event,
            other => panic!("{call} is no change: {other:?}"),
        }
    }

    #[test]
    fn a_new_task_definition_is_a_deploy_and_a_moved_number_of_tasks_is_none() {
        let event = done(
            "UpdateService",
            r#"{"requestParameters":{"cluster":"main","service":"arn:aws:ecs:eu-west-1:1:service/main/card-api","taskDefinition":"card-api:42"},
                "responseElements":{"service":{"serviceName":"card-api","taskDefinition":"arn:aws:ecs:eu-west-1:1:task-definition/card-api:42"}}}"#,
        );
        assert_eq!((event.service.as_str(), event.title.as_str()), ("card-api", "UpdateService card-api:42"));
        assert_eq!(
            (event.id.as_str(), event.at, event.kind),
            ("cloudwatch:eu-west-1:0a1b", 1_795_000_000_000, EventKind::Deploy)
        );
        assert_eq!(event.revision, "", "a pipeline knows it by another name");
        assert_eq!(read("UpdateService", r#"{"requestParameters":{"service":"card-api","desiredCount":7}}"#), None);
        let forced = done("UpdateService", r#"{"requestParameters":{"service":"card-api","forceNewDeployment":true}}"#);
        assert_eq!(forced.service, "card-api");
    }

    #[test]
    fn a_function_is_known_by_its_name_however_it_was_called() {
        for name in ["notify", "arn:aws:lambda:eu-west-1:1:function:notify", "1:function:notify:7"] {
            let body =
                format!(r#"{{"requestParameters":{{"functionName":"{name}"}},"responseElements":{{"version":"7"}}}}"#);
            let event = done("PublishVersion20150331", &body);
            assert_eq!((event.service.as_str(), event.title.as_str()), ("notify", "PublishVersion 7"), "{name}");
        }
        let latest = r#"{"requestParameters":{"functionName":"notify"},"responseElements":{"version":"$LATEST"}}"#;
        assert_eq!(done("UpdateFunctionCode20150331v2", latest).title, "UpdateFunctionCode");
    }

    #[test]
    fn a_database_that_waits_for_its_window_has_not_changed_yet() {
        let now = r#"{"requestParameters":{"dBInstanceIdentifier":"cards-1","engineVersion":"16.4","applyImmediately":true}}"#;
        let event = done("ModifyDBInstance", now);
        assert_eq!((event.service.as_str(), event.kind), ("cards-1", EventKind::Middleware));
        let later = now.replace("true", "false");
        assert_eq!(read("ModifyDBInstance", &later), Some(Change::Pending("cards-1: ModifyDBInstance 16.4".into())));
        let setting = r#"{"requestParameters":{"dBInstanceIdentifier":"cards-1","applyImmediately":true}}"#;
        assert_eq!(done("ModifyDBInstance", setting).kind, EventKind::Config);
    }

    #[test]
    fn a_refused_call_and_a_record_that_is_none_change_nothing() {
        let refused = r#"{"errorCode":"AccessDenied","requestParameters":{"service":"a","taskDefinition":"a:1"}}"#;
        for body in [refused, "{}", "[]", "null", "", "{\"requestParameters\":7}", "\u{0}"] {
            for call in CALLS {
                assert_eq!(read(call, body), None, "{call} {body}");
            }
        }
    }
}
