//! The parts that a page is made of, ready to be laid out: nothing in here is computed any more.

use crate::render::chart::Svg;
use crate::render::details::Details;
use crate::render::i18n::Phrase;
use crate::render::table::{Chip, Table, Tile};

/// An address that may be linked, with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// `http` or `https`, or a place on this page (`#…`).
    pub href: String,
    /// The text.
    pub text: Phrase,
}

/// A chart with the sentence that it supports and its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Figure {
    /// The chart, if there is enough to draw.
    pub svg: Option<Svg>,
    /// Below the chart: names of the weekdays.
    pub weekdays: Vec<Phrase>,
    /// Lines and marks with their names: class of the style sheet, name.
    pub legend: Vec<(&'static str, Phrase)>,
    /// The sentence.
    pub caption: Phrase,
    /// The numbers.
    pub table: Option<Table>,
}

/// A part of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Block {
    /// A paragraph.
    Text(Phrase),
    /// A smaller heading.
    Heading(Phrase),
    /// A table.
    Table(Table),
    /// Small charts side by side: heading, quieter line, chart.
    Multiples(Vec<Multiple>),
    /// A table that is closed until it is wanted.
    Folded(Phrase, Table),
    /// Terms with their meanings.
    Glossary(Vec<(Phrase, Phrase)>),
}

/// One of several small charts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Multiple {
    /// What it shows.
    pub title: Phrase,
    /// A quieter line.
    pub note: Phrase,
    /// The chart.
    pub svg: Svg,
}

/// A section that is laid out from blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// Its place on the page.
    pub id: &'static str,
    /// Its heading.
    pub title: Phrase,
    /// Its parts.
    pub blocks: Vec<Block>,
}

/// The top of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// The team's name, cleaned; may be empty.
    pub team: String,
    /// The period with its zone.
    pub period: Phrase,
    /// Services, series, deploys.
    pub scope: Phrase,
    /// Whether everything arrived: class, words.
    pub badge: (&'static str, Phrase),
}

/// A finding in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopLine {
    /// Where its card is.
    pub href: String,
    /// Its verdict.
    pub chip: Chip,
    /// Its headline.
    pub text: Phrase,
    /// Its size.
    pub size: Phrase,
}

/// The answer: what everybody reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The sentence.
    pub sentence: Phrase,
    /// What is behind it.
    pub rest: Phrase,
    /// The counts.
    pub tiles: Vec<Tile>,
    /// The findings that come first.
    pub top: Vec<TopLine>,
    /// How good the data is, and how far to trust the alarms.
    pub notes: Vec<Phrase>,
}

/// One deploy or other change of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// When.
    pub at: Phrase,
    /// What, if it is not a deploy.
    pub kind: Phrase,
    /// Short commit or version.
    pub revision: String,
    /// What it was about, with its address if it may be linked.
    pub title: Link,
    /// Who knows it.
    pub author: String,
}

/// A group of deploys with what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeployRow {
    /// Its number.
    pub number: usize,
    /// Its service.
    pub service: String,
    /// Its changes, by time.
    pub changes: Vec<Change>,
    /// The verdict.
    pub chip: Chip,
    /// How its checks fell out.
    pub checks: Phrase,
    /// The largest effect.
    pub effect: Phrase,
    /// Its interval.
    pub range: Phrase,
    /// Where its finding is.
    pub href: Option<String>,
}

/// The deploys section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deploys {
    /// Before the table.
    pub lead: Phrase,
    /// The groups.
    pub rows: Vec<DeployRow>,
    /// How many were left out.
    pub more: Phrase,
    /// Incidents, campaigns, drills of the period.
    pub others: Option<Table>,
    /// The verdict map.
    pub map: Option<Map>,
}

/// The verdict map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Map {
    /// What it shows.
    pub caption: Phrase,
    /// The axis above the rows.
    pub axis: Svg,
    /// The rows.
    pub rows: Vec<MapRow>,
}

/// A row of the verdict map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MapRow {
    /// The verdict.
    pub chip: Chip,
    /// Endpoint and signal.
    pub name: Phrase,
    /// Service and deploy.
    pub note: Phrase,
    /// The chart; none for shares that are judged as a difference, which have no place on a log axis.
    pub svg: Option<Svg>,
    /// What is written there instead.
    pub instead: Phrase,
    /// The change.
    pub value: Phrase,
    /// Its interval.
    pub range: Phrase,
    /// The levels.
    pub levels: Phrase,
    /// Where its finding is.
    pub href: Option<String>,
}

/// A number that leads a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// What it is.
    pub label: Phrase,
    /// The number.
    pub value: Phrase,
    /// What is behind it.
    pub note: Phrase,
}

/// A fact beside a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HintLine {
    /// Class of the style sheet: `fits`, `not`, `open`.
    pub class: &'static str,
    /// Glyph.
    pub glyph: &'static str,
    /// What was looked at.
    pub what: Phrase,
    /// Whether it fits.
    pub fit: Phrase,
    /// The numbers.
    pub evidence: Phrase,
}

/// A target that a finding names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetLine {
    /// Its own verdict, if it is not the finding's.
    pub chip: Option<Chip>,
    /// Its name.
    pub name: Phrase,
    /// Signal, levels and change.
    pub what: Phrase,
}

/// What a card names of its targets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Which {
    /// The targets that moved, the worst first; none for a finding of one.
    pub targets: Vec<TargetLine>,
    /// How many more there are.
    pub more: Phrase,
    /// Datastores behind operations.
    pub behind: Vec<TargetLine>,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Card {
    /// Place on the page.
    pub anchor: String,
    /// Stable id, cleaned.
    pub id: String,
    /// The verdict.
    pub chip: Chip,
    /// Its service, cleaned.
    pub service: String,
    /// Number of the deploy group.
    pub number: usize,
    /// What makes the comparison thin; empty if nothing does.
    pub thin: Phrase,
    /// What happened, short.
    pub headline: Phrase,
    /// What happened, with every number, in one sentence.
    pub sentence: Phrase,
    /// The numbers that lead.
    pub facts: Vec<Fact>,
    /// Shape over time, what explains it.
    pub shape: Phrase,
    /// How sure it is.
    pub sure: Phrase,
    /// The hour-of-week overlay.
    pub week: Figure,
    /// The timeline.
    pub timeline: Figure,
    /// The deploys it came with.
    pub suspects: Vec<Change>,
    /// Facts beside it.
    pub hints: Vec<HintLine>,
    /// Who answers for it.
    pub owner: Phrase,
    /// Where the steps stand.
    pub runbook: Option<Link>,
    /// The targets that moved.
    pub which: Which,
    /// How the verdict came about.
    pub details: Option<Box<Details>>,
}

/// The findings section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Before the cards.
    pub lead: Phrase,
    /// The cards that are drawn in full.
    pub cards: Vec<Card>,
    /// The others.
    pub others: Option<Table>,
}

/// A place that can be jumped to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Jump {
    /// `answer`, `deploys`, …
    pub id: &'static str,
    /// Its name.
    pub text: Phrase,
    /// How many things stand there, if that says something.
    pub count: String,
}
