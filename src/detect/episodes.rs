//! What a series does by itself for a while: hours far from its level, and sudden moves.

use super::changes::Moment;
use super::noise::PER_HOUR;
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
pub fn find(rest: &[f64], moments: &[Moment]) -> Vec<Episode> {
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

/// Returns the sizes of the sudden moves that lasted an hour at least and that noise does not make.
///
/// `residual`: one a bucket, NaN is missing; missing buckets hide jumps, so that those at deploys are not counted.
pub fn jumps(residual: &[f64]) -> Vec<f64> {
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
    for (at, size) in moves.iter().map(|size| size.abs()).enumerate().filter(|(_, size)| *size > far) {
        match found.last_mut() {
            // The neighbours of a jump see a part of it.
            Some((last, most)) if at - *last < JUMP_SPAN => {
                *last = at;
                *most = most.max(size);
            }
            _ => found.push((at, size)),
        }
    }
    found.into_iter().map(|(_, size)| size).collect()
}
