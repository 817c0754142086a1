//! How the sources fared, and the diagnostics of what went wrong.

use super::Builder;
use crate::model::diagnostic::Diagnostic;
use crate::review::rounding::finite;
use crate::review::{Note, Source, SourceHealth};
use crate::source::{SourceState, registry};

/// Returns every source, and every diagnostic of them.
pub(super) fn all(builder: &Builder<'_>) -> (Vec<Source>, Vec<Diagnostic>) {
    let states = builder.input.sources;
    let sources = states.iter().map(|state| source(builder, state)).collect();
    let diagnostics = states.iter().flat_map(|state| state.diagnostics.iter().cloned()).collect();
    (sources, diagnostics)
}

fn source(builder: &Builder<'_>, state: &SourceState) -> Source {
    // A series may be of several sources; with one source every series is its own.
    let series = &builder.input.judgement.series;
    let health = match (state.failure().is_none(), state.series == 0 && state.events == 0) {
        (true, _) => SourceHealth::Ok,
        (false, true) => SourceHealth::Failed,
        (false, false) => SourceHealth::Partial,
    };
    let coverage = match builder.input.sources.len() {
        1 if !series.is_empty() => {
            finite(series.iter().map(|series| series.coverage).sum::<f64>() / series.len() as f64)
        }
        1 => Some(0.0),
        _ if health == SourceHealth::Failed => Some(0.0),
        _ => None,
    };
    Source {
        id: state.id.clone(),
        kind: state.kind.to_owned(),
        state: health,
        coverage,
        rows: state.rows,
        series: state.series,
        events: state.events,
        errors: state.diagnostics.iter().filter(|one| one.is_error()).map(Diagnostic::reason_alone).collect(),
        gives: registry::descriptor(state.kind)
            .map_or_else(Vec::new, |known| known.gives.iter().map(|gives| gives.as_str().to_owned()).collect()),
        notes: state
            .warnings()
            .map(|one| Note { reason: one.code.clone(), count: one.count, example: one.example.clone() })
            .collect(),
    }
}
