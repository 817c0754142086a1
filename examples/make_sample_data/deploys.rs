//! Deploys and other events of the four weeks, as the delivery pipeline would have recorded them.
//!
//! Deploys go out on workdays between 10:00 and 19:00 in Tokyo, but for one late fix. A deploy that carries
//! a story stands five hours or more from its service's others; the rest changed nothing.

use serde::Serialize;

use crate::fleet::{FLEET, MINUTE, jst};
use crate::noise::Noise;

/// One line of `deploys.jsonl`.
#[derive(Serialize)]
pub struct Event {
    /// Service and number of the pull request, or the ticket.
    pub id: String,
    /// The service; `*` means all of them.
    pub service: &'static str,
    /// When it began, RFC 3339 with Tokyo's offset.
    pub at: String,
    /// When it was over.
    pub until: String,
    /// Commit; empty for what is no deploy.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// What it was about.
    pub title: &'static str,
    /// Where to read more.
    pub url: String,
    /// The team.
    pub author: &'static str,
    /// Kind of event.
    pub kind: &'static str,
    /// `at`, UTC milliseconds.
    #[serde(skip)]
    pub start: i64,
}

/// Deploys as `(service, pull request, start, title)`.
const DEPLOYS: &[(&str, u32, i64, &str)] = &[
    // Before the period.
    ("web-bff", 2291, jst(10, 27, 11, 0), "Move the campaign banner under the balance"),
    ("card-api", 1803, jst(10, 27, 15, 40), "Validate the merchant category on the way in"),
    ("user-api", 941, jst(10, 28, 10, 30), "ログに出す項目を絞る"),
    ("notification", 402, jst(10, 28, 16, 15), "Add a template for refunds"),
    ("web-bff", 2296, jst(10, 29, 14, 10), "Update the design tokens"),
    ("user-api", 944, jst(10, 30, 13, 20), "Rename the session metrics"),
    ("card-api", 1809, jst(10, 30, 17, 5), "Return the card's expiry month"),
    ("web-bff", 2303, jst(11, 2, 10, 45), "カード停止画面の文言を変更"),
    ("user-api", 948, jst(11, 4, 11, 15), "Drop the unused nickname column"),
    ("notification", 405, jst(11, 4, 15, 0), "Count bounced mails"),
    ("card-api", 1817, jst(11, 5, 10, 50), "Bump the TLS library"),
    ("web-bff", 2310, jst(11, 5, 16, 30), "Compress the home screen's answer"),
    ("user-api", 952, jst(11, 6, 11, 40), "Log out every device after a change of address"),
    ("card-api", 1821, jst(11, 6, 15, 25), "Split the limit check into its own module"),
    // The period, first week.
    ("user-api", 955, jst(11, 9, 11, 45), "Read the feature switches at start"),
    ("web-bff", 2318, jst(11, 9, 13, 30), "Show the due date on the home screen"),
    ("card-api", 1826, jst(11, 9, 15, 10), "Reject amounts with fractions of a yen"),
    ("web-bff", 2321, jst(11, 10, 10, 10), "Add a dark theme to the card list"),
    ("web-bff", 2322, jst(11, 10, 10, 22), "Fix the colour of the dark theme's links"),
    ("card-api", 1830, jst(11, 10, 11, 20), "Show merchant logos in the list of transactions"),
    ("notification", 411, jst(11, 10, 13, 20), "Retry pushes after a timeout of the gateway"),
    ("user-api", 958, jst(11, 10, 17, 20), "本人確認の状態を返す"),
    ("user-api", 961, jst(11, 11, 10, 50), "Ask for balance and pending payments side by side"),
    ("web-bff", 2327, jst(11, 11, 16, 0), "Sort cards by last use"),
    ("card-api", 1834, jst(11, 12, 10, 40), "Name the acquirer in refusals"),
    ("web-bff", 2330, jst(11, 12, 11, 30), "Show points on the home screen"),
    ("user-api", 964, jst(11, 12, 15, 30), "Tidy the session module"),
    ("notification", 414, jst(11, 13, 10, 15), "Add the sender's name to mails"),
    ("card-api", 1837, jst(11, 13, 14, 5), "Load merchant logos with one request"),
    ("user-api", 967, jst(11, 13, 16, 10), "Validate postal codes"),
    // Second week.
    ("card-api", 1839, jst(11, 16, 10, 30), "Add the tax id to receipts"),
    ("notification", 418, jst(11, 16, 11, 5), "Send pushes through the new gateway"),
    ("user-api", 970, jst(11, 16, 13, 15), "Update the time zone data"),
    ("web-bff", 2338, jst(11, 16, 15, 20), "プッシュ許可の案内を追加"),
    ("user-api", 973, jst(11, 17, 10, 20), "Return the language of the user"),
    ("web-bff", 2341, jst(11, 17, 11, 10), "Build statements with the partner's exchange rates"),
    ("card-api", 1840, jst(11, 17, 16, 40), "Remove the old fraud score"),
    ("web-bff", 2346, jst(11, 18, 13, 0), "Refresh the session before it ends"),
    ("card-api", 1842, jst(11, 18, 14, 32), "Lock the card's row while its limit is checked"),
    ("notification", 421, jst(11, 18, 16, 30), "Shorten the subject lines"),
    ("web-bff", 2348, jst(11, 18, 18, 10), "Fix a typo on the lock screen"),
    ("user-api", 976, jst(11, 19, 11, 0), "Count refused sessions"),
    ("web-bff", 2351, jst(11, 19, 14, 40), "Update the framework's patch version"),
    ("card-api", 1845, jst(11, 19, 17, 5), "Write the audit log in batches"),
    ("web-bff", 2353, jst(11, 20, 10, 35), "Show the opening hours of support"),
    ("card-api", 1847, jst(11, 20, 11, 15), "取引種別の表示名を追加"),
    ("user-api", 979, jst(11, 20, 15, 45), "Move the terms of use to a table"),
    // On a Sunday evening, three hours before the period ends: too fresh to be judged.
    ("notification", 424, jst(11, 22, 21, 0), "Hotfix: do not send the same push twice"),
];

/// Everything else as `(id, kind, service, start, end, title, author)`.
#[rustfmt::skip]
const OTHERS: &[(&str, &str, &str, i64, i64, &str, &str)] = &[
    ("CHG-118", "middleware", "card-api", jst(11, 12, 3, 10), jst(11, 12, 3, 25), "cards-1: minor version update of the database engine", "sre"),
    ("EVT-31", "campaign", "*", CAMPAIGN_DAYS[0].0, CAMPAIGN_DAYS[0].1, "Double points weekend, Saturday", "marketing"),
    ("EVT-32", "campaign", "*", CAMPAIGN_DAYS[1].0, CAMPAIGN_DAYS[1].1, "Double points weekend, Sunday", "marketing"),
    ("INC-27", "incident", "card-api", INCIDENT.0, INCIDENT.1, "Failover of the card database", "sre"),
    ("DRILL-9", "drill", "notification", DRILL.0, DRILL.1, "Practised loss of one availability zone", "sre"),
];

/// Hours with 2.2 times the traffic.
pub const CAMPAIGN_DAYS: [(i64, i64); 2] =
    [(jst(11, 14, 10, 0), jst(11, 14, 15, 0)), (jst(11, 15, 12, 0), jst(11, 15, 17, 0))];
/// The failover of the card database, 70 minutes.
pub const INCIDENT: (i64, i64) = (jst(11, 16, 20, 40), jst(11, 16, 21, 50));
/// The drill of the notification service.
pub const DRILL: (i64, i64) = (jst(11, 20, 14, 0), jst(11, 20, 14, 40));

/// Returns every event, by time.
pub fn events() -> Vec<Event> {
    let deploys = DEPLOYS.iter().map(|&(service, number, start, title)| {
        let id = format!("{service}-{number}");
        let mut noise = Noise::new(&id);
        // A rolling update replaces the tasks within some minutes.
        let end = start + (4 + (noise.bits() % 5) as i64) * MINUTE;
        let revision = format!("{:016x}{:016x}{:08x}", noise.bits(), noise.bits(), noise.bits() as u32);
        let url = format!("https://git.example.com/kumo-card/{service}/pull/{number}");
        let author = FLEET.iter().find(|known| known.name == service).map_or("", |known| known.owner);
        event(id, "deploy", service, (start, end), title, revision, url, author)
    });
    let others = OTHERS.iter().map(|&(id, kind, service, start, end, title, author)| {
        let url = format!("https://wiki.example.com/ops/{id}");
        event(id.to_owned(), kind, service, (start, end), title, String::new(), url, author)
    });
    let mut all: Vec<Event> = deploys.chain(others).collect();
    all.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
    all
}

#[expect(clippy::too_many_arguments, reason = "one argument a field; the only caller is above")]
fn event(
    id: String,
    kind: &'static str,
    service: &'static str,
    (start, end): (i64, i64),
    title: &'static str,
    revision: String,
    url: String,
    author: &'static str,
) -> Event {
    let text = |at| fortnight::model::time::rfc3339(at, chrono_tz::Asia::Tokyo);
    Event { id, service, at: text(start), until: text(end), revision, title, url, author, kind, start }
}
