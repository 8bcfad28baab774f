//! Renderings by Python's jinja2, token ids by llama.cpp.

use puna_core::chat::{ChatError, ChatTemplate};
use puna_core::tokenizer::{TokenId, Tokenizer};
use puna_tests::vocab;

use super::data::{NOW, conversation, json, source, template, text};

#[test]
fn renderings_are_those_of_hugging_face() {
    let mut checked = 0;
    for entry in json("renderings.json") {
        let template = template(&entry);
        for case in entry["cases"].as_array().expect("cases") {
            let name = text(&case["conversation"]);
            let prompt = case["add_generation_prompt"].as_bool().expect("a bool");
            let got = template.render(&conversation(name), prompt);
            let at = format!("{} on {name}, prompt {prompt}", entry["template"]);
            if let Some(expected) = case["text"].as_str() {
                let got = got.unwrap_or_else(|error| panic!("{at}: {error}"));
                assert_eq!(got.text(), expected, "{at}");
            } else if let Some(expected) = case["refused"].as_str() {
                match got {
                    Err(ChatError::Refused { reason }) => assert_eq!(reason, expected, "{at}"),
                    other => panic!("{at}: {other:?}"),
                }
            } else {
                assert!(
                    matches!(got, Err(ChatError::Render { .. })),
                    "{at}: {got:?}"
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 1000, "{checked}");
}

#[test]
fn ids_are_those_of_llama_cpp() {
    let cases = json("ids.json");
    let mut loaded: Option<(&str, &str, ChatTemplate, &Tokenizer)> = None;
    for case in &cases {
        let (vocabulary, name) = (text(&case["vocabulary"]), text(&case["template"]));
        if loaded
            .as_ref()
            .is_none_or(|(n, v, ..)| (*n, *v) != (name, vocabulary))
        {
            let tokenizer = vocab::tokenizer(vocabulary);
            let template = ChatTemplate::from_source(&source(name), tokenizer)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            loaded = Some((name, vocabulary, template.at_time(NOW), tokenizer));
        }
        let Some((.., template, tokenizer)) = &loaded else {
            unreachable!()
        };
        let conversation = conversation(text(&case["conversation"]));
        let prompt = case["add_generation_prompt"].as_bool().expect("a bool");
        let rendered = template.render(&conversation, prompt).expect("a rendering");
        let ids: Vec<TokenId> = case["ids"]
            .as_array()
            .expect("ids")
            .iter()
            .map(|id| TokenId(id.as_u64().expect("an id") as u32))
            .collect();
        let at = format!("{vocabulary}, {name}, {}", case["conversation"]);
        assert_eq!(
            rendered.encode(tokenizer),
            ids,
            "{at}: {:?}",
            rendered.text()
        );
    }
    assert!(cases.len() > 300, "{}", cases.len());
}
