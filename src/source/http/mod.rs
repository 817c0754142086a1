//! What every source over HTTP shares: one client, retries inside a budget, a rate, bounds.
//!
//! # Rules
//! - Tried again: 429, 5xx, time-outs, connections that break, answers that stop in the middle, and answers of
//!   which the caller says so (a refusal inside a 200). Nothing else: another 4xx will not get better.
//! - Waits double and carry jitter; `Retry-After` (seconds or a date) wins over them. A wait that does not fit
//!   into the budget is not begun.
//! - A redirect is an error: following it would hand the key to another host.
//! - An answer is bounded in size, and what is not JSON is told by its first words, escaped.
//! - Errors hold neither headers nor addresses, and wherever a server's words are repeated the secrets that were
//!   sent are blotted out.
//!
//! Proxies come from the environment, certificates from the system (`SSL_CERT_FILE` is honoured there).

mod error;
mod rate_limiter;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::model::secret::Secret;
use crate::model::{sanitize, scrub};

pub use error::HttpError;
pub use rate_limiter::RateLimiter;

/// How patient, how fast and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Requests under way at once.
    pub at_once: usize,
    /// Requests begun in any minute.
    pub per_minute: usize,
    /// Tries of one request, the first included.
    pub tries: u32,
    /// Time for one request with all its tries and waits.
    pub budget: Duration,
    /// Time until a connection stands.
    pub connect: Duration,
    /// Time for one try.
    pub one_try: Duration,
    /// The first wait; each further one is twice as long, up to a minute.
    pub first_wait: Duration,
    /// Bytes of an answer at most, unpacked.
    pub largest_by: usize,
    /// Where the jitter starts; any number, so that tests can repeat it.
    pub seed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            at_once: 5,
            per_minute: 2_800,
            tries: 5,
            budget: Duration::from_secs(300),
            connect: Duration::from_secs(10),
            one_try: Duration::from_secs(150),
            first_wait: Duration::from_secs(1),
            largest_by: 64 << 20,
            seed: 0,
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);
/// The longest single wait that nobody asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How much of a server's words goes into a message.
const SHOWN: usize = 100;

/// Lets time pass; tests let it pass without waiting.
#[async_trait]
pub trait Sleep: Send + Sync {
    /// Returns after the time.
    async fn sleep(&self, wait: Duration);
}

/// Time as it passes.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealTime;

#[async_trait]
impl Sleep for RealTime {
    async fn sleep(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
}

/// An answer with status 2xx and JSON in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The body.
    pub json: Value,
    /// The server's clock by its `Date` header, UTC milliseconds, if it says.
    pub date_ms: Option<i64>,
    /// How often it was asked.
    pub tries: u32,
}

/// An answer of any status, for callers that must know whether what they sent has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body, with the secrets that were sent blotted out.
    pub text: String,
    /// How long the server asks to wait.
    pub after: Option<Duration>,
}

/// How one try ended badly: for good, or perhaps not.
enum Miss {
    Final(HttpError),
    Again { error: HttpError, after: Option<Duration> },
}

/// A client for one account.
pub struct Http {
    client: reqwest::Client,
    limits: Limits,
    sleep: Arc<dyn Sleep>,
    slots: Semaphore,
    rate_limiter: RateLimiter,
    random: AtomicU64,
    sent: AtomicU64,
    clock: AtomicI64,
}

impl Http {
    /// Makes a client.
    ///
    /// # Errors
    /// [`HttpError::Client`] when the system's certificates or the proxy of the environment cannot be used.
    pub fn new(limits: Limits, sleep: Arc<dyn Sleep>) -> Result<Self, HttpError> {
        // A second call finds the provider in place, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("fortnight/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(limits.connect)
            .timeout(limits.one_try)
            .build()
            .map_err(HttpError::Client)?;
        Ok(Self {
            client,
            slots: Semaphore::new(limits.at_once),
            rate_limiter: RateLimiter::new(limits.per_minute),
            random: AtomicU64::new(limits.seed),
            sent: AtomicU64::new(0),
            clock: AtomicI64::new(i64::MIN),
            limits,
            sleep,
        })
    }

    /// Returns how many requests went out so far, each try counted.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Returns the server's clock by the latest `Date` header, UTC milliseconds; `None` before there was one.
    pub fn clock_ms(&self) -> Option<i64> {
        Some(self.clock.load(Ordering::Relaxed)).filter(|at| *at != i64::MIN)
    }

    /// Lets time pass, for callers that poll.
    pub async fn sleep(&self, wait: Duration) {
        self.sleep.sleep(wait).await;
    }

    /// Sends JSON and takes JSON back.
    ///
    /// `secrets`: headers that nothing may show. `again`: tells of an answer that it is worth another try; when the
    /// tries are used up, such an answer is returned as it is, and the caller says what is wrong with it.
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn post_json(
        &self,
        url: &str,
        secrets: &[(&'static str, &Secret)],
        body: &Value,
        again: &(dyn Fn(&Value) -> bool + Send + Sync),
    ) -> Result<Answer, HttpError> {
        self.request_json(url, secrets, Some(body), again).await
    }

    /// Takes JSON without sending any.
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn get_json(&self, url: &str) -> Result<Answer, HttpError> {
        self.request_json(url, &[], None, &|_| false).await
    }

    /// Sends once and returns whatever answer there is. For what must not be done twice: nothing is tried again here.
    ///
    /// `secrets`: headers that nothing may show; an address that is one itself is given as the first of `hidden`.
    ///
    /// # Errors
    /// [`HttpError`] when there is no answer; then it is not known whether the server has what was sent.
    pub async fn send_once(
        &self,
        method: reqwest::Method,
        url: &str,
        secrets: &[(&'static str, &Secret)],
        hidden: &[(&'static str, &Secret)],
        body: Vec<u8>,
    ) -> Result<Reply, HttpError> {
        let _slot = self.slots.acquire().await;
        self.sent.fetch_add(1, Ordering::Relaxed);
        let error = |miss: Miss| match miss {
            Miss::Final(error) | Miss::Again { error, .. } => error,
        };
        let request = self.client.request(method, url).headers(headers(secrets)?).body(body);
        let mut response = request.send().await.map_err(|broke| error(broken(broke, 1)))?;
        let status = response.status().as_u16();
        let header = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
        let after = header(RETRY_AFTER).and_then(|value| retry_after(value, header(DATE)));
        if (300..400).contains(&status) {
            return Err(HttpError::Redirect { status, host: sent_on_to(response.headers()) });
        }
        let bytes = self.body(&mut response, 1).await.map_err(error)?;
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        for (_, secret) in secrets.iter().chain(hidden) {
            text = secret.blot(&text);
        }
        Ok(Reply { status, text, after })
    }

    async fn request_json(
        &self,
        url: &str,
        secrets: &[(&'static str, &Secret)],
        body: Option<&Value>,
        again: &(dyn Fn(&Value) -> bool + Send + Sync),
    ) -> Result<Answer, HttpError> {
        let headers = headers(secrets)?;
        // One request under way is one slot, its waits included: that is what a limit of requests means to the server.
        let _slot = self.slots.acquire().await;
        let mut spent = Duration::ZERO;
        let mut tries = 0;
        loop {
            tries += 1;
            self.rate_limiter.take(MINUTE, &*self.sleep).await;
            let began = Instant::now();
            let outcome = self.once(url, &headers, secrets, body, tries).await;
            spent += began.elapsed();
            let is_last = tries >= self.limits.tries;
            let left = self.limits.budget.saturating_sub(spent);
            let wait = match outcome {
                Err(Miss::Final(error)) => return Err(error),
                Err(Miss::Again { error, .. }) if is_last => return Err(error),
                Err(Miss::Again { error, after: Some(wait) }) if wait > left => {
                    return Err(HttpError::Wait { status: error.status().unwrap_or(0), seconds: wait.as_secs() });
                }
                Err(Miss::Again { after: Some(wait), .. }) => wait,
                Err(Miss::Again { error, after: None }) => match self.backoff(tries) {
                    wait if wait > left => return Err(error),
                    wait => wait,
                },
                Ok(answer) if is_last || !again(&answer.json) => return Ok(answer),
                Ok(answer) => match self.backoff(tries) {
                    wait if wait > left => return Ok(answer),
                    wait => wait,
                },
            };
            tracing::debug!(tries, wait_ms = wait.as_millis(), "asked again");
            spent += wait;
            self.sleep.sleep(wait).await;
        }
    }

    /// Tries once.
    async fn once(
        &self,
        url: &str,
        headers: &HeaderMap,
        secrets: &[(&'static str, &Secret)],
        body: Option<&Value>,
        tries: u32,
    ) -> Result<Answer, Miss> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let request = match body {
            Some(body) => self.client.post(url).json(body),
            None => self.client.get(url),
        };
        let sent = request.headers(headers.clone()).send().await;
        let mut response = sent.map_err(|error| broken(error, tries))?;
        let status = response.status().as_u16();
        let date = response.headers().get(DATE).and_then(|value| value.to_str().ok());
        let date_ms = date.and_then(http_date);
        self.clock.fetch_max(date_ms.unwrap_or(i64::MIN), Ordering::Relaxed);
        let text = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let after = text(RETRY_AFTER).and_then(|wait| retry_after(wait, text(DATE)));
        if (300..400).contains(&status) {
            let host = sent_on_to(response.headers());
            return Err(Miss::Final(HttpError::Redirect { status, host }));
        }
        let bytes = self.body(&mut response, tries).await?;
        if !(200..300).contains(&status) {
            let error = HttpError::Status { status, tries, words: excerpt(&bytes, secrets) };
            let is_passing = status == 429 || status >= 500;
            return Err(if is_passing { Miss::Again { error, after } } else { Miss::Final(error) });
        }
        match serde_json::from_slice(&bytes) {
            Ok(json) => Ok(Answer { json, date_ms, tries }),
            Err(error) if error.is_eof() && !bytes.trim_ascii().is_empty() => {
                Err(Miss::Again { error: HttpError::CutOff { at_by: bytes.len(), tries }, after: None })
            }
            Err(_) => Err(Miss::Final(HttpError::NotJson { words: excerpt(&bytes, secrets) })),
        }
    }

    /// Reads a body up to the bound.
    async fn body(&self, response: &mut reqwest::Response, tries: u32) -> Result<Vec<u8>, Miss> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| broken(error, tries))? {
            if bytes.len() + chunk.len() > self.limits.largest_by {
                return Err(Miss::Final(HttpError::TooLarge { limit_by: self.limits.largest_by }));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// Returns the wait after so many tries: doubled each time, from half of it to all of it by chance.
    fn backoff(&self, tries: u32) -> Duration {
        let doubled = self.limits.first_wait.saturating_mul(1 << tries.saturating_sub(1).min(10)).min(LONGEST_WAIT);
        // SplitMix64 (Steele, Lea, Flood 2014): jitter needs no better source.
        let mut state = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let share = ((state ^ (state >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        doubled.mul_f64(0.5 + share / 2.0)
    }
}

fn headers(secrets: &[(&'static str, &Secret)]) -> Result<HeaderMap, HttpError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, secret) in secrets {
        let mut value = HeaderValue::from_str(secret.reveal()).map_err(|_| HttpError::Header(name))?;
        // Whoever prints headers prints `Sensitive` instead.
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

/// Sorts an error of the client; the address, which may hold a name and password, is taken out of it.
fn broken(error: reqwest::Error, tries: u32) -> Miss {
    let is_built = error.is_builder();
    let is_late = error.is_timeout();
    let source = error.without_url();
    if is_built {
        return Miss::Final(HttpError::Client(source));
    }
    let error = if is_late { HttpError::TimedOut { tries } } else { HttpError::Broken { tries, source } };
    Miss::Again { error, after: None }
}

/// Reads `Retry-After`: seconds, or a date held against the server's own clock.
///
/// `value`: of the header. `date`: the `Date` header of the same answer.
pub(crate) fn retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let wait = http_date(value)?.checked_sub(http_date(date?)?)?;
    Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.timestamp_millis())
}

/// Returns the host of a redirect, without anything that may be secret in an address.
fn sent_on_to(headers: &HeaderMap) -> String {
    let host = headers
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| reqwest::Url::parse(text).ok())
        .and_then(|url| url.host_str().map(str::to_owned));
    host.map_or_else(|| "another address".to_owned(), |host| excerpt(host.as_bytes(), &[]))
}

/// Returns the beginning of an answer in one line, escaped, without the secrets that were sent.
pub(crate) fn excerpt(bytes: &[u8], secrets: &[(&'static str, &Secret)]) -> String {
    // The secret is looked for before anything is cut, so that no half of it stays.
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    for (_, secret) in secrets {
        text = secret.blot(&text);
    }
    let line = scrub::words(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    let shown: String = line.chars().take(SHOWN).collect();
    let shown = sanitize::escape(&shown);
    match (shown.is_empty(), line.chars().count() > SHOWN) {
        (true, _) => "nothing".to_owned(),
        (false, true) => format!("{shown}…"),
        (false, false) => shown,
    }
}
