//! Laws of the code's shape, read from its text: rooms in order, no circles of imports, markup in its folder, few test
//! programs. `cargo test --release --test fast architecture -- --nocapture` prints what breaks them.

#![expect(clippy::print_stdout, reason = "the list is what one runs this for; shown with --nocapture")]

mod imports;

use std::path::Path;

use imports::{Imports, Module};

/// The rooms from left to right: none imports from one to its right.
const ROOMS: [&str; 11] =
    ["model", "config", "stats", "format", "blob", "source", "store", "detect", "review", "render", "publish"];
/// Rooms that know all others.
const ABOVE: [&str; 2] = ["command", "cli"];
/// Rooms that may hold markup in the program.
const WITH_MARKUP: [&str; 2] = ["render", "command"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn name(module: &Module) -> String {
    module.join("::")
}

/// Returns how far to the right a module's room is.
fn rank(module: &Module) -> Option<usize> {
    let room = module.first()?.as_str();
    ROOMS.iter().position(|known| *known == room).or_else(|| ABOVE.contains(&room).then_some(ROOMS.len()))
}

#[test]
fn every_room_has_its_place() {
    let imports = Imports::read(&root().join("src"));
    let unknown: Vec<&Module> =
        imports.files.keys().filter(|module| !module.is_empty() && rank(module).is_none()).collect();
    assert!(unknown.is_empty(), "rooms without a place in the order: {unknown:?}");
}

#[test]
fn no_room_imports_from_one_to_its_right() {
    let imports = Imports::read(&root().join("src"));
    let mut wrong = Vec::new();
    for (from, targets) in &imports.edges {
        let Some(left) = rank(from) else { continue };
        let right = targets.iter().filter(|to| rank(to).is_some_and(|rank| rank > left));
        wrong.extend(right.map(|to| format!("{} imports {}", name(from), name(to))));
    }
    assert!(wrong.is_empty(), "imports from a room to the right: {wrong:#?}");
}

#[test]
fn no_files_import_one_another() {
    let circles = Imports::read(&root().join("src")).circles();
    for (number, circle) in circles.iter().enumerate() {
        for (from, to) in circle {
            println!("circle {}: {} imports {}", number + 1, name(from), name(to));
        }
    }
    assert!(circles.is_empty(), "{} circles; `--nocapture` names their imports", circles.len());
}

#[test]
fn markup_and_styles_are_included_where_pages_are_made() {
    let mut wrong = Vec::new();
    for (module, path) in &Imports::read(&root().join("src")).files {
        let text = std::fs::read_to_string(path).expect("UTF-8");
        let includes = text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split_once('"'));
        let markup = includes.map(|(file, _)| file).filter(|file| {
            Path::new(file)
                .extension()
                .is_some_and(|end| ["html", "css", "js", "svg", "md"].iter().any(|known| end == *known))
        });
        // What `init` writes beside the config is data of a source, no page.
        let markup = markup.filter(|file| !file.contains("templates/init/"));
        let is_allowed = module.first().is_some_and(|room| WITH_MARKUP.contains(&room.as_str()));
        wrong.extend(markup.filter(|_| !is_allowed).map(|file| format!("{} includes {file}", name(module))));
    }
    assert!(wrong.is_empty(), "markup outside {WITH_MARKUP:?}: {wrong:#?}");
}

#[test]
fn tests_are_four_programs_at_most() {
    let tests = root().join("tests");
    let programs: Vec<_> = ["*.rs", "*/main.rs"]
        .iter()
        .flat_map(|pattern| glob::glob(&format!("{}/{pattern}", tests.display())).expect("a pattern").flatten())
        .collect();
    assert!(programs.len() <= 4, "each links the whole program once more; add a module to one of four: {programs:#?}");
}
