//! What became of one deploy, for the terminal: who deployed what, every check worth a line, and what to do next.
//!
//! Counts, words and numbers are those of the page. A line is never wider than the terminal.

use chrono_tz::Tz;

use super::change::{self, Readable};
use super::columns::{columns, wrap};
use super::details::fact_words;
use super::i18n::{Arg, Phrase, Translator};
pub use super::message::short_revision;
use super::message::{Messages, glyph, revision};
use super::table::Chip;
use super::terminal::{Style, ascii, paint, plain, shorten};
use super::{calendar, number};
use crate::config::Language;
use crate::model::time::Window;
use crate::model::verdict::Verdict;
use crate::review::explanation::Fact;
use crate::review::{Comparison, Deploy, OneDeploy};

/// Checks that rule harm out, and checks without a result, are listed up to so many of each kind.
const SHOWN: usize = 5;

/// Columns of the labels of the first lines.
const LABEL: usize = 10;

/// Columns that a name keeps, however narrow the terminal is.
const LEAST_NAME: usize = 16;

/// How the text is written.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The language.
    pub language: Language,
    /// The time zone of dates.
    pub zone: Tz,
    /// Colours and signs.
    pub style: Style,
    /// Columns of a line at the most.
    pub width: usize,
    /// Print the number that the deploy has on the page.
    pub numbered: bool,
    /// List every check.
    pub all: bool,
}

/// Writes the whole answer. `next`: the command that explains the first finding.
pub fn render(one: &OneDeploy<'_>, next: Option<&str>, look: Look) -> String {
    let writer = Writer::new(one, look);
    let mut lines = writer.head();
    lines.push(String::new());
    lines.extend(writer.answer());
    let rows = writer.rows();
    if !rows.is_empty() {
        lines.push(String::new());
        lines.extend(rows);
    }
    let tail: Vec<String> = writer.cost().into_iter().chain(writer.hints()).chain(writer.next(next)).collect();
    if !tail.is_empty() {
        lines.push(String::new());
        lines.extend(tail);
    }
    lines.join("\n") + "\n"
}

/// Writes the answer in one line.
pub fn line(one: &OneDeploy<'_>, look: Look) -> String {
    let writer = Writer::new(one, look);
    let mut text = writer.name();
    let separator = if look.language == Language::Ja { "：" } else { ": " };
    text.push_str(separator);
    text.push_str(&writer.verdict());
    if let Some(first) = one.comparisons.first().filter(|first| first.verdict < Verdict::NoMaterialChange) {
        let row = writer.row(first);
        text.push_str(&format!(" {} {} {} {}", row.name, row.signal, row.levels, row.change));
    }
    text.trim_end().to_owned() + "\n"
}

struct Writer<'a> {
    one: &'a OneDeploy<'a>,
    messages: Messages,
    look: Look,
}

/// One check.
struct Row {
    class: &'static str,
    label: String,
    name: String,
    signal: String,
    levels: String,
    change: String,
    note: String,
}

impl<'a> Writer<'a> {
    fn new(one: &'a OneDeploy<'a>, look: Look) -> Self {
        let messages = Messages { words: Translator::new(&[look.language]), zone: look.zone };
        Self { one, messages, look }
    }

    /// Returns a phrase as this terminal shows it.
    fn text(&self, phrase: &Phrase) -> String {
        self.shown(&plain(&phrase.bare(self.look.language)))
    }

    fn shown(&self, text: &str) -> String {
        if self.look.style.signs { text.to_owned() } else { ascii(text) }
    }

    fn label(&self, key: &str) -> String {
        self.text(&self.messages.label(key))
    }

    fn message(&self, key: &str, args: &[(&str, Arg)]) -> String {
        self.text(&self.messages.message(key, args))
    }

    /// Cuts a text to so many columns.
    fn cut(&self, text: &str, width: usize) -> String {
        shorten(text, width, self.look.style)
    }

    /// Names the deploy: `card-api  #7 4f2c9e1 "Add limit check"`.
    fn name(&self) -> String {
        let services: Vec<String> = self.one.groups.iter().map(|group| plain(&group.service)).collect();
        let numbers = self.one.groups.iter().map(|group| format!("#{} ", group.number));
        let numbers: String = numbers.filter(|_| self.look.numbered).collect();
        let revision = self.one.deploy().map(revision).unwrap_or_default();
        let mut name = format!("{}  {numbers}{}", services.join(", "), plain(self.one.id));
        if !revision.is_empty() && revision != self.one.id {
            name.push_str(&format!(" {}", plain(&revision)));
        }
        name
    }

    fn head(&self) -> Vec<String> {
        let one = self.one;
        let mut name = self.name();
        let deploy = one.deploy();
        if let Some(title) = deploy.map(|deploy| plain(&deploy.title)).filter(|title| !title.is_empty()) {
            name.push_str(&format!("  \"{title}\""));
        }
        let mut lines = vec![self.cut(&name, self.look.width)];
        if let Some(deploy) = deploy {
            lines.extend(self.lines("one_deploy.deployed", &self.when(deploy)));
            let texts = [&deploy.author, &deploy.url].map(|text| plain(text));
            let known: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
            if !known.is_empty() {
                lines.extend(self.lines("one_deploy.by", &known.join("  ")));
            }
        }
        let others: Vec<String> =
            one.deploys.iter().filter(|other| &*other.id != one.id).map(|o| plain(&o.id)).collect();
        if !others.is_empty() {
            let args = [("names", Arg::from(others.join(", ")))];
            lines.extend(self.lines("one_deploy.together", &self.message("one_deploy.group", &args)));
        }
        lines.extend(self.compared().into_iter().flat_map(|text| self.lines("one_deploy.compared", &text)));
        lines
    }

    /// Writes a label and its text beside it.
    fn lines(&self, label: &str, text: &str) -> Vec<String> {
        let label = self.label(label);
        let room = self.look.width.saturating_sub(LABEL);
        let begins = |index| if index == 0 { pad(&label, LABEL) } else { " ".repeat(LABEL) };
        let wrapped = wrap(&self.shown(text), room);
        wrapped.iter().enumerate().map(|(index, line)| format!("{}{line}", begins(index))).collect()
    }

    fn when(&self, deploy: &Deploy) -> String {
        let at = calendar::date_time(deploy.at.ms(), self.look.zone);
        let end = self.one.period.window().end;
        let data = number::span((end - deploy.at.ms()).max(0));
        self.message("one_deploy.deployed_at", &[("at", at.into()), ("span", data.into())])
    }

    /// Says which hours were compared, those of the check that had the most.
    fn compared(&self) -> Option<String> {
        let longest =
            self.one.comparisons.iter().map(|one| one.after_window.window()).max_by_key(|own| own.length())?;
        let spans = self.one.comparisons.iter().map(|one| one.before_window.window());
        let before = spans.max_by_key(|own| own.length()).unwrap_or(Window::new(0, 0));
        let is_any = longest.length() > 0 && before.length() > 0;
        let args = [
            ("after", Arg::from(calendar::span(longest, self.look.zone))),
            ("before", number::span(before.length()).into()),
        ];
        let key = if before.is_under_a_week() { "one_deploy.compared_with_day" } else { "one_deploy.compared_with" };
        is_any.then(|| self.message(key, &args))
    }

    /// Writes the verdict on the deploy as a whole.
    fn verdict(&self) -> String {
        let counts = &self.one.counts;
        let of = |verdict| counts.of(verdict);
        let with = |n: usize| [("n", Arg::from(n)), ("total", counts.total.into())];
        let ready = self.one.ready_at.map(|at| calendar::stamp(at.ms(), self.look.zone));
        if counts.total == 0 {
            return self.label("one_deploy.none");
        }
        if of(Verdict::Worse) > 0 {
            return self.message("one_deploy.worse", &with(of(Verdict::Worse)));
        }
        if of(Verdict::PossiblyWorse) > 0 {
            return self.message("one_deploy.possibly", &with(of(Verdict::PossiblyWorse)));
        }
        match ready {
            Some(at) if !self.one.is_judged => self.message("one_deploy.early", &[("at", at.into())]),
            _ if counts.no_data == counts.total => self.label("one_deploy.no_data"),
            _ if counts.ruled_out == 0 && !self.one.is_judged => self.label("one_deploy.unsettled"),
            _ if counts.ruled_out == 0 => self.message("one_deploy.nothing_ruled_out", &with(counts.total)),
            _ => self.message("one_deploy.ruled_out", &with(counts.ruled_out)),
        }
    }

    /// Writes the verdict, and the checks by what came of them.
    fn answer(&self) -> Vec<String> {
        let counts = &self.one.counts;
        let mut lines = wrap(&self.verdict(), self.look.width);
        let class = self.one.verdict.as_str();
        lines.iter_mut().for_each(|line| *line = paint(class, line, self.look.style));
        let parts: Vec<String> = Verdict::ALL
            .into_iter()
            .filter(|verdict| counts.of(*verdict) > 0)
            .map(|verdict| {
                let word = self.text(&self.messages.chip(verdict).word);
                let text = format!("{word} {}", number::whole(counts.of(verdict) as u64));
                if self.look.style.signs { format!("{} {text}", glyph(verdict)) } else { text }
            })
            .collect();
        let checks = self.message("one_deploy.checks", &[("n", counts.total.into())]);
        let parts = if self.look.style.signs { parts.join("  ") } else { parts.join(", ") };
        if counts.total > 0 {
            lines.extend(wrap(&format!("{checks}  {parts}"), self.look.width));
        }
        lines
    }

    /// Writes the checks: on one line each where all of them fit, else on two.
    fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        let mut left_out = 0;
        for part in [0, 1, 2] {
            let own: Vec<&Comparison> = self.one.comparisons.iter().copied().filter(|one| kind(one) == part).collect();
            let most = if self.look.all || part == 0 { own.len() } else { SHOWN };
            left_out += own.len().saturating_sub(most);
            rows.extend(own.into_iter().take(most).map(|one| self.row(one)));
        }
        let width = |get: &dyn Fn(&Row) -> &String| rows.iter().map(|row| columns(get(row))).max().unwrap_or(0);
        let label = width(&|row| &row.label);
        let [signal, levels, change, note] =
            [width(&|row| &row.signal), width(&|row| &row.levels), width(&|row| &row.change), width(&|row| &row.note)];
        let name = width(&|row| &row.name);
        let rest = label + signal + levels + change + note + 2 * 5;
        let is_short = rest + name.min(LEAST_NAME) <= self.look.width;
        let mut lines = Vec::new();
        for row in &rows {
            let own = paint(row.class, &pad(&row.label, label), self.look.style);
            if is_short {
                let most = name.min(self.look.width - rest);
                let cells = [
                    pad(&self.cut(&row.name, most), most),
                    pad(&row.signal, signal),
                    pad(&row.levels, levels),
                    pad(&row.change, change),
                    row.note.clone(),
                ];
                lines.push(format!("{own}  {}", cells.join("  ")).trim_end().to_owned());
            } else {
                let room = self.look.width.saturating_sub(label + 2);
                let left = room.saturating_sub(columns(&row.signal) + 2).max(LEAST_NAME);
                let first = format!("{}  {}", self.cut(&row.name, left), row.signal);
                lines.push(format!("{own}  {}", self.cut(&first, room)));
                let second = [&row.levels, &row.change, &row.note].map(String::as_str);
                let second: Vec<&str> = second.into_iter().filter(|text| !text.is_empty()).collect();
                let indent = " ".repeat(label + 2);
                lines.extend(wrap(&second.join("  "), room).iter().map(|line| format!("{indent}{line}")));
            }
        }
        if left_out > 0 {
            lines.push(self.message("one_deploy.more", &[("n", left_out.into())]));
        }
        lines
    }

    fn row(&self, comparison: &Comparison) -> Row {
        let is_burst = comparison.is_burst();
        let Chip { class, glyph: sign, .. } = self.messages.seen_chip(comparison);
        let word = if is_burst { "burst" } else { comparison.verdict.as_str() };
        let word = self.label(&format!("one_deploy.short.{word}"));
        let has_result = !matches!(comparison.verdict, Verdict::TooEarly | Verdict::NoData);
        let own = Readable::of(comparison).filter(|_| has_result);
        let change = match (own, change::seen_change(comparison)) {
            // The range is that of what was judged: of what is left without the burst, or without what explains it.
            (Some(_), Some(seen)) if comparison.seen().is_some() => seen,
            (Some(own), Some(seen)) => {
                let range = own.range();
                let range = self.text(&self.messages.localized(&range));
                if range == number::NONE { seen } else { format!("{seen} [{range}]") }
            }
            _ => String::new(),
        };
        let key = comparison.key();
        let name = match key.is_whole_service() {
            true => self.label("one_deploy.whole"),
            false => plain(&comparison.target),
        };
        Row {
            class,
            label: if self.look.style.signs { format!("{sign} {word}") } else { format!("[{word}]") },
            name,
            signal: self.text(&self.messages.signal(&comparison.signal)),
            levels: if has_result { self.shown(&change::seen_levels(comparison)) } else { String::new() },
            change: self.shown(&change),
            note: self.note(comparison, is_burst),
        }
    }

    /// Writes what the verdict rests on: the limit, what is ruled out, what could have been seen, or since when.
    fn note(&self, comparison: &Comparison, is_burst: bool) -> String {
        let limit = || [("limit", Arg::from(change::limit(comparison)))];
        let stamp = |at| Arg::from(calendar::stamp(at, self.look.zone));
        match (comparison.verdict, comparison.judged()) {
            _ if is_burst => comparison
                .until
                .map_or(String::new(), |until| self.message("one_deploy.until", &[("at", stamp(until.ms()))])),
            (Verdict::NoMaterialChange | Verdict::NotWorse, Some(_)) => self.message("one_deploy.excluded", &limit()),
            (Verdict::Inconclusive, judged) => {
                let seen = judged.and_then(|judged| Some(change::size_of(judged.detectable?, comparison)));
                match (comparison.reason, seen) {
                    (Some(reason), _) => self.label(&format!("one_deploy.reason.{}", reason.as_str())),
                    (None, Some(size)) => self.message("one_deploy.could_see", &[("size", size.into())]),
                    (None, None) => String::new(),
                }
            }
            (Verdict::TooEarly, _) => comparison
                .ready_at
                .map_or(String::new(), |at| self.message("one_deploy.from", &[("at", stamp(at.ms()))])),
            (Verdict::Explained, _) => comparison
                .explained_by
                .map_or(String::new(), |by| self.label(&format!("one_deploy.explained.{}", by.as_str()))),
            (Verdict::NoData, _) if let Some(reason) = comparison.reason => {
                self.label(&format!("one_deploy.reason.{}", reason.as_str()))
            }
            (Verdict::NoData, _) => comparison.coverage.map_or(String::new(), |share| {
                self.message("one_deploy.coverage", &[("share", number::share(share).into())])
            }),
            (_, Some(_)) => self.message("one_deploy.limit", &limit()),
            _ => String::new(),
        }
    }

    fn cost(&self) -> Vec<String> {
        let Some(cost) = self.one.cost_ms else { return Vec::new() };
        let args = [("waiting", Arg::from(number::waiting(cost / 1000.0)))];
        self.lines("one_deploy.cost", &self.message("one_deploy.cost_so_far", &args))
    }

    /// Writes what moved with the costliest finding.
    fn hints(&self) -> Vec<String> {
        let facts = self.one.findings.first().and_then(|finding| finding.explanation.as_deref());
        let facts = facts.map_or(&[] as &[Fact], |own| &own.facts);
        let line = |fact: &Fact| {
            let unit = crate::model::metric::Unit::parse(&fact.unit);
            let change = fact.change.zip(unit);
            let change =
                change.map(|(change, unit)| Readable::change(change, unit).at_level(fact.level_before(unit)).value());
            let [word, fit] = fact_words(fact);
            let args = [
                ("what", Arg::from(self.messages.label(word))),
                ("change", change.unwrap_or_default().into()),
                ("fit", self.messages.label(fit).into()),
            ];
            self.message("one_deploy.hint_line", &args)
        };
        let all: Vec<String> = facts.iter().map(line).collect();
        if all.is_empty() { Vec::new() } else { self.lines("one_deploy.hints", &all.join("  ")) }
    }

    /// Writes what to do next: explain the finding, read its runbook, ask its owner.
    fn next(&self, command: Option<&str>) -> Vec<String> {
        let first = self.one.findings.first();
        let texts =
            first.map_or([String::new(), String::new()], |first| [&first.owner, &first.runbook].map(|t| plain(t)));
        let [owner, runbook] = texts;
        [
            ("one_deploy.owner", owner),
            ("one_deploy.runbook", runbook),
            ("one_deploy.next", command.unwrap_or_default().into()),
        ]
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        // A command that is broken into lines cannot be pasted.
        .flat_map(|(key, text)| match key {
            "one_deploy.next" => vec![format!("{}{}", pad(&self.label(key), LABEL), text)],
            _ => self.lines(key, &text),
        })
        .collect()
    }
}

/// Returns which part of the list a check belongs to: what changed, what is open, what is ruled out.
fn kind(comparison: &Comparison) -> usize {
    match comparison.verdict {
        Verdict::Worse | Verdict::PossiblyWorse | Verdict::Better => 0,
        _ if comparison.is_burst() => 0,
        Verdict::Inconclusive | Verdict::TooEarly | Verdict::NoData => 1,
        Verdict::Explained | Verdict::NotWorse | Verdict::NoMaterialChange => 2,
    }
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::{Review, sample};

    fn texts(review: &Review, look: Look) -> Vec<String> {
        let ids: Vec<_> = review.deploys.iter().map(|deploy| deploy.id.clone()).collect();
        let one = |id: &str| OneDeploy::new(review, id, None).expect("there");
        ids.iter().map(|id| render(&one(id), Some("fortnight explain F-1"), look)).collect()
    }

    fn look(language: Language, width: usize) -> Look {
        Look {
            language,
            zone: chrono_tz::Asia::Tokyo,
            style: Style { colour: false, signs: true },
            width,
            numbered: true,
            all: true,
        }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let mut review = sample::rich(&[Language::En, Language::Ja]).review();
        let long = "GET /v1/とても/長い/名前/with/many/parts/and/more/and/more/and/more".to_owned();
        if let Some(first) = review.comparisons.first_mut() {
            first.target = long.into();
        }
        for language in [Language::En, Language::Ja] {
            for width in [60, 80, 100] {
                for text in texts(&review, look(language, width)) {
                    for line in text.lines() {
                        assert!(columns(line) <= width, "{width}: {line}");
                    }
                }
            }
        }
    }

    #[test]
    fn names_cannot_steer_the_terminal_and_signs_can_be_left_out() {
        let mut review = sample::rich(&[Language::En]).review();
        for deploy in &mut review.deploys {
            deploy.title = "\u{1b}[2J\u{202e}".to_owned();
        }
        let style = Style { colour: false, signs: false };
        for text in texts(&review, Look { style, ..look(Language::En, 80) }) {
            assert!(text.is_ascii() && !text.contains('\u{1b}'), "{text}");
        }
    }

    #[test]
    fn an_answer_without_a_result_never_reads_as_good_news() {
        let mut review = sample::rich(&[Language::En]).review();
        for verdict in [Verdict::Inconclusive, Verdict::TooEarly, Verdict::NoData] {
            review.comparisons.iter_mut().for_each(|one| one.verdict = verdict);
            review.findings.clear();
            for text in texts(&review, look(Language::En, 80)) {
                assert!(!text.contains("ruled out") && !text.contains("no change"), "{text}");
            }
        }
    }
}
