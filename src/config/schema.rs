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

/// Returns the commented config with every key and its default.
///
/// `examples`: one `[[source]]` with every key for each kind. The first is switched on, the others are comments.
pub fn default_toml(examples: &[&str]) -> String {
    let (first, more) = examples.split_first().map_or(("", &[][..]), |(first, more)| (*first, more));
    let commented = |text: &str| -> String {
        text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("#{line}\n") }).collect()
    };
    let more: Vec<String> = more.iter().map(|text| commented(text)).collect();
    DEFAULT_TOML.replace(FIRST_SOURCE, first).replace(MORE_SOURCES, &more.join("\n"))
}

/// Returns the JSON Schema of the config file.
///
/// `kinds`: the word of each kind of source with the schema of the keys that only it takes.
pub fn schema(kinds: &[(&str, Value)]) -> Value {
    let mut root = schemars::schema_for!(RawConfig).to_value();
    let common = root.pointer("/$defs/RawSource/properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let choices: Vec<Value> = kinds.iter().map(|(kind, own)| choice(kind, &common, own)).collect();
    let nested = kinds.iter().filter_map(|(_, own)| own.get("$defs")?.as_object());
    let nested: Map<String, Value> = nested.flat_map(|defs| defs.clone()).collect();
    if let Some(defs) = root.get_mut("$defs").and_then(Value::as_object_mut) {
        defs.extend(nested);
        let description =
            "One source of series and events. Which keys it takes besides `id` and `optional` depends on `kind`.";
        defs.insert("RawSource".to_owned(), json!({"description": description, "oneOf": choices}));
    }
    root
}

/// Returns the schema of one kind of source.
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
