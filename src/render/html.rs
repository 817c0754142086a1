//! The page: one file, no script, nothing fetched, both languages in it.
//!
//! The style sheet is in the page, and the page's policy names its hash, so that nothing else can be
//! applied, run or loaded even if a name from outside slipped through the escaping.

use std::sync::LazyLock;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::ReportError;
use super::i18n::{Arg, Localized, Phrase};
use super::view::Page;
use super::view::parts::Block;
use crate::config::Language;
use crate::review::archive::tag;

const STYLE: &str = include_str!("../../templates/style.css");

/// The style sheet as it is in the page: comments and line ends cost every reader bytes.
static COMPACT_STYLE: LazyLock<String> = LazyLock::new(|| compact(STYLE));

static INDEX_STYLE: LazyLock<String> =
    LazyLock::new(|| compact(&format!("{STYLE}{}", include_str!("../../templates/index.css"))));

#[derive(Template)]
#[template(path = "page.html")]
struct PageTemplate<'a> {
    page: &'a Page,
    lang: &'static str,
    title: String,
    policy: String,
    style: &'a str,
}

impl PageTemplate<'_> {
    fn tag(&self, language: &Language) -> &'static str {
        tag(*language)
    }

    fn own_name(&self, language: &Language) -> &'static str {
        own_name(*language)
    }

    fn bare(&self, key: &str) -> String {
        self.page.label(key).bare(self.page.first())
    }

    fn author(&self, name: &str) -> Phrase {
        self.page.words.message("findings.by", &[("author", Arg::Plain(Localized::same(name)))])
    }
}

/// Returns the name of a language in that language.
pub(super) fn own_name(language: Language) -> &'static str {
    match language {
        Language::En => "English",
        Language::Ja => "日本語",
    }
}

/// Returns the style sheet of the pages around the reports: that of the report with a few rules more.
pub(super) fn index_style() -> &'static str {
    INDEX_STYLE.as_str()
}

/// Lays the report out as one HTML file.
///
/// # Errors
/// [`ReportError::Template`] if the layout cannot be written, which only memory could cause.
pub fn render(page: &Page) -> Result<String, ReportError> {
    let style = COMPACT_STYLE.as_str();
    let name = page.label("page.title").bare(page.first());
    let period = page.head.period.bare(page.first());
    let title = match page.head.team.as_str() {
        "" => format!("{name} · {period}"),
        team => format!("{team} · {name} · {period}"),
    };
    let template = PageTemplate { page, lang: tag(page.first()), title, policy: policy(style), style };
    let html = template.render()?;
    Ok(html)
}

/// Returns the page's policy: this one style sheet, images within the page, nothing else.
pub(super) fn policy(style: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(style.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'")
}

/// Drops comments, indentation and line ends. The style sheet has no strings that hold comments.
fn compact(style: &str) -> String {
    let mut text = String::with_capacity(style.len());
    let mut rest = style;
    while let Some((before, after)) = rest.split_once("/*") {
        text.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, tail)| tail);
    }
    text.push_str(rest);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
