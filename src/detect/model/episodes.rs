//! What a series does by itself for a while: hours far from its level, and sudden moves.

use crate::detect::input::calendar::PER_HOUR;
use crate::detect::input::deploy_window::DeployWindow;
use crate::stats::describe;

/// Hours this many robust standard deviations from the level are an episode.
const EPISODE_Z: f64 = 4.5;

/// Buckets nearer than these are one episode.
const EPISODE_GAP: usize = 2;

/// An episode is no longer than this, in buckets.
const LONGEST_EPISODE: usize = 24 * PER_HOUR;

/// No more than this share of a history may be episodes.
const MOST_EPISODES: f64 = 0.25;

/// Hours far from the level on both sides, which began at no deploy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Episode {
    /// First bucket.
    pub begin: usize,
    /// Bucket after the last.
    pub end: usize,
    /// Typical distance from the level.
    pub size: f64,
}

/// Finds the hours that lie far from the level on both sides and begin at no deploy: an outage that nobody wrote down is
/// neither a level nor noise. None if such hours are common in a series.
///
/// `rest`: distance from the level, one a bucket, NaN is missing.
pub fn find(rest: &[f64], moments: &[DeployWindow]) -> Vec<Episode> {
    let far = EPISODE_Z * describe::rough_sd(rest).unwrap_or(0.0);
    if far <= 0.0 {
        return Vec::new();
    }
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (bucket, _) in rest.iter().enumerate().filter(|(_, rest)| rest.abs() > far) {
        match spans.last_mut() {
            Some((_, end)) if bucket <= *end + EPISODE_GAP => *end = bucket + 1,
            _ => spans.push((bucket, bucket + 1)),
        }
    }
    // The end of the history might be the beginning of a new level.
    spans.retain(|(begin, end)| {
        let at_deploy = moments.iter().any(|moment| moment.from <= *end && *begin <= moment.to + PER_HOUR);
        (2..=LONGEST_EPISODE).contains(&(end - begin)) && !at_deploy && end + LONGEST_EPISODE <= rest.len()
    });
    let total: usize = spans.iter().map(|(begin, end)| end - begin).sum();
    if total as f64 > MOST_EPISODES * rest.len() as f64 {
        return Vec::new();
    }
    let episode = |(begin, end): (usize, usize)| {
        let size = describe::median(rest.get(begin..end).unwrap_or(&[])).unwrap_or(0.0);
        Episode { begin, end, size }
    };
    spans.into_iter().map(episode).collect()
}

/// Buckets on either side of a jump that must lie apart.
const JUMP_SPAN: usize = PER_HOUR;

/// Robust standard deviations of such moves that make one a jump.
const JUMP_Z: f64 = 6.0;

/// Returns where the sudden moves were that lasted for hours and that noise does not make, and their sizes.
///
/// `residual`: one a bucket, NaN is missing; missing buckets hide jumps, so that those at deploys are not counted.
pub fn jumps(residual: &[f64]) -> Vec<(usize, f64)> {
    let middle = |four: &[f64]| {
        let (mut sum, mut low, mut high) = (0.0, f64::INFINITY, f64::NEG_INFINITY);
        for value in four {
            sum += value;
            low = value.min(low);
            high = value.max(high);
        }
        (sum - low - high) / 2.0
    };
    let middles: Vec<f64> = residual.windows(JUMP_SPAN).map(middle).collect();
    let moves: Vec<f64> =
        middles.iter().zip(middles.iter().skip(JUMP_SPAN)).map(|(before, after)| after - before).collect();
    let far = JUMP_Z * describe::rough_sd(&moves).unwrap_or(f64::INFINITY);
    let mut found: Vec<(usize, f64)> = Vec::new();
    for (at, size) in moves.iter().copied().enumerate().filter(|(_, size)| size.abs() > far) {
        match found.last_mut() {
            // The neighbours of a jump see a part of it.
            Some((last, most)) if at - *last < JUMP_SPAN && size * *most > 0.0 => {
                *last = at;
                *most = if size.abs() > most.abs() { size } else { *most };
            }
            _ => found.push((at, size)),
        }
    }
    lasting(&found)
}

/// Returns the moves that were not taken back soon: a series that jumps up and comes back within hours has
/// not shown that its level changes by itself.
fn lasting(moves: &[(usize, f64)]) -> Vec<(usize, f64)> {
    let mut standing: Vec<(usize, f64)> = Vec::new();
    for (at, size) in moves.iter().copied() {
        let is_undone = |(begin, gone): &(usize, f64)| at - begin <= SOON && (-size / gone - 1.0).abs() <= MOST_LEFT;
        match standing.iter().rposition(is_undone) {
            Some(undone) => _ = standing.remove(undone),
            None => standing.push((at, size)),
        }
    }
    standing.into_iter().map(|(at, size)| (at + JUMP_SPAN, size.abs())).collect()
}

/// A move is taken back if this share of it is left at most, or as much was taken back beyond it.
const MOST_LEFT: f64 = 0.5;

/// A move that is taken back within as many buckets did not last.
const SOON: usize = 6 * PER_HOUR;

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise of ±0.1 with moves at some buckets.
    fn series(moves: &[(usize, f64)]) -> Vec<f64> {
        let noise = |at: usize| if (at * 7919) % 13 < 6 { 0.1 } else { -0.1 };
        let level = |at: usize| moves.iter().filter(|(from, _)| *from <= at).map(|(_, size)| size).sum::<f64>();
        (0..1344).map(|at| level(at) + noise(at)).collect()
    }

    #[test]
    fn a_jump_that_comes_back_within_hours_is_none() {
        assert_eq!(jumps(&series(&[])), Vec::new());
        assert_eq!(jumps(&series(&[(300, 5.0), (312, -5.0), (700, -4.0), (708, 4.2)])), Vec::new());
    }

    #[test]
    fn a_jump_that_lasts_is_told_by_its_size() {
        let told = jumps(&series(&[(300, 5.0), (400, -5.0), (900, -3.0)]));
        assert_eq!(told.len(), 3, "{told:?}");
        let wanted = [(300, 5.0), (400, 5.0), (900, 3.0)];
        let is_near = |(told, wanted): (&(usize, f64), (usize, f64))| {
            told.0.abs_diff(wanted.0) <= JUMP_SPAN && (told.1 - wanted.1).abs() < 0.3
        };
        assert!(told.iter().zip(wanted).all(is_near), "{told:?}");
        let told = jumps(&series(&[(300, 5.0), (310, -1.5)]));
        assert!(told.iter().any(|(_, size)| (size - 5.0).abs() < 0.3), "most of it stays: {told:?}");
    }
}
