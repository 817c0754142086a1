//! Amazon's side of CloudWatch, CloudTrail, resource tags and STS in the protocols that the SDK speaks: CBOR, JSON, forms.
//!
//! What is measured follows from a formula ([`value`]), so that nothing has to be put first and any point can be
//! checked. How an answer is cut into pages, and what goes wrong, is the test's business.

use std::sync::{Arc, Mutex};

use ciborium::value::Value;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

/// One metric that the server has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    pub namespace: String,
    pub name: String,
    pub dimensions: Vec<(String, String)>,
}

/// Names a metric: `AWS/ECS CPUUtilization ClusterName=main,ServiceName=card-api`.
pub fn metric(text: &str) -> Metric {
    let mut words = text.splitn(3, ' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let (namespace, name, rest) = (word(), word(), word());
    let pair = |text: &str| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Metric { namespace, name, dimensions: rest.split(',').filter_map(pair).collect() }
}

/// One query of GetMetricData.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub id: String,
    pub metric: Metric,
    pub stat: String,
    pub period_s: i64,
}

/// One request of GetMetricData.
#[derive(Debug, Clone, PartialEq)]
pub struct DataRequest {
    pub queries: Vec<Query>,
    pub start_s: i64,
    pub end_s: i64,
    pub token: Option<String>,
    pub scan_by: String,
}

impl DataRequest {
    /// Returns how many points are asked for.
    pub fn points(&self) -> i64 {
        self.queries.iter().map(|query| (self.end_s - self.start_s) / query.period_s).sum()
    }
}

/// One query's part of an answer.
#[derive(Debug, Clone)]
pub struct Part {
    pub id: String,
    pub status: &'static str,
    pub points: Vec<(i64, f64)>,
}

/// A resource's ARN, and its tags by key and value.
pub type Tagged = (String, Vec<(String, String)>);

/// How GetMetricData answers: the request and how many came before it.
pub type Answer = Box<dyn Fn(&DataRequest, usize) -> ResponseTemplate + Send + Sync>;

/// What the server says and what it was asked.
#[derive(Default)]
pub struct Script {
    pub metrics: Vec<Metric>,
    /// Metrics a page of ListMetrics; 0 for all.
    pub list_page: usize,
    pub answer: Option<Answer>,
    /// What ListMetrics says instead, if it fails.
    pub list_fails: Option<ResponseTemplate>,
    /// Events of CloudTrail: name, id, seconds, body. `None`: not allowed.
    pub trail: Option<Vec<(String, String, i64, String)>>,
    /// What GetResources knows: ARN and tags. `None`: not allowed.
    pub tags: Option<Vec<Tagged>>,
    /// Resources a page of GetResources; 0 for as many as are asked for.
    pub tag_page: usize,
    /// What GetResources says instead, if it fails.
    pub tag_fails: Option<ResponseTemplate>,
    /// Requests of GetResources.
    pub tag_requests: Vec<serde_json::Value>,
    /// How long STS takes.
    pub role_delay: std::time::Duration,
    /// What STS says instead of credentials.
    pub role_fails: Option<(u16, &'static str)>,
    pub asked: Vec<DataRequest>,
    pub lists: usize,
    pub lookups: usize,
    pub roles: Vec<String>,
    /// `authorization` of every request, as far as the scope of its signature.
    pub scopes: Vec<String>,
}

/// A server with its script.
pub struct CloudWatch {
    pub server: MockServer,
    pub script: Arc<Mutex<Script>>,
}

impl CloudWatch {
    /// Starts one that has these metrics and answers well.
    pub async fn start(metrics: &[&str]) -> Self {
        let script = Script { metrics: metrics.iter().map(|text| metric(text)).collect(), ..Script::default() };
        let script = Arc::new(Mutex::new(Script { trail: Some(Vec::new()), tags: Some(Vec::new()), ..script }));
        let server = MockServer::start().await;
        let shared = script.clone();
        let respond = move |request: &Request| shared.lock().expect("not poisoned").respond(request);
        Mock::given(any()).respond_with(respond).mount(&server).await;
        Self { server, script }
    }

    /// Changes the script.
    pub fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().expect("not poisoned"));
    }

    /// Sets how GetMetricData answers.
    pub fn answer(&self, answer: impl Fn(&DataRequest, usize) -> ResponseTemplate + Send + Sync + 'static) {
        self.set(|script| script.answer = Some(Box::new(answer)));
    }

    /// Returns what GetMetricData was asked so far.
    pub fn asked(&self) -> Vec<DataRequest> {
        self.script.lock().expect("not poisoned").asked.clone()
    }
}

impl Script {
    fn respond(&mut self, request: &Request) -> ResponseTemplate {
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let scope = header("authorization").split(',').next().unwrap_or_default().to_owned();
        self.scopes.push(scope);
        let path = request.url.path();
        if path.ends_with("/GetMetricData") {
            let asked = parse(&request.body);
            self.asked.push(asked.clone());
            let before = self.asked.len() - 1;
            return match &self.answer {
                Some(answer) => answer(&asked, before),
                None => page(&asked, &complete(&asked), None),
            };
        }
        if path.ends_with("/ListMetrics") {
            self.lists += 1;
            return self.list_fails.clone().unwrap_or_else(|| self.list(&request.body));
        }
        if header("x-amz-target").ends_with(".LookupEvents") {
            self.lookups += 1;
            return self.look_up(&request.body);
        }
        if header("x-amz-target") == "ResourceGroupsTaggingAPI_20170126.GetResources" {
            let asked: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
            self.tag_requests.push(asked.clone());
            return self.tag_fails.clone().unwrap_or_else(|| self.resources(&asked));
        }
        let body = String::from_utf8_lossy(&request.body).into_owned();
        if body.contains("Action=AssumeRole") {
            self.roles.push(body);
            return self.assume();
        }
        ResponseTemplate::new(404).set_body_string("nothing here")
    }

    fn list(&self, body: &[u8]) -> ResponseTemplate {
        let request = decode(body);
        let namespace = text(&request, "Namespace");
        let fits = |metric: &&Metric| namespace.is_empty() || metric.namespace == namespace;
        let all: Vec<&Metric> = self.metrics.iter().filter(fits).collect();
        let from: usize = text(&request, "NextToken").strip_prefix('l').and_then(|n| n.parse().ok()).unwrap_or(0);
        let size = if self.list_page == 0 { all.len().max(1) } else { self.list_page };
        let pair = |(name, value): &(String, String)| map(vec![("Name", s(name)), ("Value", s(value))]);
        let one = |metric: &&Metric| {
            map(vec![
                ("Namespace", s(&metric.namespace)),
                ("MetricName", s(&metric.name)),
                ("Dimensions", Value::Array(metric.dimensions.iter().map(pair).collect())),
            ])
        };
        let mut answer = vec![("Metrics", Value::Array(all.iter().skip(from).take(size).map(one).collect()))];
        let token = format!("l{}", from + size);
        if from + size < all.len() {
            answer.push(("NextToken", s(&token)));
        }
        cbor(200, &map(answer))
    }

    fn look_up(&self, body: &[u8]) -> ResponseTemplate {
        let Some(trail) = &self.trail else {
            let words = "User: arn:aws:sts::1:assumed-role/fortnight-read/x is not authorized to perform: cloudtrail:LookupEvents";
            return json(400, &serde_json::json!({"__type": "AccessDeniedException", "message": words}));
        };
        let request: serde_json::Value = serde_json::from_slice(body).expect("JSON");
        let wanted = request["LookupAttributes"][0]["AttributeValue"].as_str().expect("a name");
        let all: Vec<_> = trail.iter().filter(|(name, ..)| name == wanted).collect();
        // One a page, the newest first, as Amazon has it.
        let from: usize = request["NextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
        let one = |(name, id, at, body): &(String, String, i64, String)| serde_json::json!({"EventId": id, "EventName": name, "EventTime": at, "Username": "pipeline", "CloudTrailEvent": body});
        let mut answer =
            serde_json::json!({"Events": all.iter().rev().skip(from).take(1).map(|e| one(e)).collect::<Vec<_>>()});
        if from + 1 < all.len() {
            answer["NextToken"] = serde_json::json!((from + 1).to_string());
        }
        json(200, &answer)
    }

    /// GetResources: what has the tag and one of the types, a page at a time.
    fn resources(&self, asked: &serde_json::Value) -> ResponseTemplate {
        let Some(tags) = &self.tags else {
            let words =
                "User: arn:aws:sts::1:assumed-role/fortnight-read/x is not authorized to perform: tag:GetResources";
            return json(400, &serde_json::json!({"__type": "AccessDeniedException", "Message": words}));
        };
        let size = asked["ResourcesPerPage"].as_u64().expect("a size") as usize;
        assert!((1..=100).contains(&size), "Amazon takes 1 to 100, not {size}");
        let key = asked["TagFilters"][0]["Key"].as_str().expect("a key");
        assert_eq!(asked["TagFilters"].as_array().map(Vec::len), Some(1), "several would have to be there all at once");
        let kinds: Vec<&str> =
            asked["ResourceTypeFilters"].as_array().expect("types").iter().filter_map(|kind| kind.as_str()).collect();
        assert!(kinds.len() <= 100, "{} types", kinds.len());
        let is_of = |arn: &str, kind: &str| {
            let mut parts = arn.splitn(6, ':').skip(2);
            let (service, resource) = (parts.next().unwrap_or_default(), parts.nth(2).unwrap_or_default());
            let found = resource.split([':', '/']).next().unwrap_or_default();
            kind == service || kind == format!("{service}:{found}")
        };
        let fits = |(arn, tags): &&Tagged| {
            tags.iter().any(|(name, _)| name == key) && kinds.iter().any(|kind| is_of(arn, kind))
        };
        let all: Vec<_> = tags.iter().filter(fits).collect();
        let size = if self.tag_page == 0 { size } else { self.tag_page };
        let from: usize =
            asked["PaginationToken"].as_str().and_then(|token| token.strip_prefix('t')?.parse().ok()).unwrap_or(0);
        let pair = |(key, value): &(String, String)| serde_json::json!({"Key": key, "Value": value});
        let one = |(arn, tags): &Tagged| serde_json::json!({"ResourceARN": arn, "Tags": tags.iter().map(pair).collect::<Vec<_>>()});
        // On the last page Amazon's token is empty, not missing.
        let next = if from + size < all.len() { format!("t{}", from + size) } else { String::new() };
        let page: Vec<_> = all.into_iter().skip(from).take(size).map(one).collect();
        json(200, &serde_json::json!({"PaginationToken": next, "ResourceTagMappingList": page}))
    }

    fn assume(&self) -> ResponseTemplate {
        if let Some((status, code)) = self.role_fails {
            let body = format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code>\
                 <Message>User: arn:aws:iam::111111111111:user/x is not authorized to perform: sts:AssumeRole</Message></Error>\
                 <RequestId>r-1</RequestId></ErrorResponse>"
            );
            return ResponseTemplate::new(status).set_body_raw(body, "text/xml");
        }
        let body = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><AssumedRoleUser>\
            <Arn>arn:aws:sts::222222222222:assumed-role/fortnight-read/x</Arn><AssumedRoleId>A:x</AssumedRoleId></AssumedRoleUser>\
            <Credentials><AccessKeyId>ASIACANARYROLEKEY000</AccessKeyId><SecretAccessKey>canary-role-secret</SecretAccessKey>\
            <SessionToken>canary-role-token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
            </AssumeRoleResult></AssumeRoleResponse>";
        ResponseTemplate::new(200).set_body_raw(body, "text/xml").set_delay(self.role_delay)
    }
}

/// What a metric has at a time, whatever the server: a number of its own, with a gap now and then. Error counters are
/// silent most of the time.
pub fn value(query: &Query, at_s: i64) -> Option<f64> {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let name = format!("{:?} {} {at_s}", query.metric, query.stat);
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let is_silent = if query.metric.name.contains("5XX") || query.metric.name == "Errors" { 9 } else { 1 };
    let number = (hash >> 20) % 1_000_000;
    (hash % 10 >= is_silent).then(|| if is_silent == 9 { (number % 5) as f64 } else { 10.0 + number as f64 / 16.0 })
}

/// Answers every query whole.
pub fn complete(request: &DataRequest) -> Vec<Part> {
    let points = |query: &Query| {
        let times = (0..).map(|k| request.start_s + k * query.period_s).take_while(|at| *at < request.end_s);
        times.filter_map(|at| Some((at, value(query, at)?))).collect()
    };
    request
        .queries
        .iter()
        .map(|query| Part { id: query.id.clone(), status: "Complete", points: points(query) })
        .collect()
}

/// Makes a page of parts.
pub fn page(_request: &DataRequest, parts: &[Part], next: Option<&str>) -> ResponseTemplate {
    page_with(parts, next, &[])
}

/// Makes a page of parts with messages beside them.
pub fn page_with(parts: &[Part], next: Option<&str>, messages: &[(&str, &str)]) -> ResponseTemplate {
    let one = |part: &Part| {
        let times = part.points.iter().map(|(at, _)| Value::Tag(1, Box::new(Value::Float(*at as f64)))).collect();
        let values = part.points.iter().map(|(_, value)| Value::Float(*value)).collect();
        map(vec![
            ("Id", s(&part.id)),
            ("Label", s(&part.id)),
            ("Timestamps", Value::Array(times)),
            ("Values", Value::Array(values)),
            ("StatusCode", s(part.status)),
        ])
    };
    let said = messages.iter().map(|(code, text)| map(vec![("Code", s(code)), ("Value", s(text))])).collect();
    let mut answer =
        vec![("MetricDataResults", Value::Array(parts.iter().map(one).collect())), ("Messages", Value::Array(said))];
    if let Some(token) = next {
        answer.push(("NextToken", s(token)));
    }
    cbor(200, &map(answer))
}

/// Makes an error as CloudWatch words it.
pub fn fault(status: u16, code: &str, message: &str) -> ResponseTemplate {
    let body = map(vec![("__type", s(&format!("com.amazonaws.cloudwatch#{code}"))), ("message", s(message))]);
    cbor(status, &body)
        .insert_header("x-amzn-query-error", format!("{code};Sender"))
        .insert_header("x-amzn-requestid", "request-0001")
}

fn cbor(status: u16, value: &Value) -> ResponseTemplate {
    let mut body = Vec::new();
    ciborium::into_writer(value, &mut body).expect("into memory");
    ResponseTemplate::new(status).insert_header("smithy-protocol", "rpc-v2-cbor").set_body_raw(body, "application/cbor")
}

fn json(status: u16, value: &serde_json::Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(value.to_string(), "application/x-amz-json-1.1")
}

fn s(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn map(pairs: Vec<(&str, Value)>) -> Value {
    Value::Map(pairs.into_iter().map(|(name, value)| (s(name), value)).collect())
}

fn decode(body: &[u8]) -> Value {
    ciborium::from_reader(body).expect("the request is CBOR")
}

fn get<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_map()?.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
}

fn text(value: &Value, name: &str) -> String {
    get(value, name).and_then(Value::as_text).unwrap_or_default().to_owned()
}

fn number(value: &Value) -> i64 {
    match value {
        Value::Tag(_, inner) => number(inner),
        Value::Float(number) => *number as i64,
        other => other.as_integer().and_then(|number| number.try_into().ok()).expect("a number"),
    }
}

fn parse(body: &[u8]) -> DataRequest {
    let request = decode(body);
    let list = |value: &Value, name: &str| get(value, name).and_then(Value::as_array).cloned().unwrap_or_default();
    let query = |one: &Value| {
        let stat = get(one, "MetricStat").expect("no expression is sent");
        let metric = get(stat, "Metric").expect("a metric");
        let pairs = list(metric, "Dimensions");
        Query {
            id: text(one, "Id"),
            metric: Metric {
                namespace: text(metric, "Namespace"),
                name: text(metric, "MetricName"),
                dimensions: pairs.iter().map(|pair| (text(pair, "Name"), text(pair, "Value"))).collect(),
            },
            stat: text(stat, "Stat"),
            period_s: number(get(stat, "Period").expect("a period")),
        }
    };
    DataRequest {
        queries: list(&request, "MetricDataQueries").iter().map(query).collect(),
        start_s: number(get(&request, "StartTime").expect("a start")),
        end_s: number(get(&request, "EndTime").expect("an end")),
        token: get(&request, "NextToken").and_then(Value::as_text).map(str::to_owned),
        scan_by: text(&request, "ScanBy"),
    }
}
