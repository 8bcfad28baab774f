//! The goldens of `tests/data/chat`, see `make_golden.py` there.

use std::path::PathBuf;

use puna_core::chat::{ChatTemplate, Message, Role, SpecialTokens};
use serde_json::Value;

/// The time at which the goldens were rendered, Unix seconds.
pub const NOW: i64 = 1_753_000_000;

fn path(file: &str) -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.join("data/chat").join(file)
}

pub fn read(file: &str) -> String {
    let path = path(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn json(file: &str) -> Vec<Value> {
    serde_json::from_str(&read(file)).expect("a JSON list")
}

/// The source of a template in `templates/`.
pub fn source(template: &str) -> String {
    read(&format!("templates/{template}.jinja"))
}

/// The messages of a conversation.
pub fn conversation(name: &str) -> Vec<Message> {
    let all = json("conversations.json");
    let found = all
        .iter()
        .find(|c| c["name"] == name)
        .expect("a conversation");
    let messages = found["messages"].as_array().expect("a list");
    messages
        .iter()
        .map(|m| {
            let role = Role::from_name(text(&m["role"])).expect("a role");
            Message::new(role, text(&m["content"]))
        })
        .collect()
}

pub fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

/// A template with the tokens that its goldens were made with.
pub fn template(entry: &Value) -> ChatTemplate {
    let (bos, eos) = (text(&entry["bos"]), text(&entry["eos"]));
    let control = [bos, eos].into_iter().filter(|name| !name.is_empty());
    let tokens = SpecialTokens {
        bos: bos.to_owned(),
        eos: eos.to_owned(),
        control: control.map(str::to_owned).collect(),
        user_defined: Vec::new(),
    };
    let name = text(&entry["template"]);
    ChatTemplate::with_special_tokens(&source(name), tokens)
        .unwrap_or_else(|error| panic!("{name}: {error}"))
        .at_time(NOW)
}
