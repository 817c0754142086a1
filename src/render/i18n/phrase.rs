//! A text in every language of the page, with the little markup that sentences need.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::config::Language;
use crate::render::escape;

/// A run of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Run {
    /// Running text.
    Plain(String),
    /// The run that carries the sentence.
    Strong(String),
    /// A name from outside, set in the code face.
    Code(String),
    /// The number of a deploy group, set as its flag and linked to its row.
    Flag(usize),
}

/// A text in every language of the page.
///
/// Displays as HTML, escaped: one run where the languages agree, else one `<span lang>` a language, of
/// which the style sheet shows the chosen one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Phrase {
    texts: Vec<(Language, Vec<Run>)>,
}

impl Phrase {
    /// Makes a phrase from its texts, in the order of the page's languages.
    pub fn new(texts: Vec<(Language, Vec<Run>)>) -> Self {
        Self { texts }
    }

    /// Returns the runs in a language; none if the page does not speak it.
    pub fn pieces(&self, language: Language) -> &[Run] {
        self.texts.iter().find(|(own, _)| *own == language).map_or(&[], |(_, pieces)| pieces)
    }

    /// Returns whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.texts.iter().all(|(_, pieces)| pieces.is_empty())
    }

    /// Returns the phrase as it may stand inside of a link.
    pub fn flat(&self) -> Flat<'_> {
        Flat(self)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, links: bool) -> fmt::Result {
        let Some(((_, first), rest)) = self.texts.split_first() else {
            return Ok(());
        };
        if rest.iter().all(|(_, pieces)| pieces == first) {
            return write_pieces(f, first, links);
        }
        for (language, pieces) in &self.texts {
            write!(f, "<span lang=\"{}\">", tag(*language))?;
            write_pieces(f, pieces, links)?;
            f.write_str("</span>")?;
        }
        Ok(())
    }

    /// Returns the text in a language without markup, for titles.
    pub fn bare(&self, language: Language) -> String {
        let mut text = String::new();
        for piece in self.pieces(language) {
            match piece {
                Run::Plain(run) | Run::Strong(run) | Run::Code(run) => text.push_str(run),
                Run::Flag(number) => text.push_str(&format!("#{number}")),
            }
        }
        text
    }

    /// Returns the text in a language as Markdown, escaped.
    pub fn markdown(&self, language: Language) -> String {
        let mut text = String::new();
        for piece in self.pieces(language) {
            match piece {
                Run::Plain(run) => text.push_str(&escape::markdown(run)),
                Run::Strong(run) => text.push_str(&format!("**{}**", escape::markdown(run))),
                Run::Code(run) => text.push_str(&escape::markdown_code(run)),
                Run::Flag(number) => text.push_str(&format!("[{number}]")),
            }
        }
        text
    }
}

impl fmt::Display for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, true)
    }
}

impl HtmlSafe for Phrase {}

/// A phrase inside of a link, where its flags must not be links themselves.
pub(crate) struct Flat<'a>(&'a Phrase);

impl fmt::Display for Flat<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, false)
    }
}

impl HtmlSafe for Flat<'_> {}

/// Returns the language tag of HTML.
pub(crate) fn tag(language: Language) -> &'static str {
    match language {
        Language::En => "en",
        Language::Ja => "ja",
    }
}

fn write_pieces(f: &mut fmt::Formatter<'_>, pieces: &[Run], links: bool) -> fmt::Result {
    for piece in pieces {
        match piece {
            Run::Plain(run) => escape::write_html(f, run)?,
            Run::Strong(run) => {
                f.write_str("<b>")?;
                escape::write_html(f, run)?;
                f.write_str("</b>")?;
            }
            Run::Code(run) => {
                f.write_str("<code>")?;
                escape::write_html(f, run)?;
                f.write_str("</code>")?;
            }
            Run::Flag(number) if !links => write!(f, "<span class=\"flag\">{number}</span>")?,
            Run::Flag(number) => write!(f, "<a class=\"flag\" href=\"#deploy-{number}\">{number}</a>")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreeing_languages_are_written_once() {
        let same = vec![Run::Plain("+25%".into())];
        let phrase = Phrase::new(vec![(Language::En, same.clone()), (Language::Ja, same)]);
        assert_eq!(phrase.to_string(), "+25%");
    }

    #[test]
    fn names_are_escaped_in_every_form() {
        let name = Run::Code("<b>`x`|</b>".into());
        let phrase = Phrase::new(vec![(Language::En, vec![name])]);
        assert_eq!(phrase.to_string(), "<code>&lt;b&gt;`x`|&lt;/b&gt;</code>");
        assert!(!phrase.markdown(Language::En).contains("<b>`x`|"));
    }
}
