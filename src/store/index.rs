//! The list of series that each segment carries in its footer, so that nobody has to decode points to learn names.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::metric::{Kind, Series, SeriesKey};

/// Kinds by their number in an index.
const KINDS: [Kind; 3] = [Kind::Operation, Kind::Datastore, Kind::Resource];

/// The series of one segment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Index {
    /// Every text once, in the order in which it came.
    texts: Vec<Arc<str>>,
    /// Service, kind, target, signal (numbers into [`texts`](Self::texts) and [`KINDS`]) and points with a value.
    series: Vec<(u32, u8, u32, u32, u32)>,
}

impl Index {
    /// Makes the index of some series, in their order.
    pub(super) fn of(series: &[Series]) -> Self {
        let mut index = Self::default();
        let mut known: HashMap<Arc<str>, u32> = HashMap::new();
        let mut id = |text: &Arc<str>, texts: &mut Vec<Arc<str>>| {
            *known.entry(text.clone()).or_insert_with(|| {
                texts.push(text.clone());
                number(texts.len() - 1)
            })
        };
        for one in series {
            let SeriesKey { service, kind, target, signal } = &one.key;
            let [service, target, signal] = [service, target, signal].map(|text| id(text, &mut index.texts));
            let kind = KINDS.iter().position(|known| known == kind).unwrap_or_default();
            let points = one.values.iter().filter(|value| !value.is_nan()).count();
            index.series.push((service, u8::try_from(kind).unwrap_or_default(), target, signal, number(points)));
        }
        index
    }

    /// Returns each series with its number of points that have a value.
    pub(super) fn series(&self) -> impl Iterator<Item = (SeriesKey, u32)> {
        let text = |id: u32| self.texts.get(id as usize).cloned().unwrap_or_default();
        self.series.iter().map(move |(service, kind, target, signal, points)| {
            let kind = KINDS.get(usize::from(*kind)).copied().unwrap_or(Kind::Operation);
            (SeriesKey { service: text(*service), kind, target: text(*target), signal: text(*signal) }, *points)
        })
    }

    /// Returns the number of series, and of their points that have a value.
    pub(super) fn size(&self) -> (usize, u64) {
        (self.series.len(), self.series.iter().map(|(.., points)| u64::from(*points)).sum())
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
