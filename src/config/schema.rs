//! The JSON Schema of the config file and the commented file with every default, put together with what the kinds of
//! sources say about their own keys.

use serde_json::{Map, Value, json};

use super::raw::RawConfig;

/// The commented config with the keys that do not depend on the kinds of sources.
const DEFAULT_TOML: &str = include_str!("default.toml");

/// Line of [`DEFAULT_TOML`] that stands for the source that is switched on.
const FIRST_SOURCE: &str = "#{first source}\n";

/// Line of [`DEFAULT_TOML`] that stands for the examples of the other kinds.
const MORE_SOURCES: &str = "#{more sources}\n";

/// Line of [`DEFAULT_TOML`] that stands for the examples of places.
const TARGETS: &str = "#{targets}\n";

/// Returns the commented config with every key and its default.
///
/// `examples`: one `[[source]]` with every key for each kind. The first is switched on, the others are comments.
/// `targets`: one `[[publish]]` with every key for each kind of place; all are comments.
pub fn default_toml(examples: &[&str], targets: &[&str]) -> String {
    let (first, more) = examples.split_first().map_or(("", &[][..]), |(first, more)| (*first, more));
    let commented = |text: &str| -> String {
        text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("#{line}\n") }).collect()
    };
    let all = |texts: &[&str]| texts.iter().map(|text| commented(text)).collect::<Vec<_>>().join("\n");
    DEFAULT_TOML.replace(FIRST_SOURCE, first).replace(MORE_SOURCES, &all(more)).replace(TARGETS, &all(targets))
}

/// Returns the JSON Schema of the config file.
///
/// `sources`, `targets`: the word of each kind with the schema of the keys that only it takes.
pub fn schema(sources: &[(&str, Value)], targets: &[(&str, Value)]) -> Value {
    let mut root = schemars::schema_for!(RawConfig).to_value();
    let about = "One source of series and events. Which keys it takes besides `id` and `optional` depends on `kind`.";
    split(&mut root, "RawSource", about, sources);
    let about = "One place that reports are brought to. Which keys it takes besides `id` depends on `kind`.";
    split(&mut root, "RawPublish", about, targets);
    root
}

/// Replaces the schema of an entry by one for each kind.
fn split(root: &mut Value, name: &str, about: &str, kinds: &[(&str, Value)]) {
    let path = format!("/$defs/{name}/properties");
    let common = root.pointer(&path).and_then(Value::as_object).cloned().unwrap_or_default();
    let choices: Vec<Value> = kinds.iter().map(|(kind, own)| choice(kind, &common, own)).collect();
    let nested = kinds.iter().filter_map(|(_, own)| own.get("$defs")?.as_object());
    let nested: Map<String, Value> = nested.flat_map(|defs| defs.clone()).collect();
    if let Some(defs) = root.get_mut("$defs").and_then(Value::as_object_mut) {
        defs.extend(nested);
        defs.insert(name.to_owned(), json!({"description": about, "oneOf": choices}));
    }
}

/// Returns the schema of one kind.
fn choice(kind: &str, common: &Map<String, Value>, own: &Value) -> Value {
    let mut properties = common.clone();
    let what = common.get("kind").and_then(|schema| schema.get("description")).cloned().unwrap_or_default();
    properties.insert("kind".to_owned(), json!({"description": what, "const": kind}));
    properties.extend(own.get("properties").and_then(Value::as_object).cloned().unwrap_or_default());
    json!({
        "title": kind,
        "type": "object",
        "properties": properties,
        "required": ["kind"],
        "additionalProperties": false,
    })
}
