//! What a report is about.

use crate::config::Config;
use crate::model::time::Window;

/// What a report is about.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The period that is judged.
    pub period: Window,
    /// The span that series are read from: the baseline before the period, and the period.
    pub history: Window,
}
