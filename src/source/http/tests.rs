//! The rules of the module, against a server on a free port of this machine.

use std::sync::Mutex;

use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

/// Notes waits instead of waiting.
#[derive(Default)]
struct Noted(Mutex<Vec<Duration>>);

#[async_trait]
impl Sleep for Noted {
    async fn sleep(&self, wait: Duration) {
        self.0.lock().expect("one test").push(wait);
    }
}

struct Bench {
    server: MockServer,
    noted: Arc<Noted>,
    limits: Limits,
    key: Secret,
}

impl Bench {
    /// Answers in order; the last answer stays.
    async fn answering(answers: Vec<ResponseTemplate>) -> Self {
        let server = MockServer::start().await;
        let last = answers.len() - 1;
        for (index, answer) in answers.into_iter().enumerate() {
            let mock = Mock::given(any()).respond_with(answer);
            if index == last { mock.mount(&server).await } else { mock.up_to_n_times(1).mount(&server).await }
        }
        let limits = Limits { one_try: Duration::from_millis(1_500), ..Limits::default() };
        Self { server, noted: Arc::default(), limits, key: Secret::checked("NRAK-canary", "KEY").expect("a key") }
    }

    async fn post(&self) -> Result<Answer, HttpError> {
        let http = Http::new(self.limits.clone(), self.noted.clone()).expect("client");
        let again = |json: &Value| json["again"] == true;
        http.post_json(&self.server.uri(), &[("api-key", &self.key)], &json!({"a": 1}), &again).await
    }

    async fn refused(&self) -> HttpError {
        let error = self.post().await.expect_err("refused");
        let all = format!("{error} {error:?} {:?}", error.help());
        assert!(!self.key.stands_in(&all), "{all}");
        assert!(!all.contains("127.0.0.1:"), "no address: {all}");
        error
    }

    fn waits(&self) -> Vec<Duration> {
        self.noted.0.lock().expect("one test").clone()
    }
}

fn good() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"ok": 1}))
}

#[tokio::test]
async fn server_errors_are_tried_again_with_growing_waits() {
    let bench = Bench::answering(vec![ResponseTemplate::new(503), ResponseTemplate::new(500), good()]).await;
    let answer = bench.post().await.expect("good at last");
    assert_eq!((answer.tries, &answer.json["ok"]), (3, &json!(1)));
    let waits = bench.waits();
    assert!(Duration::from_millis(500) <= waits[0] && waits[0] <= Duration::from_secs(1), "{waits:?}");
    assert!(Duration::from_secs(1) <= waits[1] && waits[1] <= Duration::from_secs(2), "{waits:?}");
    let requests = bench.server.received_requests().await.expect("recorded");
    assert_eq!(requests[0].headers["user-agent"], concat!("fortnight/", env!("CARGO_PKG_VERSION")));
    assert_eq!(requests[0].headers["api-key"], "NRAK-canary");
}

#[tokio::test]
async fn server_errors_for_ever_end_after_five_tries() {
    let bench =
        Bench::answering(vec![ResponseTemplate::new(502).set_body_string("<h1>bad \u{1b}[2J gateway</h1>")]).await;
    let error = bench.refused().await;
    assert_eq!(error.to_string(), "HTTP status 502 after 5 tries: <h1>bad \\u{1b}[2J gateway</h1>");
    assert_eq!(bench.waits().len(), 4);
}

#[tokio::test]
async fn retry_after_wins_in_seconds_and_as_a_date() {
    let limited = ResponseTemplate::new(429);
    let date = limited
        .clone()
        .insert_header("date", "Mon, 23 Nov 2026 05:00:00 GMT")
        .insert_header("retry-after", "Mon, 23 Nov 2026 05:00:42 GMT");
    let bench = Bench::answering(vec![limited.clone().insert_header("retry-after", "17"), date, good()]).await;
    assert_eq!(bench.post().await.expect("good").tries, 3);
    assert_eq!(bench.waits(), [Duration::from_secs(17), Duration::from_secs(42)]);
}

#[tokio::test]
async fn a_wait_beyond_the_budget_is_not_begun() {
    let limited = ResponseTemplate::new(429).insert_header("retry-after", "3600");
    let bench = Bench::answering(vec![limited]).await;
    let error = bench.refused().await;
    assert_eq!(
        error.to_string(),
        "HTTP status 429: the server asks to wait 3600 s, which is longer than is left of the budget"
    );
    assert!(bench.waits().is_empty());
}

#[tokio::test]
async fn other_refusals_are_not_tried_again() {
    let echo = ResponseTemplate::new(401).set_body_string("no such key: NRAK-canary");
    let bench = Bench::answering(vec![echo]).await;
    assert_eq!(bench.refused().await.to_string(), "HTTP status 401 after 1 try: no such key: [secret]");
}

#[tokio::test]
async fn no_half_of_a_key_stays_wherever_it_stands() {
    // Blanks count as one; signs are cut after the first hundred.
    for (before, sign) in (4_080..4_100).map(|count| (count, " ")).chain((80..110).map(|count| (count, "x"))) {
        let echo = format!("{}NRAK-canary no such key", sign.repeat(before));
        let bench = Bench::answering(vec![ResponseTemplate::new(401).set_body_string(echo)]).await;
        let text = bench.refused().await.to_string();
        assert!(!text.contains("NRA") && !text.contains("canary"), "{text}");
    }
}

#[tokio::test]
async fn a_page_of_a_proxy_is_told_by_its_first_words() {
    let page = format!("<html>\n <title>Log in</title>{}</html>", "x".repeat(200));
    let bench = Bench::answering(vec![ResponseTemplate::new(200).set_body_string(page)]).await;
    let text = bench.refused().await.to_string();
    assert!(text.starts_with("the answer is not JSON; it begins with: <html> <title>Log in</title>xxx"), "{text}");
    assert!(text.ends_with('…'));
}

#[tokio::test]
async fn redirects_are_not_followed_with_the_key() {
    let away = ResponseTemplate::new(307).insert_header("location", "https://user:pw@evil.example/x");
    let bench = Bench::answering(vec![away]).await;
    let error = bench.refused().await;
    assert_eq!(error.to_string(), "HTTP status 307 sends on to `evil.example`, and the key does not go there");
}

#[tokio::test]
async fn an_answer_cut_off_is_tried_again_and_never_taken() {
    let half = ResponseTemplate::new(200).set_body_string("{\"data\":{\"rows\":[1,2,");
    let bench = Bench::answering(vec![half.clone(), good()]).await;
    assert_eq!(bench.post().await.expect("good").tries, 2);
    let bench = Bench::answering(vec![half]).await;
    assert_eq!(bench.refused().await.to_string(), "the answer stops in the middle, at byte 21, after 5 tries");
}

#[tokio::test]
async fn a_large_answer_is_refused() {
    let mut bench = Bench::answering(vec![ResponseTemplate::new(200).set_body_string("[1,1,1,1,1,1,1,1,1,1]")]).await;
    bench.limits.largest_by = 10;
    assert_eq!(bench.refused().await.to_string(), "the answer is larger than 10 bytes");
}

#[tokio::test]
async fn silence_is_a_time_out() {
    let slow = good().set_delay(Duration::from_secs(20));
    let mut bench = Bench::answering(vec![slow]).await;
    bench.limits.one_try = Duration::from_millis(50);
    assert_eq!(bench.refused().await.to_string(), "no answer in time after 5 tries");
}

#[tokio::test]
async fn nobody_there_is_told_without_the_address() {
    let bench = Bench::answering(vec![good()]).await;
    let http = Http::new(bench.limits.clone(), bench.noted.clone()).expect("client");
    // Port 1 of this machine: nobody listens there.
    let outcome = http.post_json("http://u:secret@127.0.0.1:1/x", &[], &json!({}), &|_| false).await;
    let error = outcome.expect_err("nobody there");
    assert_eq!(error.to_string(), "no connection after 5 tries");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn a_refusal_inside_an_answer_is_tried_again_and_then_handed_over() {
    let refusal = ResponseTemplate::new(200).set_body_json(json!({"again": true}));
    let bench = Bench::answering(vec![refusal.clone(), good()]).await;
    assert_eq!(bench.post().await.expect("good").json["ok"], 1);
    let bench = Bench::answering(vec![refusal]).await;
    let answer = bench.post().await.expect("handed over");
    assert_eq!((answer.tries, &answer.json["again"]), (5, &json!(true)));
}
