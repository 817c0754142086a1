//! A team that does not exist: applications, transactions, databases, hosts, deploys, for any window and width.
//!
//! A bucket's values depend on what it is of, when it begins and how wide it is, and on nothing else, so that day by
//! day and in one pull the same comes out.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::nrql::{Column, Nrql};

pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// How large the team is.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    /// Applications with an APM agent: `app-0`, …
    pub applications: usize,
    /// Transactions of each.
    pub transactions: usize,
    /// Services that speak OpenTelemetry: `otel-0`, …
    pub otel: usize,
    /// Routes of each.
    pub routes: usize,
    /// Nothing before: buckets narrower than an hour that end before `now - 8 days` are empty.
    pub now: i64,
    /// The server's clock stands still at `now`; otherwise it is the machine's.
    pub stands_still: bool,
    /// The account in which all this is.
    pub account: i64,
    /// Texts that stand in every name and every field of a change, one after the other: what must reach no output.
    pub planted: Vec<String>,
}

impl Default for World {
    fn default() -> Self {
        // 2026-11-23T00:00:00Z
        Self {
            applications: 3,
            transactions: 4,
            otel: 1,
            routes: 3,
            now: super::TODAY,
            stands_still: true,
            account: 1,
            planted: Vec::new(),
        }
    }
}

/// One thing that is measured: its attributes and its size.
#[derive(Debug, Clone)]
struct Thing {
    attributes: BTreeMap<String, String>,
    /// Service and number, for what deploys do to it.
    service: String,
    number: usize,
    /// Seconds, or percent for hosts.
    level: f64,
    per_minute: f64,
}

/// A deploy of the world.
#[derive(Debug, Clone, PartialEq)]
pub struct Deploy {
    pub service: String,
    pub guid: String,
    pub at: i64,
    pub version: String,
}

impl World {
    /// Puts a planted text behind a name, if there is any.
    pub fn with_planted(&self, k: usize, name: String) -> String {
        match self.planted.get(k % self.planted.len().max(1)) {
            Some(planted) => format!("{name} {planted}"),
            None => name,
        }
    }

    fn app(&self, k: usize) -> String {
        self.with_planted(k, format!("app-{k}"))
    }

    fn otel_service(&self, k: usize) -> String {
        self.with_planted(k + 1, format!("otel-{k}"))
    }

    /// The header that tells the server's time, if it is not the machine's.
    pub fn date(&self) -> Option<String> {
        let now = chrono::DateTime::from_timestamp_millis(self.now).filter(|_| self.stands_still)?;
        Some(now.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
    }

    /// Names of all services with their entity's GUID, domain and type.
    pub fn entities(&self) -> Vec<(String, String, &'static str, &'static str)> {
        let apm = (0..self.applications).map(|k| (self.app(k), format!("GUID-APM-{k}"), "APM", "APPLICATION"));
        let otel = (0..self.otel).map(|k| (self.otel_service(k), format!("GUID-OTEL-{k}"), "EXT", "SERVICE"));
        apm.chain(otel).collect()
    }

    /// Every service deploys each third day, at 10:00 UTC and a bit; numbers count from 1970.
    pub fn deploys(&self, start: i64, end: i64) -> Vec<Deploy> {
        let mut deploys = Vec::new();
        for (index, (service, guid, ..)) in self.entities().into_iter().enumerate() {
            let offset = 10 * HOUR + (index as i64 % 3) * DAY + (index as i64 * 7 % 60) * MINUTE;
            for number in (start - offset).div_euclid(3 * DAY)..=(end - offset).div_euclid(3 * DAY) {
                let at = number * 3 * DAY + offset;
                if start <= at && at < end {
                    let version = format!("1.{number}.0");
                    deploys.push(Deploy { service: service.clone(), guid: guid.clone(), at, version });
                }
            }
        }
        deploys.sort_by(|a, b| (a.at, &a.service).cmp(&(b.at, &b.service)));
        deploys
    }

    /// Since which deploy a moment is, as its number.
    fn deploy_number(&self, service: &str, at: i64) -> i64 {
        let index = self.entities().iter().position(|(name, ..)| name == service).unwrap_or(0) as i64;
        (at - 10 * HOUR - (index % 3) * DAY - (index * 7 % 60) * MINUTE).div_euclid(3 * DAY)
    }

    fn things(&self, from: &str, metric: &str) -> Vec<Thing> {
        let mut things = Vec::new();
        let mut add = |service: &str, number: usize, level: f64, per_minute: f64, attributes: &[(&str, String)]| {
            let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            things.push(Thing { attributes, service: service.to_owned(), number, level, per_minute });
        };
        for k in 0..self.applications {
            let app = self.app(k);
            for t in 0..self.transactions {
                let name = self.with_planted(k + t, format!("WebTransaction/Go/GET /v{k}/thing-{t}"));
                let (level, rate) = (0.04 + 0.03 * t as f64, 600.0 / (t + 1) as f64);
                let base = [("appName", app.clone()), ("transactionType", "Web".to_owned())];
                let with = |key: &'static str| [base[0].clone(), base[1].clone(), (key, name.clone())];
                match (from, metric) {
                    ("Transaction", _) => add(&app, t, level, rate, &with("name")),
                    ("Metric", metric)
                        if metric.starts_with("apm.service.transaction") || metric == "apm.service.error.count" =>
                    {
                        add(&app, t, level, rate, &with("transactionName"));
                    }
                    ("Metric", metric) if metric.starts_with("apm.service.datastore") => {
                        let database = [("datastoreType", "Postgres".to_owned()), ("operation", "select".to_owned())];
                        let table = [
                            base[0].clone(),
                            database[0].clone(),
                            database[1].clone(),
                            ("table", self.with_planted(t, format!("table_{t}"))),
                        ];
                        add(&app, t, level / 4.0, rate * 2.0, &table);
                    }
                    ("Metric", metric) if metric.starts_with("apm.service.external") && t == 0 => {
                        add(
                            &app,
                            t,
                            0.08,
                            60.0,
                            &[base[0].clone(), ("external.host", self.with_planted(k, "pay.example".to_owned()))],
                        );
                    }
                    ("SystemSample", _) if t == 0 => {
                        let names = ("apmApplicationNames", format!("|{app}|shared-{k}|"));
                        add(&app, t, 40.0, 4.0, &[names, ("hostname", self.with_planted(k, format!("host-{k}")))]);
                    }
                    ("Span", _) if t == 0 => {
                        let span = [("entity.name", app.clone()), ("category", "datastore".to_owned())];
                        let statement =
                            ("db.statement", self.with_planted(k, format!("SELECT * FROM table_{k} WHERE id = ?")));
                        add(&app, t, level / 4.0, rate, &[span[0].clone(), span[1].clone(), statement]);
                    }
                    _ => {}
                }
            }
        }
        for k in 0..self.otel {
            let service = self.otel_service(k);
            for r in 0..self.routes {
                let route = self.with_planted(r, format!("/otel/{k}/{r}/{{id}}"));
                let (level, rate) = (0.03 + 0.02 * r as f64, 300.0 / (r + 1) as f64);
                let base = ("service.name", service.clone());
                match (from, metric) {
                    ("Metric", metric) if metric.starts_with("http.server") => {
                        let method = ("http.request.method", "GET".to_owned());
                        add(&service, r, level, rate, &[base, method, ("http.route", route)]);
                    }
                    ("Metric", metric) if metric.starts_with("db.client") => {
                        let database = ("db.system.name", "postgresql".to_owned());
                        let operation = ("db.operation.name", "SELECT".to_owned());
                        add(
                            &service,
                            r,
                            level / 4.0,
                            rate,
                            &[base, database, operation, ("db.collection.name", self.with_planted(r, format!("t{r}")))],
                        );
                    }
                    ("Span", _) => {
                        let kind = ("span.kind", "server".to_owned());
                        add(&service, r, level, rate, &[base, kind, ("name", format!("GET {route}"))]);
                    }
                    _ => {}
                }
            }
        }
        things
    }

    /// Answers a query: all rows of all facets, before any limit is put on them.
    pub fn rows(&self, query: &Nrql) -> Vec<Map<String, Value>> {
        if query.select.iter().any(|column| column.function == "earliest") {
            return self.versions(query);
        }
        let from = query.from.first().map_or("", String::as_str);
        let metric = query.select.first().map_or("", |column| column.attribute.as_str());
        let mut groups: BTreeMap<Vec<String>, Vec<Thing>> = BTreeMap::new();
        for thing in self.things(from, metric) {
            let facets =
                query.facets.iter().map(|name| thing.attributes.get(name).cloned().unwrap_or_default()).collect();
            if query.condition.holds(&thing.attributes) {
                groups.entry(facets).or_default().push(thing);
            }
        }
        let step = query.step.unwrap_or(query.until - query.since);
        // Buckets are laid back from the end; a first one that is cut is left out.
        let buckets = (query.until - query.since) / step;
        let mut ordered: Vec<_> = groups.into_iter().collect();
        // The vendor orders facets by the first column; the number of requests stands for it here.
        ordered.sort_by(|a, b| rate(&b.1).total_cmp(&rate(&a.1)).then(a.0.cmp(&b.0)));
        let mut rows = Vec::new();
        for (facets, things) in &ordered {
            for bucket in 0..buckets {
                let begin = query.until - (buckets - bucket) * step;
                let mut row = facet_fields(&query.facets, facets);
                if query.step.is_some() {
                    row.insert("beginTimeSeconds".into(), json!(begin / 1000));
                    row.insert("endTimeSeconds".into(), json!((begin + step) / 1000));
                }
                for column in &query.select {
                    row.insert(column.alias.clone(), self.value(column, things, begin, step));
                }
                rows.push(row);
            }
        }
        rows
    }

    /// One value of one bucket.
    fn value(&self, column: &Column, things: &[Thing], begin: i64, step: i64) -> Value {
        let is_forgotten = step < HOUR && begin + step <= self.now - 8 * DAY;
        let (mut requests, mut seconds, mut errors) = (0.0, 0.0, 0.0);
        for thing in things.iter().filter(|_| !is_forgotten) {
            let noise = |salt: i64| chance(&thing.service, thing.number as i64 * 31 + salt, begin, step);
            // One bucket in about 300 is a gap.
            if noise(1) < 0.003 {
                continue;
            }
            let hour = begin.rem_euclid(DAY) as f64 / HOUR as f64;
            let daily = 1.0 + 0.6 * ((hour - 15.0) / 24.0 * std::f64::consts::TAU).cos();
            let n = (thing.per_minute * daily * (step / MINUTE) as f64 * (0.9 + 0.2 * noise(2))).round().max(1.0);
            // Each fifth deploy of the first service makes its first operation half as slow again, until the next one.
            let is_slow = thing.number == 0
                && thing.service.ends_with("-0")
                && self.deploy_number(&thing.service, begin).rem_euclid(5) == 3;
            let slow = if is_slow && thing.level < 10.0 { 1.5 } else { 1.0 };
            requests += n;
            seconds += n * thing.level * slow * (0.85 + 0.3 * noise(3));
            errors += (n * 0.002 * noise(4)).floor();
        }
        let mean = seconds / requests;
        let is_nothing = requests == 0.0;
        let unit = if column.attribute.ends_with(".ms") { 1000.0 } else { 1.0 };
        match column.function.as_str() {
            "filter" => json!(errors),
            "count" if column.attribute.contains("error") => json!(errors),
            "count" => json!(requests),
            "percentile" => {
                let at = |percent: f64| {
                    if is_nothing { Value::Null } else { json!(mean * unit * (0.5 + (percent / 100.0).powi(6) * 2.0)) }
                };
                Value::Object(column.numbers.iter().map(|percent| (percent.to_string(), at(*percent))).collect())
            }
            _ if is_nothing => Value::Null,
            "sum" => json!(seconds),
            _ => json!(mean * unit),
        }
    }

    fn versions(&self, query: &Nrql) -> Vec<Map<String, Value>> {
        let mut rows = Vec::new();
        // Only services that speak OpenTelemetry carry a version, and only the first has no markers.
        if query.from.iter().all(|from| from != "Span") {
            return rows;
        }
        let deploys = self.deploys(query.since - 4 * DAY, query.until);
        for (index, deploy) in deploys.iter().enumerate() {
            let next = deploys[index + 1..].iter().find(|other| other.service == deploy.service);
            let last = next.map_or(query.until, |next| next.at + 2 * MINUTE).min(query.until) - 1;
            let values = [deploy.service.clone(), deploy.version.clone()];
            let attributes = BTreeMap::from([
                ("service.name".to_owned(), values[0].clone()),
                ("service.version".to_owned(), values[1].clone()),
            ]);
            if last < query.since || !deploy.service.starts_with("otel") || !query.condition.holds(&attributes) {
                continue;
            }
            let mut row = facet_fields(&query.facets, &values);
            row.insert("first".into(), json!(deploy.at.max(query.since)));
            row.insert("last".into(), json!(last));
            row.insert("n".into(), json!(100));
            rows.push(row);
        }
        rows
    }
}

fn rate(things: &[Thing]) -> f64 {
    things.iter().map(|thing| thing.per_minute).sum()
}

fn facet_fields(names: &[String], values: &[String]) -> Map<String, Value> {
    let mut row: Map<String, Value> = names.iter().cloned().zip(values.iter().map(|value| json!(value))).collect();
    match values {
        [] => None,
        [one] => row.insert("facet".into(), json!(one)),
        several => row.insert("facet".into(), json!(several)),
    };
    row
}

/// A number from 0 to 1 that depends on its arguments alone: FNV-1a, then SplitMix64's last steps.
fn chance(service: &str, salt: i64, begin: i64, step: i64) -> f64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let numbers = [salt, begin, step].map(i64::to_le_bytes);
    for byte in service.bytes().chain(numbers.into_iter().flatten()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((hash ^ (hash >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
