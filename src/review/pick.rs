//! Picks a finding by what somebody typed.

use super::Finding;

/// Why no finding was picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// The report has no findings.
    Empty,
    /// No finding is called so.
    Unknown {
        /// The id that is nearest, if one is near.
        near: Option<String>,
    },
    /// More than one begins like this.
    Several {
        /// Their ids.
        ids: Vec<String>,
    },
}

/// Picks a finding by its id, the beginning of its id, or its number in the list.
///
/// Upper and lower case are the same, and `F-` may be left out. A number that the list has is a number; any other word is
/// an id.
///
/// # Errors
/// [`Miss`] if no finding or more than one is called so.
pub(super) fn pick<'a>(findings: &'a [Finding], word: &str) -> Result<&'a Finding, Miss> {
    if findings.is_empty() {
        return Err(Miss::Empty);
    }
    let number = word.strip_prefix('#').unwrap_or(word).parse::<usize>().ok();
    if let Some(finding) = number.and_then(|number| findings.get(number.checked_sub(1)?)) {
        return Ok(finding);
    }
    let word = bare(word);
    let ids: Vec<(String, &Finding)> = findings.iter().map(|finding| (bare(&finding.id), finding)).collect();
    let of = |is: &dyn Fn(&str) -> bool| -> Vec<&'a Finding> {
        ids.iter().filter(|(id, _)| is(id)).map(|(_, finding)| *finding).collect()
    };
    let exact = of(&|id| id == word);
    let found = if exact.is_empty() && !word.is_empty() { of(&|id| id.starts_with(&word)) } else { exact };
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Miss::Unknown { near: nearest(&word, &ids) }),
        several => Err(Miss::Several { ids: several.iter().map(|finding| finding.id.clone()).collect() }),
    }
}

fn bare(id: &str) -> String {
    let lower = id.trim().to_lowercase();
    lower.strip_prefix("f-").map_or(lower.clone(), str::to_owned)
}

fn nearest(word: &str, ids: &[(String, &Finding)]) -> Option<String> {
    // Two letters or digits of six may be wrong; with more it is another id.
    const MOST_WRONG: usize = 2;
    let distance = |id: &str| strsim::damerau_levenshtein(word, id);
    ids.iter()
        .map(|(id, finding)| (distance(id), finding.id.clone()))
        .filter(|(distance, _)| *distance <= MOST_WRONG)
        .min()
        .map(|(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::tests::reviewed;

    fn with(ids: &[&str]) -> Vec<Finding> {
        let one = reviewed().findings.remove(0);
        ids.iter().map(|id| Finding { id: (*id).to_owned(), ..one.clone() }).collect()
    }

    fn picked(findings: &[Finding], word: &str) -> Result<String, Miss> {
        pick(findings, word).map(|finding| finding.id.clone())
    }

    #[test]
    fn ids_prefixes_and_numbers_are_names() {
        let findings = with(&["F-3a9c12", "F-3a0000", "F-12ab00"]);
        for (word, id) in [
            ("F-3a9c12", "F-3a9c12"),
            ("f-3A9C", "F-3a9c12"),
            ("3a0", "F-3a0000"),
            ("1", "F-3a9c12"),
            ("#3", "F-12ab00"),
            // No finding has this number, so it is the beginning of an id.
            ("12", "F-12ab00"),
        ] {
            assert_eq!(picked(&findings, word).as_deref(), Ok(id), "{word}");
        }
        assert_eq!(picked(&findings, "F-3a"), Err(Miss::Several { ids: vec!["F-3a9c12".into(), "F-3a0000".into()] }));
        assert_eq!(picked(&findings, "F-3a9c21"), Err(Miss::Unknown { near: Some("F-3a9c12".into()) }));
        for word in ["", "F-", "0", "999", "\u{1b}[2J"] {
            assert!(picked(&findings, word).is_err(), "{word:?}");
        }
        assert_eq!(picked(&with(&[]), "1"), Err(Miss::Empty));
    }
}
