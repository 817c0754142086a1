//! A page as a reader of one language sees it, line by line: small enough for a snapshot that people read.

/// Elements that begin a line of their own.
const BLOCKS: &str = "address article aside body caption dd details div dl dt figcaption figure footer h1 h2 h3 h4 header li main \
    nav ol p section summary tr ul";
/// Elements without an end.
const EMPTY: [&str; 6] = ["br", "hr", "img", "input", "link", "meta"];

/// Returns the text of a page in one language; a chart is its title and description.
pub fn text(html: &str, language: &str) -> String {
    let mut reader = Reader { language, lines: vec![String::new()], hidden: None, depth: 0, chart: None };
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        reader.words(&rest[..open]);
        let Some(close) = rest[open..].find('>') else { break };
        let tag = &rest[open + 1..open + close];
        rest = &rest[open + close + 1..];
        if let Some(raw) = ["style", "script"].into_iter().find(|raw| name(tag) == *raw) {
            rest = rest.split_once(&format!("</{raw}>")).map_or("", |(_, after)| after);
        } else {
            reader.tag(tag);
        }
    }
    let lines = reader.lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let lines: Vec<String> =
        lines.map(|line| line.trim_end_matches(" |").to_owned()).filter(|line| !line.is_empty()).collect();
    lines
        .join("\n")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

struct Reader<'a> {
    language: &'a str,
    lines: Vec<String>,
    /// The depth at which an element of another language began.
    hidden: Option<usize>,
    depth: usize,
    /// The depth at which a chart began, and whether its words are shown now.
    chart: Option<(usize, bool)>,
}

impl Reader<'_> {
    fn words(&mut self, words: &str) {
        if self.hidden.is_none() && self.chart.is_none_or(|(_, is_shown)| is_shown) {
            self.write(&words.replace('\n', " "));
        }
    }

    fn write(&mut self, words: &str) {
        self.lines.last_mut().expect("never empty").push_str(words);
    }

    fn tag(&mut self, tag: &str) {
        let is_end = tag.starts_with('/');
        let name = name(tag);
        if name.starts_with('!') || EMPTY.contains(&name) || tag.ends_with('/') {
            return;
        }
        if is_end {
            self.depth = self.depth.saturating_sub(1);
        }
        self.visible(name, is_end);
        if !is_end {
            let is_foreign = attribute(tag, "lang").is_some_and(|language| language != self.language);
            if is_foreign && name != "html" && self.hidden.is_none() {
                self.hidden = Some(self.depth);
            }
            if name == "svg" && self.chart.is_none() {
                self.chart = Some((self.depth, false));
            }
            self.depth += 1;
            return;
        }
        self.hidden = self.hidden.filter(|depth| *depth < self.depth);
        self.chart = self.chart.filter(|(depth, _)| *depth < self.depth);
    }

    /// Begins lines and cells, unless nothing is shown here.
    fn visible(&mut self, name: &str, is_end: bool) {
        if self.hidden.is_some() {
            return;
        }
        match (name, &mut self.chart) {
            ("title" | "desc", Some((depth, is_shown))) if self.depth == *depth + 1 => {
                *is_shown = !is_end;
                let before = if name == "title" { "[chart] " } else { " – " };
                if !is_end {
                    self.write(before);
                }
            }
            (_, Some(_)) => {}
            ("td" | "th", None) if is_end => self.write(" | "),
            ("h1" | "h2" | "h3" | "h4", None) if !is_end => {
                self.lines.push(format!("{} ", "#".repeat(usize::from(name.as_bytes()[1] - b'0'))))
            }
            ("b" | "label" | "span", None) if !is_end => self.write(" "),
            ("li", None) if !is_end => self.lines.push("- ".to_owned()),
            (name, None) if BLOCKS.split(' ').any(|block| block == name) => self.lines.push(String::new()),
            _ => {}
        }
    }
}

fn name(tag: &str) -> &str {
    let tag = tag.trim_start_matches('/');
    &tag[..tag.find(|letter: char| letter.is_whitespace() || letter == '/').unwrap_or(tag.len())]
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}
