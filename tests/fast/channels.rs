//! `fortnight publish` to channels: Slack by a bot and by a webhook, Teams, a program of one's own. Whatever a server does,
//! nothing is posted twice and nobody is told that something was posted that was not.

use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::publish::team;
use crate::support::program::{code, command, stderr, stdout, told};
use crate::support::servers::slack::{CHANNEL, Slack, TOKEN, Trouble};

const NOW: &str = "1795402800"; // 2026-11-23 in Tokyo

/// Runs with every secret in the environment.
async fn at(folder: &TempDir, url: &str, args: &[&str]) -> Output {
    let mut command = command(folder.path());
    command.args(args).env("SOURCE_DATE_EPOCH", NOW).env("SLACK_BOT_TOKEN", TOKEN);
    for name in ["SLACK_WEBHOOK_URL", "TEAMS_WEBHOOK_URL", "FORTNIGHT_WEBHOOK_URL"] {
        command.env(name, format!("{url}/hook?sig=canary-signature"));
    }
    command.env("FORTNIGHT_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let output = tokio::task::spawn_blocking(move || command.output().expect("runs")).await.expect("no panic");
    for text in [stdout(&output), stderr(&output)] {
        assert!(!text.contains("canary"), "a secret: {text}");
    }
    output
}

fn bot(url: &str, more: &str) -> TempDir {
    let site = "[[publish]]\nkind = \"folder\"\ndir = \"site\"\nurl = \"https://reports.example.com/p\"\n";
    let owners = "[[service]]\nname = \"api\"\nowner = \"core\"\n";
    team(&format!(
        "{owners}{site}[[publish]]\nkind = \"slack\"\nchannel = \"{CHANNEL}\"\nendpoint = \"{url}\"\nlanguage = \"ja\"\n\
         owners = {{ core = \"S0123456789\" }}\n{more}"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_posts_once_changes_its_message_and_replies_for_each_new_regression() {
    let slack = Slack::start().await;
    let url = slack.server.uri();
    let folder = bot(&url, "upload = true\n");
    let report = told(&at(&folder, &url, &["report", "--publish"]).await);
    assert!(report.ends_with(&format!("slack: posted to Slack channel {CHANNEL}\n")), "{report}");
    let messages = slack.messages();
    assert_eq!((messages.len(), slack.replies().len()), (1, 1));
    let text = messages[0]["blocks"].to_string();
    assert!(text.contains("悪化 1") && text.contains("<!subteam^S0123456789>") && text.contains("[新規]"), "{text}");
    assert!(text.contains("<https://reports.example.com/p/2026-11-09/report.html|レポートを開く>"), "{text}");
    assert!(text.contains("<https://git.example.com/pull/1|d-1>"), "{text}");
    assert_eq!(slack.uploads().len(), 1);
    slack.calls();

    let again = told(&at(&folder, &url, &["publish"]).await);
    assert!(again.contains("slack: is there already: "), "{again}");
    assert_eq!(slack.calls(), Vec::<String>::new());

    // Made again with other words: the same message is changed, and no second reply comes.
    let config = std::fs::read_to_string(folder.path().join("fortnight.toml")).expect("there");
    std::fs::write(folder.path().join("fortnight.toml"), format!("title = \"Another\"\n{config}")).expect("written");
    let changed = told(&at(&folder, &url, &["report", "--publish"]).await);
    assert!(changed.contains("slack: changed in "), "{changed}");
    assert_eq!((slack.messages().len(), slack.replies().len(), slack.uploads().len()), (1, 1, 1));
    assert!(slack.messages()[0]["text"].as_str().expect("text").starts_with("Another"));

    // Deleted by hand: it comes back when the report changes, with its replies.
    slack.clear();
    std::fs::write(folder.path().join("fortnight.toml"), format!("title = \"Third\"\n{config}")).expect("written");
    let posted = told(&at(&folder, &url, &["report", "--publish"]).await);
    assert!(posted.contains("slack: posted to "), "{posted}");
    assert_eq!((slack.messages().len(), slack.replies().len()), (1, 1));
    assert_eq!(slack.wrong(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_slack_does_there_is_one_message_in_the_end() {
    let post = "chat.postMessage";
    for (trouble, exit, words) in [
        (&[Trouble::Limited, Trouble::Limited][..], 0, ""),
        (&[Trouble::LostAnswer], 0, ""),
        (&[Trouble::Down], 1, "HTTP status 500"),
        (&[Trouble::Html], 1, "not JSON"),
        (&[Trouble::Says("internal_error")], 1, "internal_error"),
        (&[Trouble::Says("invalid_auth")], 1, "xoxb-"),
        (&[Trouble::Says("missing_scope")], 1, "the scope `chat:write`"),
        (&[Trouble::Says("is_archived")], 1, "archived"),
        (&[Trouble::Says("not_in_channel")], 1, "/invite"),
    ] {
        let slack = Slack::start().await;
        let url = slack.server.uri();
        let folder = bot(&url, "");
        told(&at(&folder, &url, &["report"]).await);
        slack.make(post, trouble);
        let output = at(&folder, &url, &["publish"]).await;
        assert_eq!(code(&output), exit, "{trouble:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{trouble:?}: {}", stderr(&output));
        assert_eq!(stdout(&output).contains("slack: posted"), exit == 0, "{trouble:?}");
        // The page is there all the same, and the next run goes on.
        assert!(folder.path().join("site/index.html").is_file());
        told(&at(&folder, &url, &["publish"]).await);
        assert_eq!((slack.messages().len(), slack.replies().len()), (1, 1), "{trouble:?}");
        assert_eq!(slack.wrong(), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_killed_after_posting_is_found_again() {
    let slack = Slack::start().await;
    let url = slack.server.uri();
    let folder = bot(&url, "");
    told(&at(&folder, &url, &["report", "--publish"]).await);
    // What the log holds at each moment in between: a message, then a reply, whose answers never came.
    let log = folder.path().join("site/posts.json");
    let whole: Value = serde_json::from_slice(&std::fs::read(&log).expect("there")).expect("JSON");
    let mut open = whole.clone();
    open["posts"][0]["message"] = json!({"is_open": true});
    open["posts"][0]["replies"] = json!({});
    std::fs::write(&log, open.to_string()).expect("written");
    told(&at(&folder, &url, &["publish"]).await);
    assert_eq!(slack.messages().len(), 1);
    let mut open = whole.clone();
    for reply in open["posts"][0]["replies"].as_object_mut().expect("replies").values_mut() {
        *reply = json!({"is_open": true});
    }
    std::fs::write(&log, open.to_string()).expect("written");
    let before = slack.replies().len();
    told(&at(&folder, &url, &["publish"]).await);
    assert_eq!(slack.replies().len(), before);
    // A log that cannot be read stops everything: nobody knows what was posted.
    std::fs::write(&log, "{").expect("written");
    let output = at(&folder, &url, &["publish"]).await;
    assert!(code(&output) == 1 && stderr(&output).contains("posts.json"), "{}", stderr(&output));
    assert_eq!(slack.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_posted_that_links_to_a_report_that_is_not_there() {
    let slack = Slack::start().await;
    let url = slack.server.uri();
    let folder = bot(&url, "");
    told(&at(&folder, &url, &["report"]).await);
    std::fs::write(folder.path().join("site"), "a file in the way").expect("written");
    let output = at(&folder, &url, &["publish"]).await;
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("nothing was posted"), "{}", stderr(&output));
    assert_eq!(slack.calls(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_prints_the_message_and_sends_nothing() {
    let slack = Slack::start().await;
    let url = slack.server.uri();
    let folder = bot(&url, "");
    told(&at(&folder, &url, &["report"]).await);
    let out = told(&at(&folder, &url, &["publish", "--only", "slack", "--dry-run"]).await);
    let payload: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(payload["target"], "slack");
    assert!(payload["message"]["blocks"].as_array().is_some_and(|blocks| blocks.len() == 3), "{payload}");
    assert_eq!(slack.calls(), Vec::<String>::new());
    assert!(!folder.path().join("site").exists());
}

async fn hook(status: u16, text: &str) -> MockServer {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(status).set_body_string(text);
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

async fn count(server: &MockServer) -> usize {
    server.received_requests().await.expect("recorded").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_gets_each_report_once() {
    for kind in ["slack", "teams", "webhook"] {
        let server = hook(200, "ok").await;
        let folder = team(&format!("[[publish]]\nkind = \"{kind}\"\n"));
        told(&at(&folder, &server.uri(), &["report", "--publish"]).await);
        told(&at(&folder, &server.uri(), &["publish"]).await);
        assert_eq!(count(&server).await, 1, "{kind}");
        // The store that the log lies in is still a store.
        told(&at(&folder, &server.uri(), &["marker", "list"]).await);
        told(&at(&folder, &server.uri(), &["publish", "--again"]).await);
        assert_eq!(count(&server).await, 2, "{kind}");
        let body: Value = server.received_requests().await.expect("recorded")[0].body_json().expect("JSON");
        let marker = match kind {
            "slack" => body["blocks"][0]["type"] == "section",
            "teams" => body.pointer("/attachments/0/content/type") == Some(&json!("AdaptiveCard")),
            _ => body["schema"] == "fortnight.notice/1" && body["findings"][0]["is_new"] == true,
        };
        assert!(marker, "{kind}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_may_have_posted_is_not_used_again_unasked() {
    for kind in ["slack", "teams"] {
        let server = hook(500, "trouble canary-signature").await;
        let folder = team(&format!("[[publish]]\nkind = \"{kind}\"\n"));
        told(&at(&folder, &server.uri(), &["report"]).await);
        assert_eq!(code(&at(&folder, &server.uri(), &["publish"]).await), 1);
        let output = at(&folder, &server.uri(), &["publish"]).await;
        assert_eq!(code(&output), 1);
        assert!(
            stderr(&output).contains("it is not known") && stderr(&output).contains("--again"),
            "{}",
            stderr(&output)
        );
        assert_eq!(count(&server).await, 1, "{kind}");
    }
    // A program of one's own knows the id of a message, so it is sent again, with the same id.
    let server = hook(500, "trouble").await;
    let folder = team("[[publish]]\nkind = \"webhook\"\nsecret_env = \"FORTNIGHT_WEBHOOK_SECRET\"\n");
    told(&at(&folder, &server.uri(), &["report"]).await);
    for _ in 0..2 {
        assert_eq!(code(&at(&folder, &server.uri(), &["publish"]).await), 1);
    }
    let requests = server.received_requests().await.expect("recorded");
    let header = |index: usize, name: &str| {
        requests[index].headers.get(name).map(|value| value.to_str().expect("text").to_owned())
    };
    assert_eq!((requests.len(), header(0, "webhook-id")), (2, header(1, "webhook-id")));
    assert!(header(0, "webhook-signature").is_some_and(|value| value.starts_with("v1,")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_to_do_and_the_next_run_tries_again() {
    for (status, text, words) in [
        (403, "invalid_token canary-signature", "make a new one"),
        (404, "no_service", "is gone"),
        (410, "channel_is_archived", "archived"),
        (413, "", "too large"),
        (302, "", "sends on"),
    ] {
        let server = hook(status, text).await;
        let folder = team("[[publish]]\nkind = \"slack\"\n");
        told(&at(&folder, &server.uri(), &["report"]).await);
        let output = at(&folder, &server.uri(), &["publish"]).await;
        assert!(code(&output) == 1 && stderr(&output).contains(words), "{status}: {}", stderr(&output));
        if status != 302 {
            at(&folder, &server.uri(), &["publish"]).await;
            assert_eq!(count(&server).await, 2, "{status}");
        }
    }
    let folder = team("[[publish]]\nkind = \"slack\"\nurl_env = \"NOT_SET_ANYWHERE\"\n");
    told(&at(&folder, "http://127.0.0.1:1", &["report"]).await);
    let output = at(&folder, "http://127.0.0.1:1", &["publish"]).await;
    assert!(code(&output) == 1 && stderr(&output).contains("`NOT_SET_ANYWHERE` is not set"), "{}", stderr(&output));
}
