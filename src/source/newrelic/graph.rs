//! Sends documents to NerdGraph and unwraps its answers. An error inside an HTTP 200 is an error, also when half of
//! the data stands beside it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::error::{NewRelicError, is_passing};
use crate::model::secret::Secret;
use crate::source::http::{Http, HttpError, excerpt};
use crate::source::waiting::announced;

/// The documents, as they stand in `queries/newrelic`.
pub(super) mod documents {
    pub(in super::super) const NRQL: &str = include_str!("../../../queries/newrelic/nrql.graphql");
    pub(in super::super) const PROGRESS: &str = include_str!("../../../queries/newrelic/progress.graphql");
    pub(in super::super) const ENTITIES: &str = include_str!("../../../queries/newrelic/entities.graphql");
    pub(in super::super) const CHANGES: &str = include_str!("../../../queries/newrelic/changes.graphql");
    pub(in super::super) const DEPLOYMENTS: &str = include_str!("../../../queries/newrelic/deployments.graphql");
    pub(in super::super) const ACCOUNT: &str = include_str!("../../../queries/newrelic/account.graphql");
}

/// Seconds that the server may take before it answers, or says that it is not done: the default is 5, the most 120.
const TIMEOUT_S: u32 = 60;
/// Seconds that an unfinished query is waited for: the longest that the vendor runs one.
const LONGEST_S: u64 = 600;

/// One account behind one key.
pub(super) struct Graph {
    pub(super) http: Http,
    pub(super) endpoint: String,
    pub(super) key: Secret,
    pub(super) key_env: String,
    pub(super) account: i64,
    /// Queries that go on in the background are an option that an account may lack.
    pub(super) without_async: AtomicBool,
}

/// What came, and the server's clock.
pub(super) struct Reply {
    pub(super) data: Value,
    pub(super) date_ms: Option<i64>,
}

impl Graph {
    /// Sends a document. `what` names it in messages.
    pub(super) async fn ask(&self, what: &str, document: &str, variables: Value) -> Result<Reply, NewRelicError> {
        let body = json!({"query": document, "variables": variables});
        // A query that takes too long is asked in smaller pieces; what cannot be cut is asked again.
        let is_query = document == documents::NRQL || document == documents::PROGRESS;
        let again = |answer: &Value| classes(answer).any(|class| is_passing(class) || !is_query && class == "TIMEOUT");
        let secrets = [("api-key", &self.key)];
        let waited_for = format!("NerdGraph of account {}: {what}", self.account);
        let asked = self.http.post_json(&self.endpoint, &secrets, &body, &again);
        let mut answer = match announced(&waited_for, asked).await {
            Ok(answer) => answer,
            Err(HttpError::Status { status: 401 | 403, words, .. }) => return Err(self.bad_key(words)),
            Err(error) => return Err(NewRelicError::Http(error)),
        };
        if let Some(errors) = answer.json.get("errors").filter(|errors| !errors.is_null() && **errors != json!([])) {
            return Err(self.refused(what, errors));
        }
        // Taken, not copied: an answer has thousands of rows.
        match answer.json.get_mut("data").map(Value::take) {
            Some(data) if data.is_object() => Ok(Reply { data, date_ms: answer.date_ms }),
            _ => Err(shape(what, "the answer has neither data nor errors")),
        }
    }

    /// Asks a query and waits until it is done; returns the container of its results.
    pub(super) async fn nrql(&self, what: &str, text: &str) -> Result<Value, NewRelicError> {
        let is_async = !self.without_async.load(Ordering::Relaxed);
        let variables =
            |is_async| json!({"account": self.account, "nrql": text, "timeout": TIMEOUT_S, "async": is_async});
        let mut reply = match self.ask(what, documents::NRQL, variables(is_async)).await {
            Err(NewRelicError::Refused { words, .. }) if is_async && words.to_lowercase().contains("async") => {
                self.without_async.store(true, Ordering::Relaxed);
                self.ask(what, documents::NRQL, variables(false)).await?
            }
            outcome => outcome?,
        };
        let container = reply.data.pointer_mut("/actor/account/nrql").map(Value::take).unwrap_or_default();
        let waited_for = format!("NerdGraph of account {}: {what}, which runs in the background", self.account);
        announced(&waited_for, self.finished(what, container)).await
    }

    /// Polls, not sooner than the server says.
    async fn finished(&self, what: &str, mut container: Value) -> Result<Value, NewRelicError> {
        let mut waited = 0;
        while container.pointer("/queryProgress/completed") == Some(&Value::Bool(false)) {
            let number = |key: &str| container.pointer(&format!("/queryProgress/{key}")).and_then(Value::as_u64);
            let Some(query) = container.pointer("/queryProgress/queryId").and_then(Value::as_str) else {
                return Err(shape(what, "a query that goes on has no `queryId`"));
            };
            let wait = number("retryAfter").unwrap_or(1).clamp(1, 30);
            if waited + wait > LONGEST_S {
                return Err(NewRelicError::Unfinished { what: what.to_owned(), seconds: waited });
            }
            waited += wait;
            self.http.sleep(Duration::from_secs(wait)).await;
            let variables = json!({"account": self.account, "query": query});
            let mut reply = self.ask(what, documents::PROGRESS, variables).await?;
            let progress = reply.data.pointer_mut("/actor/account/nrqlQueryProgress");
            container = progress.map(Value::take).unwrap_or_default();
        }
        Ok(container)
    }

    fn bad_key(&self, words: String) -> NewRelicError {
        NewRelicError::Key { key_env: self.key_env.clone(), words }
    }

    /// Reads the first error of a list that is not empty.
    fn refused(&self, what: &str, errors: &Value) -> NewRelicError {
        let first = errors.get(0).unwrap_or(errors);
        let secrets = [("api-key", &self.key)];
        let message = first.get("message").and_then(Value::as_str).unwrap_or_default();
        let said = excerpt(message.as_bytes(), &secrets);
        if class(first, "error_code") == Some("BAD_API_KEY") || class(first, "errorClass") == Some("UNAUTHORIZED") {
            return self.bad_key(said);
        }
        let class = class(first, "errorClass").or_else(|| class(first, "error_code"));
        let class = class.map_or_else(|| "no class".to_owned(), |class| excerpt(class.as_bytes(), &secrets));
        NewRelicError::Refused { what: what.to_owned(), class, words: said }
    }
}

fn class<'a>(error: &'a Value, key: &str) -> Option<&'a str> {
    error.get("extensions")?.get(key)?.as_str()
}

/// Returns the classes of all errors in an answer.
fn classes(answer: &Value) -> impl Iterator<Item = &str> {
    let errors = answer.get("errors").and_then(Value::as_array);
    errors.into_iter().flatten().filter_map(|error| class(error, "errorClass"))
}

pub(super) fn shape(what: &str, reason: impl Into<String>) -> NewRelicError {
    NewRelicError::Shape { what: what.to_owned(), reason: reason.into() }
}
