//! Cuts what is asked into pieces that no limit cuts short, and asks again in smaller ones when that went wrong.
//!
//! ```text
//! a window and a list of applications
//!   -> lists short enough for one text
//!   -> census: the same query without buckets tells how many facets there are
//!   -> windows of so many buckets that facets x buckets stays below the limit of rows
//!   -> an answer that is cut all the same: half the window; then half the applications; then the facets by the
//!      beginnings of their names; then it is an error
//! ```
//!
//! Beginnings: `name LIKE 'ab%'` for each sign seen after the common beginning, and one piece for all that begins
//! otherwise. Together they are complete whatever LIKE takes for a wildcard; what two of them hold is equal.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use super::error::NewRelicError;
use super::graph::{Graph, shape};
use super::nrql::{Filling, attribute, quoted};
use super::parse::{self, MOST_ROWS, Points, Row};
use super::query::{Applications, Query};
use crate::model::time::Window;

/// Buckets of one request at most.
const MOST_BUCKETS: i64 = 366;
/// Signs that the names of applications may take in one text; the vendor bounds a query at some thousands.
const LONGEST_LIST: usize = 1_500;
/// Pieces under way at once for one query; the client bounds the requests of the account.
const AT_ONCE: usize = 5;
/// Conditions on one piece at most: each holds at least one sign more of a name.
const DEEPEST: usize = 60;

/// A part of what a query is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub window: Window,
    pub applications: Vec<String>,
    /// Conditions on the facet by which the query is split.
    pub narrow: Vec<String>,
}

impl Piece {
    fn filling<'a>(&'a self, step_ms: Option<i64>, narrow: &'a str) -> Filling<'a> {
        Filling { window: self.window, step_ms, applications: &self.applications, narrow }
    }

    pub(super) fn text(&self, query: &Query, step_ms: Option<i64>) -> String {
        query.fill(&self.filling(step_ms, &self.narrow.join(" AND ")))
    }
}

/// Cuts applications into lists that fit into a text. A query of the top facets asks for each by itself.
pub(super) fn lists(query: &Query, applications: &[String]) -> Vec<Vec<String>> {
    if query.applications == Applications::None {
        return vec![Vec::new()];
    }
    let mut lists: Vec<Vec<String>> = Vec::new();
    let mut length = 0;
    for name in applications {
        let sign_count = quoted(name).len() + 2;
        match lists.last_mut() {
            Some(list) if query.top.is_none() && length + sign_count <= LONGEST_LIST => list.push(name.clone()),
            _ => {
                lists.push(vec![name.clone()]);
                length = 0;
            }
        }
        length += sign_count;
    }
    lists
}

/// Cuts a window into ones of at most `buckets` buckets.
pub(super) fn windows(window: Window, step_ms: i64, buckets: i64) -> Vec<Window> {
    let length = step_ms * buckets.max(1);
    let starts = (0..).map(|k| window.start + k * length).take_while(|start| *start < window.end);
    starts.map(|start| Window::new(start, (start + length).min(window.end))).collect()
}

/// How a query is asked: of whom, in which width, for which services.
pub(super) struct QueryRunner<'a> {
    pub graph: &'a Graph,
    pub query: &'a Query,
    pub step_ms: i64,
    pub services: &'a (dyn Fn(&str) -> Vec<Arc<str>> + Send + Sync),
}

impl QueryRunner<'_> {
    /// Asks for all points of a window.
    ///
    /// # Errors
    /// [`NewRelicError`]; an answer that stays cut however small the piece.
    pub(super) async fn points(&self, window: Window, applications: &[String]) -> Result<Points, NewRelicError> {
        let planned = self.plan(window, applications).await?;
        let mut asks = Vec::new();
        for piece in planned {
            asks.push(self.whole(piece));
        }
        let answers = stream::iter(asks).buffered(AT_ONCE);
        answers.try_fold(Points::new(), |points, more| async { self.joined(points, more) }).await
    }

    /// Returns the pieces in which the window is asked for.
    pub(super) async fn plan(&self, window: Window, applications: &[String]) -> Result<Vec<Piece>, NewRelicError> {
        let longest = self.query.longest_ms.unwrap_or(i64::MAX);
        let mut planned = Vec::new();
        for applications in lists(self.query, applications) {
            let piece = Piece { window, applications, narrow: Vec::new() };
            if let Some(top) = self.query.top {
                let buckets = buckets_for(top).min(longest / self.step_ms);
                planned.extend(self.cut_windows(&piece, buckets));
                continue;
            }
            for (piece, facets) in self.complete(piece).await? {
                let buckets = buckets_for(facets.len()).min(longest / self.step_ms);
                planned.extend(self.cut_windows(&piece, buckets));
            }
        }
        Ok(planned)
    }

    fn cut_windows<'b>(&self, piece: &'b Piece, buckets: i64) -> impl Iterator<Item = Piece> + use<'b> {
        let windows = windows(piece.window, self.step_ms, buckets);
        windows.into_iter().map(|window| Piece { window, ..piece.clone() })
    }

    /// Asks without buckets; returns pieces that hold rows, and fewer than the limit.
    ///
    /// # Errors
    /// [`NewRelicError`]; a piece that stays cut however small.
    pub(super) async fn complete(&self, piece: Piece) -> Result<Vec<(Piece, Vec<Value>)>, NewRelicError> {
        let mut open = vec![piece];
        let mut counted = Vec::new();
        while let Some(piece) = open.pop() {
            let text = piece.text(self.query, None);
            let (rows, failed) = self.rows(&text, piece.window).await?;
            match failed {
                None if rows.is_empty() => {}
                None => counted.push((piece, rows)),
                // Fewer facets are in a shorter time only by chance, so time is the last thing to cut here, unless the
                // server said that the time is too long.
                Some(error) => {
                    let is_late = rows.is_empty();
                    let smaller = match is_late {
                        true => self.halved(&piece).or_else(|| self.split(&piece, &rows)),
                        false => self.split(&piece, &rows).or_else(|| self.halved(&piece)),
                    };
                    open.extend(smaller.ok_or(error)?);
                }
            }
        }
        counted.reverse();
        Ok(counted)
    }

    /// Asks for one piece until the answer is whole.
    async fn whole(&self, piece: Piece) -> Result<Points, NewRelicError> {
        let mut open = vec![piece];
        let mut points = Points::new();
        while let Some(piece) = open.pop() {
            let text = piece.text(self.query, Some(self.step_ms));
            let (rows, failed) = self.rows(&text, piece.window).await?;
            let read = match failed {
                None => parse::points(self.query, &rows, piece.window, self.step_ms, &self.services),
                Some(error) => Err(error),
            };
            match read {
                Ok(more) => points = self.joined(points, more)?,
                Err(error) if error.is_too_much() => {
                    tracing::debug!(query = self.query.id, %error, "asked again in smaller pieces");
                    open.extend(self.halved(&piece).or_else(|| self.split(&piece, &rows)).ok_or(error)?);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(points)
    }

    /// Sends a text; an answer that is too much comes with the rows that there are.
    async fn rows(&self, text: &str, window: Window) -> Result<(Vec<Value>, Option<NewRelicError>), NewRelicError> {
        let mut container = match self.graph.nrql(&self.query.id, text).await {
            Ok(container) => container,
            Err(error) if error.is_too_much() => return Ok((Vec::new(), Some(error))),
            Err(error) => return Err(error),
        };
        let too_much = match parse::results(self.query, &container, window) {
            Ok(_) => None,
            Err(error) if error.is_too_much() => Some(error),
            Err(error) => return Err(error),
        };
        let rows = match container.get_mut("results").map(Value::take) {
            Some(Value::Array(rows)) => rows,
            _ => Vec::new(),
        };
        Ok((rows, too_much))
    }

    fn halved(&self, piece: &Piece) -> Option<Vec<Piece>> {
        let buckets = piece.window.length() / self.step_ms;
        if buckets < 2 {
            return None;
        }
        let middle = piece.window.start + buckets / 2 * self.step_ms;
        let part = |window| Piece { window, ..piece.clone() };
        // The later half first: pieces are taken from the end.
        Some(vec![part(Window::new(middle, piece.window.end)), part(Window::new(piece.window.start, middle))])
    }

    /// Takes the applications apart, then the facets by the beginnings of their names.
    fn split(&self, piece: &Piece, rows: &[Value]) -> Option<Vec<Piece>> {
        if piece.applications.len() > 1 {
            let (first, second) = piece.applications.split_at(piece.applications.len() / 2);
            let part = |names: &[String]| Piece { applications: names.to_vec(), ..piece.clone() };
            return Some(vec![part(second), part(first)]);
        }
        let name = self.query.split.as_deref().filter(|_| piece.narrow.len() < DEEPEST)?;
        let read = |(index, row)| Row::new(self.query, index, row).ok()?.facet(name).ok()?;
        let seen: BTreeSet<String> = rows.iter().enumerate().filter_map(read).collect();
        let beginnings = beginnings(&seen);
        if seen.len() < 2 || beginnings.is_empty() {
            return None;
        }
        let column = attribute(name);
        let part = |condition: String| {
            let mut piece = piece.clone();
            piece.narrow.push(condition);
            piece
        };
        let like = |beginning: &String| format!("{column} LIKE {}", quoted(&format!("{beginning}%")));
        let none: Vec<String> =
            beginnings.iter().map(|start| format!("{column} NOT LIKE {}", quoted(&format!("{start}%")))).collect();
        // A facet without a value is like nothing and unlike nothing.
        let mut parts = vec![part(format!("({column} IS NULL OR ({}))", none.join(" AND ")))];
        parts.extend(beginnings.iter().rev().map(|start| part(like(start))));
        Some(parts)
    }

    /// Joins points; pieces may overlap in facets, with equal values.
    fn joined(&self, mut points: Points, more: Points) -> Result<Points, NewRelicError> {
        for (key, (signal, values)) in more {
            let known = &mut points.entry(key).or_insert_with(|| (signal, Default::default())).1;
            for (time, value) in values {
                parse::keep(known, time, value).map_err(|reason| shape(&self.query.id, reason))?;
            }
        }
        Ok(points)
    }
}

/// Returns how many buckets so many facets may have in one answer; the limit itself is never reached.
pub(super) fn buckets_for(facets: usize) -> i64 {
    let rows = MOST_ROWS.saturating_sub(1) / facets.max(1);
    i64::try_from(rows).unwrap_or(MOST_BUCKETS).clamp(1, MOST_BUCKETS)
}

/// Returns the common beginning of names with each sign that follows it.
fn beginnings(names: &BTreeSet<String>) -> Vec<String> {
    let (Some(first), Some(last)) = (names.first(), names.last()) else { return Vec::new() };
    // In a sorted set, what the first and the last have in common all have.
    let common: String = first.chars().zip(last.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    let next: BTreeSet<char> = names.iter().filter_map(|name| name.strip_prefix(&common)?.chars().next()).collect();
    next.into_iter().map(|sign| format!("{common}{sign}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::{HOUR, MINUTE};

    #[test]
    fn no_piece_reaches_a_limit() {
        for facets in [1, 13, 14, 17, 100, 4_999] {
            let rows = buckets_for(facets) as usize * facets;
            assert!(rows < MOST_ROWS, "{facets} facets: {rows} rows");
        }
        assert_eq!(buckets_for(1), 366);
        let day = Window::new(0, 24 * HOUR);
        let cut = windows(day, MINUTE, 366);
        assert_eq!(cut.iter().map(|window| window.length() / MINUTE).collect::<Vec<_>>(), [366, 366, 366, 342]);
        assert_eq!((cut[0].start, cut[3].end), (day.start, day.end));
    }

    #[test]
    fn names_are_told_apart_by_the_first_sign_that_differs() {
        let names = ["Web/a", "Web/b", "Web/bc", "Web/"].map(str::to_owned).into();
        assert_eq!(beginnings(&names), ["Web/a", "Web/b"]);
        assert!(beginnings(&BTreeSet::new()).is_empty());
    }
}
