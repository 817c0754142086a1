//! Names and counts as the lines of `doctor` have them.

/// Names that one line lists at the most.
const LISTED: usize = 5;

/// Longest name that is listed whole, in characters.
const LONGEST: usize = 60;

pub(super) fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| short(name)).collect();
    let more = names.len().saturating_sub(LISTED);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

pub(super) fn short(name: &str) -> String {
    match name.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", name.get(..cut).unwrap_or(name)),
        None => name.to_owned(),
    }
}

pub(super) fn counted(count: usize, noun: &str) -> String {
    let many = count != 1 && !noun.ends_with("series");
    let plural = if noun == "incident, campaign or drill" { "incidents, campaigns or drills" } else { noun };
    match (many, plural == noun) {
        (false, _) => format!("{count} {noun}"),
        (true, false) => format!("{count} {plural}"),
        (true, true) => format!("{count} {noun}s"),
    }
}
