//! Escapes text for HTML and Markdown. Names are sanitised before.

use std::fmt;

/// Writes text into HTML, safe in content and in quoted attributes.
pub(crate) fn write_html(out: &mut dyn fmt::Write, text: &str) -> fmt::Result {
    for c in text.chars() {
        match c {
            '<' => out.write_str("&lt;")?,
            '>' => out.write_str("&gt;")?,
            '&' => out.write_str("&amp;")?,
            '"' => out.write_str("&quot;")?,
            '\'' => out.write_str("&#39;")?,
            c => out.write_char(c)?,
        }
    }
    Ok(())
}

/// Returns text as HTML.
pub(crate) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Writing into a string cannot fail.
    let _ = write_html(&mut out, text);
    out
}

/// Returns running text for Markdown: everything that could start markup is escaped.
pub(crate) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A mention in a chat or a wiki would call people.
            '@' => out.push_str("&#64;"),
            c => out.push(c),
        }
    }
    out
}

/// Returns a name as Markdown code. Bars would end a table's cell even inside code, so they are replaced
/// by a lookalike, and backticks by an apostrophe.
pub(crate) fn markdown_code(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| match c {
            '`' => '\'',
            '|' => '¦',
            c => c,
        })
        .collect();
    if plain.trim().is_empty() { String::new() } else { format!("`{plain}`") }
}

/// Returns an address for the angle-bracket form of a Markdown link.
pub(crate) fn markdown_href(url: &str) -> String {
    url.replace('<', "%3C").replace('>', "%3E").replace('|', "%7C").replace('\\', "%5C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_cannot_be_started_from_a_name() {
        assert_eq!(markdown("[x](y) | <b>"), "\\[x\\](y) \\| &lt;b&gt;");
        assert_eq!(markdown_code("a`b|c"), "`a'b¦c`");
    }
}
