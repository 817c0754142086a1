//! How far work is, on standard error.

use indicatif::{ProgressBar, ProgressStyle};

use super::Ui;

/// Shows how far work of so many steps is.
pub(super) fn progress(steps: usize, ui: &Ui) -> ProgressBar {
    if !ui.progress {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(steps as u64);
    let template = if steps > 1 { "{spinner} {msg} {pos}/{len}" } else { "{spinner} {msg}" };
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(std::time::Duration::from_millis(120));
    bar
}
