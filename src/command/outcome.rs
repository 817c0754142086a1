//! How a run ends: exit codes of a report, sources that may not fail, the time of day.

use anyhow::anyhow;

use super::failure::{Exit, Failure};
use super::period;
use crate::cli::FailOn;
use crate::config::Config;
use crate::model::clock::Clock;
use crate::model::time::Window;
use crate::model::verdict::Verdict;
use crate::render::terminal::plain;
use crate::review::Review;
use crate::source::{SourceState, registry};

/// Returns the exit code of a written report: 3 before 5 before 4.
pub(super) fn exit_code(review: &Review, fail_on: &[FailOn], strict: bool) -> Exit {
    let level = |levels: &[FailOn]| fail_on.iter().any(|level| levels.contains(level));
    let has = |verdicts: &[Verdict]| verdicts.iter().any(|verdict| review.counts.checks.of(*verdict) > 0);
    let worse = level(&[FailOn::Worse, FailOn::Possibly, FailOn::Inconclusive]) && has(&[Verdict::Worse]);
    let possibly = level(&[FailOn::Possibly, FailOn::Inconclusive]) && has(&[Verdict::PossiblyWorse]);
    if worse || possibly {
        return Exit::Regression;
    }
    let gaps = review.coverage().is_some_and(|coverage| coverage < review.settings.min_coverage);
    if level(&[FailOn::Partial]) && (gaps || review.has_failed_source()) {
        return Exit::Partial;
    }
    let unknown = has(&[Verdict::Inconclusive, Verdict::TooEarly, Verdict::NoData]);
    if (strict || level(&[FailOn::Inconclusive])) && unknown { Exit::NotEnough } else { Exit::Done }
}

/// Refuses to go on without a source that the config does not call optional, or without any at all, so
/// that a poorer report never replaces a good one.
///
/// # Errors
/// The first such source with its reason.
pub(super) fn refuse_failed(config: &Config, states: &[SourceState]) -> Result<(), Failure> {
    let failed = |id: &str| states.iter().find(|state| state.id == id && state.failure().is_some());
    let all = config.sources.iter().all(|source| failed(&source.id).is_some());
    for source in &config.sources {
        let Some(state) = failed(&source.id).filter(|_| all || !source.optional) else { continue };
        let Some(failure) = state.failure() else { continue };
        let error = anyhow!(failure.reason()).context("read what the config names");
        let mut help = failure.help.clone();
        help.push(if all {
            "no source could be read, so nothing was written".to_owned()
        } else {
            format!("a report without it needs `optional = true` at the source `{}`", source.id)
        });
        return Err(Failure { exit: Exit::Failed, error, help });
    }
    Ok(())
}

/// Prints one error line for each source that failed, with `--quiet` too: what fails every week must not go unnoticed.
pub(super) fn print_failures(states: &[SourceState]) {
    for state in states {
        let Some(failure) = state.failure() else { continue };
        let (id, reason, help) = (plain(&state.id), plain(&failure.reason_alone()), plain(&failure.help.join("; ")));
        tracing::error!(source = %id, error = %reason, %help, "a source failed");
    }
}

/// Explains a period without data by what the sources cover.
pub(super) fn no_data(config: &Config, period: Window, covered: Option<Window>) -> Failure {
    let typed = |at| period::typed(at, config.zone);
    let error = anyhow!("no source has a point in it").context(format!(
        "judge the period from {} to {}",
        typed(period.start),
        typed(period.end)
    ));
    let help = match covered {
        None if config.sources.iter().any(|source| !registry::is_recorded(source)) => {
            vec!["nothing is collected yet: run `fortnight collect`; `fortnight doctor` says what it needs".to_owned()]
        }
        None => vec!["the sources are empty: check `series` in the config".to_owned()],
        Some(covered) => {
            let next = period::suggested(config, covered);
            vec![
                format!("the data cover {} to {}", typed(covered.start), typed(covered.end)),
                format!("type `--from {} --to {}`", typed(next.start), typed(next.end)),
            ]
        }
    };
    Failure { exit: Exit::Failed, error, help }
}

/// Returns this machine's clock, or one that stands at `SOURCE_DATE_EPOCH`.
///
/// # Errors
/// As [`source_date_epoch`].
pub(super) fn clock() -> Result<Clock, Failure> {
    Ok(source_date_epoch()?.map_or(Clock::System, Clock::Fixed))
}

/// Returns `SOURCE_DATE_EPOCH` (whole seconds since 1970) in UTC milliseconds, if it is set.
///
/// # Errors
/// It is set to something else; silence would make builds that only look reproducible.
pub(super) fn source_date_epoch() -> Result<Option<i64>, Failure> {
    let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH").filter(|text| !text.is_empty()) else { return Ok(None) };
    let seconds = text.to_str().and_then(|text| text.parse::<i64>().ok());
    match seconds.and_then(|seconds| seconds.checked_mul(1000)).filter(|at| period::EVER.contains(*at)) {
        Some(at) => Ok(Some(at)),
        None => Err(Failure::usage(
            format!("read SOURCE_DATE_EPOCH: {text:?} is not a count of seconds since 1970"),
            "unset it, or set it as `SOURCE_DATE_EPOCH=$(date +%s)`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::diagnostic::{Diagnostic, Stage};
    use crate::review::tests::{Sample, sample};

    fn failure(text: &str) -> Diagnostic {
        Diagnostic::of_error(Stage::Source, "a", &std::io::Error::other(text.to_owned()))
    }

    fn code(change: impl Fn(&mut Sample), fail_on: &[FailOn], strict: bool) -> Exit {
        let mut sample = sample();
        for series in &mut sample.judgement.series {
            series.coverage = 1.0;
        }
        change(&mut sample);
        exit_code(&sample.review(), fail_on, strict)
    }

    fn all(verdict: Verdict) -> impl Fn(&mut Sample) {
        move |sample| sample.judgement.comparisons.iter_mut().for_each(|one| one.verdict = verdict)
    }

    #[test]
    fn findings_alone_never_fail_a_report() {
        assert_eq!(code(all(Verdict::Worse), &[], false), Exit::Done);
        assert_eq!(code(all(Verdict::Worse), &[FailOn::Worse], false), Exit::Regression);
    }

    #[test]
    fn each_level_takes_the_graver_ones_with_it() {
        let possibly = || all(Verdict::PossiblyWorse);
        assert_eq!(code(possibly(), &[FailOn::Worse], false), Exit::Done);
        assert_eq!(code(possibly(), &[FailOn::Possibly], false), Exit::Regression);
        assert_eq!(code(possibly(), &[FailOn::Inconclusive], false), Exit::Regression);
        for unknown in [Verdict::Inconclusive, Verdict::TooEarly, Verdict::NoData] {
            assert_eq!(code(all(unknown), &[FailOn::Possibly], false), Exit::Done);
            assert_eq!(code(all(unknown), &[FailOn::Inconclusive], false), Exit::NotEnough);
            assert_eq!(code(all(unknown), &[], true), Exit::NotEnough);
        }
        assert_eq!(code(all(Verdict::Better), &[FailOn::Inconclusive], true), Exit::Done);
    }

    #[test]
    fn three_goes_before_five_before_four() {
        let broken = |verdict| {
            move |sample: &mut Sample| {
                all(verdict)(sample);
                sample.sources.iter_mut().for_each(|state| state.diagnostics = vec![failure("refused")]);
            }
        };
        let levels = [FailOn::Worse, FailOn::Partial];
        assert_eq!(code(broken(Verdict::Worse), &levels, true), Exit::Regression);
        assert_eq!(code(broken(Verdict::Inconclusive), &levels, true), Exit::Partial);
        assert_eq!(code(all(Verdict::Inconclusive), &levels, true), Exit::NotEnough);
        let gaps = |sample: &mut Sample| sample.judgement.series.iter_mut().for_each(|series| series.coverage = 0.2);
        assert_eq!(code(gaps, &[FailOn::Partial], false), Exit::Partial);
    }

    #[test]
    fn only_optional_sources_may_fail_and_never_all() {
        let text = "[[source]]\nkind = \"files\"\nid = \"a\"\nseries = [\"a\"]\n\
                    [[source]]\nkind = \"files\"\nid = \"b\"\noptional = true\nseries = [\"b\"]\n";
        let config = Config::parse(text, std::path::Path::new("x.toml")).expect("valid");
        let states = |a: Option<Diagnostic>, b: Option<Diagnostic>| -> Vec<SourceState> {
            let state = sample().sources.remove(0);
            vec![
                SourceState { id: "a".into(), diagnostics: a.into_iter().collect(), ..state.clone() },
                SourceState { id: "b".into(), diagnostics: b.into_iter().collect(), ..state },
            ]
        };
        let gone = || Some(failure("gone"));
        assert!(refuse_failed(&config, &states(None, gone())).is_ok());
        let needed =
            refuse_failed(&config, &states(Some(failure("gone").with_help("look")), None)).expect_err("needed");
        assert_eq!(needed.help.first().map(String::as_str), Some("look"));
        assert!(needed.help.concat().contains("optional = true") && !format!("{:#}", needed.error).contains("help"));
        assert!(refuse_failed(&config, &states(gone(), gone())).is_err());
    }
}
