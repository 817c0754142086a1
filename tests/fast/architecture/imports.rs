//! Which file imports which, read from the text of `src/`: enough Rust for `use` trees, inline paths, inline modules and
//! re-exports. What is compiled for tests only is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A module's path below the crate: `["detect", "compare"]`.
pub type Module = Vec<String>;

/// Every module that is a file, with the files' modules that it imports.
pub struct Imports {
    pub files: BTreeMap<Module, PathBuf>,
    pub edges: BTreeMap<Module, BTreeSet<Module>>,
}

/// A path as it is written in a module.
struct Mention {
    module: Module,
    path: Vec<String>,
    /// The name under which a `pub use` hands it on.
    exported: Option<String>,
}

impl Imports {
    /// Reads every `.rs` file below a folder.
    pub fn read(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        for path in glob::glob(&format!("{}/**/*.rs", src.display())).expect("a pattern").flatten() {
            if let Some(module) = module_of(path.strip_prefix(src).expect("below src")) {
                files.insert(module, path);
            }
        }
        let (mut mentions, mut tests) = (Vec::new(), BTreeSet::new());
        for (module, path) in &files {
            let text = std::fs::read_to_string(path).expect("UTF-8");
            Reader::new(&text).read(module, &mut mentions, &mut tests);
        }
        let for_tests = |module: &Module| tests.iter().any(|test| module.starts_with(test));
        files.retain(|module, _| !for_tests(module));
        // They would count as imports of the file that the tests belong to.
        mentions.retain(|mention| !for_tests(&mention.module));
        let exports: BTreeMap<(Module, String), (Module, Vec<String>)> = mentions
            .iter()
            .filter_map(|mention| {
                let name = mention.exported.clone()?;
                Some(((mention.module.clone(), name), (mention.module.clone(), mention.path.clone())))
            })
            .collect();
        let mut edges: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for mention in &mentions {
            let Some(from) = file(&files, &mention.module) else { continue };
            if let Some(to) = resolve(&files, &exports, &mention.module, &mention.path, 8)
                && to != from
            {
                edges.entry(from).or_default().insert(to);
            }
        }
        Self { files, edges }
    }

    /// Returns groups of files that import one another, each with the imports inside of it. A parent and its children may.
    pub fn circles(&self) -> Vec<Vec<(Module, Module)>> {
        let kin = |a: &Module, b: &Module| a.starts_with(b) || b.starts_with(a);
        let next = |from: &Module| {
            let from = from.clone();
            self.edges.get(&from).into_iter().flatten().filter(move |to| !kin(&from, to))
        };
        let reach: BTreeMap<&Module, BTreeSet<&Module>> = self
            .files
            .keys()
            .map(|start| {
                let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
                while let Some(module) = open.pop() {
                    open.extend(next(module).filter(|to| seen.insert(*to)));
                }
                (start, seen)
            })
            .collect();
        let mut groups: BTreeMap<BTreeSet<&Module>, Vec<(Module, Module)>> = BTreeMap::new();
        for (module, reached) in &reach {
            let group: BTreeSet<&Module> =
                reached.iter().copied().filter(|other| reach[other].contains(module)).collect();
            if group.is_empty() {
                continue;
            }
            let inside = next(module).filter(|to| group.contains(to)).map(|to| ((*module).clone(), to.clone()));
            groups.entry(group.clone()).or_default().extend(inside.collect::<Vec<_>>());
        }
        groups.into_values().collect()
    }
}

/// Returns the module of a file below `src`; the program's own `main.rs` is none.
fn module_of(path: &Path) -> Option<Module> {
    let mut parts: Module = path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    match parts.last()?.as_str() {
        "main" if parts.len() == 1 => return None,
        "mod" => drop(parts.pop()),
        "lib" if parts.len() == 1 => drop(parts.pop()),
        _ => {}
    }
    Some(parts)
}

/// Returns the file that a module, maybe an inline one, is in.
fn file(files: &BTreeMap<Module, PathBuf>, module: &[String]) -> Option<Module> {
    (0..=module.len()).rev().map(|length| module[..length].to_vec()).find(|module| files.contains_key(module))
}

/// Returns the file in which a path's item is, through re-exports; none if it is of another crate.
fn resolve(
    files: &BTreeMap<Module, PathBuf>,
    exports: &BTreeMap<(Module, String), (Module, Vec<String>)>,
    module: &[String],
    path: &[String],
    depth: usize,
) -> Option<Module> {
    let mut at: Module = module.to_vec();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" => at.clear(),
        "self" | "super" => {}
        // A module below the one that names it; anything else is another crate or a name of this file.
        first if files.contains_key(&[module, &[first.to_owned()]].concat()) => {}
        _ => return None,
    }
    while let Some(first) = rest.first() {
        match first.as_str() {
            "crate" | "self" => {}
            "super" => drop(at.pop()),
            name => {
                let below = [&at[..], &[name.to_owned()]].concat();
                if files.contains_key(&below) {
                    at = below;
                } else if let Some((module, path)) = exports.get(&(at.clone(), name.to_owned()))
                    && depth > 0
                {
                    return resolve(files, exports, module, path, depth - 1).or_else(|| file(files, &at));
                } else {
                    break;
                }
            }
        }
        rest = &rest[1..];
    }
    file(files, &at)
}

/// Reads the words of a file one after another.
struct Reader {
    words: Vec<String>,
    at: usize,
}

impl Reader {
    fn new(text: &str) -> Self {
        Self { words: words(text), at: 0 }
    }

    fn is(&self, ahead: usize, word: &str) -> bool {
        self.words.get(self.at + ahead).is_some_and(|found| found == word)
    }

    fn read(mut self, file: &[String], mentions: &mut Vec<Mention>, tests: &mut BTreeSet<Module>) {
        let (mut module, mut depth, mut inline) = (file.to_vec(), 0_usize, Vec::new());
        let mut is_public = false;
        while let Some(word) = self.words.get(self.at).cloned() {
            match word.as_str() {
                "#" if ["[", "cfg", "(", "test", ")", "]"].iter().enumerate().all(|(k, word)| self.is(k + 1, word)) => {
                    self.at += 7;
                    if let Some(name) = self.skip_item() {
                        tests.insert([&module[..], &[name]].concat());
                    }
                    continue;
                }
                "pub" => is_public = true,
                "mod" if self.is(2, "{") => {
                    module.push(self.words[self.at + 1].clone());
                    inline.push(depth);
                    depth += 1;
                    self.at += 2;
                }
                "{" => depth += 1,
                "}" => {
                    depth = depth.saturating_sub(1);
                    if inline.last() == Some(&depth) {
                        inline.pop();
                        module.pop();
                    }
                }
                "use" => {
                    self.at += 1;
                    self.tree(&module, &[], is_public, mentions);
                    is_public = false;
                }
                ";" | "fn" | "struct" | "enum" | "const" | "trait" | "type" | "static" => is_public = false,
                "crate" | "self" | "super" if self.is(1, "::") => {
                    let path = self.path();
                    mentions.push(Mention { module: module.clone(), path, exported: None });
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Takes words that `::` connects.
    fn path(&mut self) -> Vec<String> {
        let mut path = vec![self.words[self.at].clone()];
        self.at += 1;
        while self.is(0, "::") && self.words.get(self.at + 1).is_some_and(|word| is_name(word)) {
            path.push(self.words[self.at + 1].clone());
            self.at += 2;
        }
        path
    }

    /// Takes one tree of a `use`, up to the `,`, `}` or `;` behind it.
    fn tree(&mut self, module: &[String], before: &[String], is_public: bool, mentions: &mut Vec<Mention>) {
        if self.is(0, "::") {
            self.at += 1;
        }
        let mut path = before.to_vec();
        if self.words.get(self.at).is_some_and(|word| is_name(word)) {
            path.extend(self.path());
        }
        if self.is(0, "::") {
            self.at += 1;
        }
        if self.is(0, "{") {
            self.at += 1;
            while !self.is(0, "}") && self.at < self.words.len() {
                self.tree(module, &path, is_public, mentions);
                if self.is(0, ",") {
                    self.at += 1;
                }
            }
            self.at += 1;
            return;
        }
        if self.is(0, "*") {
            self.at += 1;
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let mut name = path.last().cloned();
        if self.is(0, "as") {
            name = self.words.get(self.at + 1).cloned();
            self.at += 2;
        }
        mentions.push(Mention { module: module.to_vec(), path, exported: name.filter(|_| is_public) });
    }

    /// Leaves out one item; returns its name if it is a module.
    fn skip_item(&mut self) -> Option<String> {
        let (mut depth, mut name) = (0_usize, None);
        while let Some(word) = self.words.get(self.at).cloned() {
            if word == "mod" && depth == 0 {
                name = self.words.get(self.at + 1).cloned();
            }
            self.at += 1;
            match word.as_str() {
                "{" => depth += 1,
                "}" if depth == 1 => return name,
                "}" => depth -= 1,
                ";" if depth == 0 => return name,
                _ => {}
            }
        }
        name
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_alphabetic() || first == '_') && word != "as"
}

/// Splits a file into names and signs, without comments, texts and characters.
fn words(text: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '"' {
            quoted(rest)
        } else if let Some(hashes) = raw_hashes(rest) {
            let open = rest.find('"').map_or(rest.len(), |quote| quote + 1);
            let close = format!("\"{}", "#".repeat(hashes));
            rest[open..].find(&close).map_or(rest.len(), |end| open + end + close.len())
        } else if first == '\'' {
            character(rest)
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            found.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            found.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                found.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

/// Returns the length of a quoted text with its quotes.
fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns how many `#` a raw text begins with; none if no raw text begins here.
fn raw_hashes(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = inner.len() - inner.trim_start_matches('#').len();
    inner[hashes..].starts_with('"').then_some(hashes)
}

/// Returns the length of a character with its quotes, or of the quote of a lifetime.
fn character(text: &str) -> usize {
    let mut letters = text.char_indices().skip(1);
    match letters.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(1, |end| end + 4),
        Some(_) => match letters.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}
