//! The one place that takes out of a text what differs from machine to machine: the version and folders.

use std::path::Path;

/// Returns a text without the program's version and without the folder that it ran in.
pub fn redact(text: &str, folder: &Path) -> String {
    let version = concat!("fortnight ", env!("CARGO_PKG_VERSION"));
    let mut text = text.replace(version, "fortnight [version]");
    for path in [folder.canonicalize().unwrap_or_default(), folder.to_owned()] {
        let path = path.display().to_string();
        if path.len() > 1 {
            text = text.replace(&path, "[folder]");
        }
    }
    // An editor would take the blanks away that stand at the end of a line.
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
