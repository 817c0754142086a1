//! A NerdGraph server: every document is held against the vendor's schema, every NRQL against the grammar, and the
//! answer is made from a [`World`]. Tests may put their own answers in front of it.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema, request};
use serde_json::{Map, Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

use super::nrql::{self, Nrql};
use super::world::{DAY, World};

/// The key that the server takes.
pub const KEY: &str = "NRAK-CANARY-0123456789ABCDEF";
/// Rows of an answer at most.
pub const MOST_ROWS: usize = 5_000;
/// Buckets of a query at most.
pub const MOST_BUCKETS: i64 = 366;

/// Answers a request itself, or leaves it to the world.
pub type Before = Box<dyn Fn(&Asked) -> Option<ResponseTemplate> + Send + Sync>;

/// What a request asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `nrql`, `progress`, `entities`, `changes`, `deployments` or `account`.
    pub what: &'static str,
    /// The variables.
    pub variables: Value,
    /// The query, when it is one.
    pub nrql: Option<Nrql>,
    /// How many requests came before.
    pub number: usize,
}

/// Every request so far, and each answer once.
#[derive(Default)]
struct Kept {
    bodies: Vec<Vec<u8>>,
    answers: BTreeMap<Vec<u8>, ResponseTemplate>,
}

/// A server that makes each answer once: asked again, nothing of the answering is measured.
pub struct Quick {
    server: MockServer,
    kept: Arc<Mutex<Kept>>,
}

impl Quick {
    /// Starts on a free port.
    pub async fn start(world: World) -> Self {
        let answering = Answering { world, before: Box::new(|_| None), schema: schema(), log: Arc::default() };
        let kept = Arc::new(Mutex::new(Kept::default()));
        let shared = Arc::clone(&kept);
        let respond = move |request: &Request| {
            let mut kept = shared.lock().expect("not poisoned");
            kept.bodies.push(request.body.clone());
            kept.answers.entry(request.body.clone()).or_insert_with(|| answering.respond(request)).clone()
        };
        let server = MockServer::builder().disable_request_recording().start().await;
        Mock::given(matchers::method("POST")).respond_with(respond).mount(&server).await;
        Self { server, kept }
    }

    /// The address for `endpoint`.
    pub fn endpoint(&self) -> String {
        format!("{}/graphql", self.server.uri())
    }

    /// Returns the bodies of all requests since this was asked last, in the order in which they came.
    pub fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.kept.lock().expect("not poisoned").bodies)
    }
}

/// A running server; it ends when this is dropped.
pub struct NerdGraph {
    server: MockServer,
    log: Arc<Mutex<Vec<Asked>>>,
}

impl NerdGraph {
    /// Starts on a free port.
    pub async fn start(world: World) -> Self {
        Self::start_with(world, Box::new(|_| None)).await
    }

    /// Starts on a free port; `before` sees each request first.
    pub async fn start_with(world: World, before: Before) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self::start_on(listener, world, before).await
    }

    /// Starts on a port that is open already.
    pub async fn start_on(listener: TcpListener, world: World, before: Before) -> Self {
        let server = MockServer::builder().listener(listener).disable_request_recording().start().await;
        let log = Arc::new(Mutex::new(Vec::new()));
        let answering = Answering { world, before, schema: schema(), log: Arc::clone(&log) };
        Mock::given(matchers::method("POST")).respond_with(answering).mount(&server).await;
        Self { server, log }
    }

    /// The address for `endpoint`.
    pub fn endpoint(&self) -> String {
        format!("{}/graphql", self.server.uri())
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.log.lock().expect("log").clone()
    }
}

/// The vendor's schema.
pub fn schema() -> Valid<Schema> {
    let text = include_str!("nerdgraph.graphql");
    Schema::parse_and_validate(text, "nerdgraph.graphql").expect("a valid schema")
}

struct Answering {
    world: World,
    before: Before,
    schema: Valid<Schema>,
    log: Arc<Mutex<Vec<Asked>>>,
}

impl Respond for Answering {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        if request.headers.get("api-key").and_then(|key| key.to_str().ok()) != Some(KEY) {
            let refused = json!({"errors": [{"message": "Invalid API key",
                "extensions": {"errorClass": "UNAUTHORIZED", "error_code": "BAD_API_KEY"}}]});
            return ResponseTemplate::new(401).set_body_json(refused);
        }
        let template = self.answer(request).unwrap_or_else(|message| refusal(&message, "BAD_REQUEST"));
        match self.world.date() {
            Some(date) => template.insert_header("date", date.as_str()),
            None => template,
        }
    }
}

/// An error inside an HTTP 200.
pub fn refusal(message: &str, class: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "errors": [{"message": message, "path": ["actor", "account", "nrql"], "extensions": {"errorClass": class}}],
        "data": {"actor": {"account": {"nrql": null}}}
    }))
}

/// Rows as an answer to a query.
pub fn answered(rows: Value, query: &Nrql, messages: &[&str]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"data": {"actor": {"account": {"nrql": {
        "results": rows,
        "metadata": {"facets": query.facets, "messages": messages, "timeWindow": {"begin": query.since, "end": query.until}},
        "queryProgress": {"queryId": null, "completed": true, "retryAfter": null, "retryDeadline": null},
    }}}}}))
}

impl Answering {
    fn answer(&self, request: &Request) -> Result<ResponseTemplate, String> {
        let body: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        let text = body["query"].as_str().ok_or("no query")?;
        let document = ExecutableDocument::parse_and_validate(&self.schema, text, "query.graphql")
            .map_err(|errors| errors.to_string())?;
        let operation = document.operations.get(None).map_err(|error| format!("{error:?}"))?;
        let variables = serde_json::from_value(body["variables"].clone()).map_err(|error| error.to_string())?;
        request::coerce_variable_values(&self.schema, operation, &variables).map_err(|error| format!("{error:?}"))?;
        let kinds = [
            ("nrqlQueryProgress(", "progress"),
            ("nrql(", "nrql"),
            ("entitySearch(", "entities"),
            ("changeTrackingSearch(", "changes"),
            ("deploymentSearch(", "deployments"),
            ("eventRetentionRules", "account"),
        ];
        let what = kinds.iter().find(|(field, _)| text.contains(field)).ok_or("nothing that is known is asked")?.1;
        let variables = body["variables"].clone();
        let nrql = match variables["nrql"].as_str() {
            Some(text) => Some(nrql::parse(text).map_err(|error| format!("NRQL Syntax Error: {error}: {text}"))?),
            None => None,
        };
        let mut log = self.log.lock().expect("log");
        let asked = Asked { what, variables, nrql, number: log.len() };
        log.push(asked.clone());
        drop(log);
        if let Some(template) = (self.before)(&asked) {
            return Ok(template);
        }
        self.by_the_world(&asked)
    }

    fn by_the_world(&self, asked: &Asked) -> Result<ResponseTemplate, String> {
        let number = |name: &str| asked.variables[name].as_i64().ok_or(format!("{name} is no number"));
        let data = match (asked.what, &asked.nrql) {
            ("nrql", Some(query)) => return self.rows(query),
            ("entities", _) => self.entities(asked.variables["query"].as_str().unwrap_or_default()),
            ("changes", _) => self.changes(number("start")?, number("end")?, number("limit")?),
            ("deployments", _) => {
                let guids = asked.variables["guids"].as_array().cloned().unwrap_or_default();
                let empty = |guid| json!({"guid": guid, "name": "x", "accountId": self.world.account, "deploymentSearch": {"results": []}});
                json!({"actor": {"entities": guids.into_iter().map(empty).collect::<Vec<_>>()}})
            }
            ("account", _) => json!({"requestContext": {"userId": "7"}, "actor": {"account": {
                "id": self.world.account, "name": "acct", "dataManagement": {"eventRetentionRules": [
                    {"namespace": "APM", "retentionInDays": 30, "deletedAt": null},
                    {"namespace": "Transaction", "retentionInDays": 8, "deletedAt": 1}]}}}}),
            (what, _) => return Err(format!("the world knows no {what}")),
        };
        Ok(ResponseTemplate::new(200).set_body_json(json!({ "data": data })))
    }

    fn rows(&self, query: &Nrql) -> Result<ResponseTemplate, String> {
        if query.step.is_some_and(|step| (query.until - query.since + step - 1) / step > MOST_BUCKETS) {
            return Err("NRQL Syntax Error: too many TIMESERIES buckets".to_owned());
        }
        let rows = self.world.rows(query);
        let per_facet = query.step.map_or(1, |step| ((query.until - query.since) / step).max(1)) as usize;
        let limit = query.limit.saturating_mul(per_facet).min(MOST_ROWS);
        let rows: Vec<Map<String, Value>> = rows.into_iter().take(limit).collect();
        Ok(answered(json!(rows), query, &[]))
    }

    fn entities(&self, query: &str) -> Value {
        let wanted = self.world.entities().into_iter().filter(|(.., domain, kind)| {
            query.contains(&format!("domain = '{domain}'")) && query.contains(&format!("type = '{kind}'"))
        });
        let entities: Vec<Value> = wanted
            .map(|(name, guid, domain, kind)| {
                json!({"guid": guid, "name": name, "accountId": self.world.account, "domain": domain, "type": kind, "reporting": true})
            })
            .collect();
        json!({"actor": {"entitySearch": {"count": entities.len(), "results": {"nextCursor": null, "entities": entities}}}})
    }

    fn changes(&self, start: i64, end: i64, limit: i64) -> Value {
        let end = end.min(self.world.now + DAY);
        let deploys = self.world.deploys(start, end.max(start));
        // The newest come first, and only so many.
        let marked = deploys.iter().rev().filter(|deploy| deploy.service.starts_with("app")).take(limit as usize);
        let events: Vec<Value> = marked
            .enumerate()
            .map(|(k, deploy)| {
                let planted = |field: usize, text: &str| self.world.with_planted(k + field, text.to_owned());
                if !self.world.planted.is_empty() {
                    return json!({"changeTrackingId": planted(0, &format!("ct-{}", deploy.version)), "category": "DEPLOYMENT",
                        "type": "Basic", "shortDescription": planted(1, "Add limits"), "description": planted(2, "For"),
                        "timestamp": deploy.at, "user": planted(3, "dev"), "groupId": planted(4, "g"),
                        "customAttributes": {"ticket": planted(5, "T")}, "commit": planted(6, "4f2c9e1"),
                        "entity": {"guid": deploy.guid, "name": deploy.service, "accountId": self.world.account},
                        "version": planted(7, &deploy.version), "changelog": planted(0, "See"),
                        "deepLink": format!("https://git.example/pr/1?note={}", planted(1, ""))});
                }
                json!({"changeTrackingId": format!("ct-{}-{}", deploy.service, deploy.version), "category": "DEPLOYMENT",
                    "type": "Basic", "shortDescription": format!("{} {}", deploy.service, deploy.version), "description": null,
                    "timestamp": deploy.at, "user": "dev@example.com", "groupId": null, "customAttributes": {},
                    "entity": {"guid": deploy.guid, "name": deploy.service, "accountId": self.world.account},
                    "version": deploy.version, "commit": null, "changelog": null, "deepLink": "https://git.example/pr/1"})
            })
            .collect();
        json!({"actor": {"changeTracking": {"changeTrackingSearch": {"changeEvents": events}}}})
    }
}
