//! Changes that only the slowest requests show.

use std::collections::BTreeMap;

use crate::detect::judgement::{Comparison, Pattern};
use crate::model::metric::Series;
use crate::model::verdict::Verdict;

/// Marks alarms that only the high percentiles of an operation raised while its median was proven to move by less than
/// half as much.
pub fn mark(series: &[Series], comparisons: &mut [Comparison]) {
    let mut medians: BTreeMap<(&str, usize), f64> = BTreeMap::new();
    for comparison in comparisons.iter() {
        let key = &series[comparison.series].key;
        let is_calm = matches!(comparison.verdict, Verdict::NoMaterialChange | Verdict::NotWorse);
        if &*key.signal == "latency_p50"
            && is_calm
            && let Some(ratio) = comparison.log_ratio()
        {
            medians.insert((&key.target, comparison.group), ratio.high);
        }
    }
    for comparison in comparisons.iter_mut() {
        let key = &series[comparison.series].key;
        let is_tail = matches!(&*key.signal, "latency_p90" | "latency_p95" | "latency_p99");
        // A fast median may move as far and still be too fast for its milliseconds to matter.
        let median = medians.get(&(&*key.target, comparison.group)).copied();
        let moved = comparison.log_ratio().map(|ratio| ratio.value);
        if is_tail
            && comparison.verdict == Verdict::Worse
            && moved.zip(median).is_some_and(|(tail, median)| median < 0.5 * tail)
        {
            comparison.pattern = Some(Pattern::TailOnly);
        }
    }
}
