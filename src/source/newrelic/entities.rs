//! Finds the applications and services of an account.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::error::NewRelicError;
use super::graph::{Graph, documents, shape};

/// Returns the service that an application stands for: its name. The one place that says so.
pub fn service_of(application: &str) -> Arc<str> {
    application.into()
}

/// What is looked for, as messages call it.
const WHAT: &str = "search of applications";
/// Pages of 200 at most; an account holds fewer applications than that.
const MOST_PAGES: usize = 500;

/// An application or service that reports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entity {
    pub name: String,
    pub guid: String,
    pub is_otel: bool,
}

/// Those that the configuration's patterns match, and the server's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Sorted by name.
    pub entities: Vec<Entity>,
    /// All that the account holds, matching or not.
    pub all: usize,
    /// UTC milliseconds, if the server says.
    pub now_ms: Option<i64>,
}

impl Found {
    /// Names of one sort, sorted, each once: several entities may share one.
    pub(super) fn names(&self, is_otel: bool) -> Vec<String> {
        let names = self.entities.iter().filter(|entity| entity.is_otel == is_otel).map(|entity| entity.name.clone());
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Looks for all applications of the account, page by page.
///
/// # Errors
/// [`NewRelicError`].
pub(super) async fn find(graph: &Graph, patterns: &[glob::Pattern]) -> Result<Found, NewRelicError> {
    let mut found = Found::default();
    for (is_otel, kind) in
        [(false, "domain = 'APM' AND type = 'APPLICATION'"), (true, "domain = 'EXT' AND type = 'SERVICE'")]
    {
        let query = format!("{kind} AND accountId = {}", graph.account);
        let mut cursor = Value::Null;
        for page in 0.. {
            if page == MOST_PAGES {
                return Err(shape(WHAT, format!("more than {MOST_PAGES} pages")));
            }
            let reply = graph.ask(WHAT, documents::ENTITIES, json!({"query": query, "cursor": cursor})).await?;
            found.now_ms = reply.date_ms.or(found.now_ms);
            let results = reply.data.pointer("/actor/entitySearch/results").unwrap_or(&Value::Null);
            let Some(list) = results.get("entities").and_then(Value::as_array) else {
                return Err(shape(WHAT, "`entities` is no list"));
            };
            for entity in list {
                take(&mut found, graph, patterns, is_otel, entity)?;
            }
            let next = results.get("nextCursor").cloned().unwrap_or_default();
            if !next.is_string() || next == cursor {
                break;
            }
            cursor = next;
        }
    }
    found.entities.sort();
    found.entities.dedup();
    Ok(found)
}

fn take(
    found: &mut Found,
    graph: &Graph,
    patterns: &[glob::Pattern],
    is_otel: bool,
    entity: &Value,
) -> Result<(), NewRelicError> {
    let text = |key: &str| {
        let text = entity.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| shape(WHAT, format!("an entity without `{key}`")))
    };
    // The search is fuzzy, so what it found is looked at again.
    if entity.get("accountId").and_then(Value::as_i64).is_some_and(|account| account != graph.account) {
        return Ok(());
    }
    let entity = Entity { name: text("name")?, guid: text("guid")?, is_otel };
    found.all += 1;
    if patterns.iter().any(|pattern| pattern.matches(&entity.name)) {
        found.entities.push(entity);
    }
    Ok(())
}
