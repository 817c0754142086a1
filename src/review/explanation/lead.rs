//! What every part of an explanation is made from.

use super::{Instant, Span};
use crate::config::Config;
use crate::detect::{Comparison, Judgement, SeriesSummary};
use crate::model::event::{DeployGroup, Event};
use crate::model::time::Window;

/// A finding's leading comparison with everything around it.
pub(super) struct Lead<'a> {
    pub judgement: &'a Judgement,
    pub events: &'a [Event],
    pub config: &'a Config,
    pub comparison: &'a Comparison,
    pub series: &'a SeriesSummary,
    pub group: &'a DeployGroup,
}

impl Lead<'_> {
    pub fn instant(&self, at: i64) -> Instant {
        Instant::new(at, self.config.zone)
    }

    pub fn span(&self, window: Window) -> Span {
        Span::new(window, self.config.zone)
    }

    pub fn ids(&self, group: &DeployGroup) -> Vec<String> {
        group.members.iter().filter_map(|index| self.events.get(*index)).map(|event| event.id.clone()).collect()
    }
}
