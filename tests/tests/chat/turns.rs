//! Beginnings, further turns, and files without a template.

use puna_core::chat::{ChatError, ChatTemplate, LLAMA_2_CHAT, Message, SpecialTokens};
use puna_core::gguf::{Gguf, Writer};
use puna_core::tokenizer::{EncodeOptions, Fragment, TokenId, Tokenizer};
use puna_tests::vocab;

use super::data::{NOW, conversation, json, source, text};

const PLAIN: EncodeOptions = EncodeOptions {
    add_special: false,
    parse_special: false,
};

#[test]
fn bos_is_there_once_if_anyone_wants_it() {
    for (vocabulary, wanted) in [("llama-spm", true), ("llama-bpe", true), ("smollm2", false)] {
        let tokenizer = vocab::tokenizer(vocabulary);
        assert_eq!(tokenizer.add_bos(), wanted);
        let bos = tokenizer.bos().expect("BOS");
        for (source, expected) in [
            ("{{ messages[0].content }}", usize::from(wanted)),
            ("{{ bos_token }}{{ messages[0].content }}", 1),
        ] {
            let template = ChatTemplate::from_source(source, tokenizer).expect("a template");
            let rendered = template.render(&[Message::user("Hi")], true).expect("text");
            let ids = rendered.encode(tokenizer);
            let count = ids.iter().filter(|&&id| id == bos).count();
            assert_eq!(count, expected, "{vocabulary}, {source}: {ids:?}");
            assert_eq!(ids[0] == bos, expected == 1);
            let empty = template.render(&[Message::user("")], true).expect("text");
            assert_eq!(empty.encode(tokenizer).len(), expected);
        }
    }
}

/// The ids that a session holds after the answer, as the model gave them: pieces of the answer's text.
fn after_answer(tokenizer: &Tokenizer, prompt: &[TokenId], answer: &str) -> Vec<TokenId> {
    let spaced = tokenizer.encode("\n", PLAIN).len() == 2;
    // SentencePiece pieces carry their own leading space.
    let answer = if spaced { answer.trim_start() } else { answer };
    let mut ids = prompt.to_vec();
    ids.extend(tokenizer.encode_fragments([Fragment::Text(answer)], false));
    ids
}

#[test]
fn a_further_turn_adds_only_its_own_tokens() {
    for (vocabulary, name, answer) in [
        ("smollm2", "smollm2", "Four."),
        ("qwen2", "qwen2.5", "Four."),
        ("qwen2", "chatml-generation", "Four."),
        ("llama-bpe", "llama-3", "Four."),
        ("llama-bpe", "llama-3.1", "Four."),
        ("llama-bpe", "llama-3.2", "Four."),
        ("phi-3", "phi-3-mini", "Four."),
        ("phi-3", "phi-3-medium", "Four."),
        ("deepseek-coder", "deepseek-coder", "Four."),
        ("deepseek-llm", "deepseek-v2", " Four."),
        ("llama-spm", "llama-2", " Four."),
    ] {
        let tokenizer = vocab::tokenizer(vocabulary);
        let template = ChatTemplate::from_source(&source(name), tokenizer)
            .expect("a template")
            .at_time(NOW);
        let mut messages = vec![Message::user("What is 2 + 2?")];
        let mut text = String::new();
        let mut held: Vec<TokenId> = Vec::new();
        for turn in 0..3 {
            let rendered = template.render(&messages, true).expect("text");
            let new = rendered.encode_after(tokenizer, &text);
            let new = new.unwrap_or_else(|| {
                panic!("{name}, turn {turn}: {text:?} then {:?}", rendered.text())
            });
            held.extend(&new);
            assert_eq!(
                held,
                rendered.encode(tokenizer),
                "{name}, turn {turn}: {:?}",
                rendered.text()
            );
            assert!(turn == 0 || new.len() < 40, "{name}: {}", new.len());
            text = rendered.text().to_owned() + answer;
            held = after_answer(tokenizer, &held, answer);
            messages.push(Message::assistant(answer.trim()));
            messages.push(Message::user(format!("And {turn} + 3?")));
        }
    }
}

#[test]
fn what_does_not_go_on_is_encoded_anew() {
    let tokenizer = vocab::tokenizer("smollm2");
    let template = ChatTemplate::from_source(&source("smollm2"), tokenizer).expect("a template");
    let messages = [
        Message::user("a"),
        Message::assistant("b"),
        Message::user("c"),
    ];
    let rendered = template.render(&messages, true).expect("text");
    let first = template.render(&messages[..1], true).expect("text");
    let go_on = |already: &str| rendered.encode_after(tokenizer, already);
    assert!(go_on(&format!("{}b", first.text())).is_some());
    assert!(
        go_on(&format!("{}x", first.text())).is_none(),
        "another answer"
    );
    assert!(
        go_on(&format!("{}b<|im_", first.text())).is_none(),
        "inside a token"
    );
    assert!(go_on(&format!("{}b<|im_end|>", first.text())).is_some());
    assert_eq!(go_on(rendered.text()), Some(Vec::new()));
    assert_eq!(go_on(""), Some(rendered.encode(tokenizer)));
    // What a message spells is text here too.
    let messages = [
        Message::user("a<|im_end|>b"),
        Message::assistant("b"),
        Message::user("c"),
    ];
    let first = template.render(&messages[..1], true).expect("text");
    let second = template.render(&messages, true).expect("text");
    let ids = second.encode_after(tokenizer, &format!("{}b", first.text()));
    assert_eq!(
        ids,
        go_on(&format!(
            "{}b",
            template
                .render(&[Message::user("a")], true)
                .expect("text")
                .text()
        ))
    );
}

fn file(pairs: &[(&str, &str)]) -> Gguf {
    let mut writer = Writer::new();
    for (key, value) in pairs {
        writer.kv(*key, *value);
    }
    Gguf::from_bytes(writer.to_bytes()).expect("a file")
}

#[test]
fn llama_2_chat_needs_no_template_in_its_file() {
    let tokenizer = vocab::tokenizer("llama-spm");
    let model = |architecture, vocabulary, name| {
        let gguf = file(&[
            ("general.architecture", architecture),
            ("tokenizer.ggml.model", vocabulary),
            ("general.name", name),
        ]);
        ChatTemplate::from_gguf(&gguf, tokenizer)
    };
    for name in ["Llama-2-7b-chat-hf", "llama-2-13b-chat", "LLaMA 2 70B Chat"] {
        let template = model("llama", "llama", name).expect("the built-in template");
        assert_eq!(template.source(), LLAMA_2_CHAT, "{name}");
    }
    for (architecture, vocabulary, name) in [
        ("llama", "llama", "LLaMA v2"),
        ("llama", "gpt2", "Llama-3-chat"),
        ("falcon", "llama", "llama chat"),
        ("llama", "llama", "TinyLlama-1.1B-Chat"),
        ("llama", "llama", "mistral-chat"),
    ] {
        let refused = model(architecture, vocabulary, name);
        let named = matches!(&refused, Err(ChatError::NoTemplate { name: n }) if n == name);
        assert!(named, "{refused:?}");
    }
    let own = file(&[
        ("tokenizer.chat_template", "own"),
        ("general.architecture", "llama"),
    ]);
    let own = ChatTemplate::from_gguf(&own, tokenizer).expect("its own");
    assert_eq!(own.source(), "own");
}

#[test]
fn llama_2_chat_is_metas() {
    let tokens = SpecialTokens {
        bos: "<s>".into(),
        eos: "</s>".into(),
        control: vec!["<s>".into(), "</s>".into()],
        user_defined: Vec::new(),
    };
    let template = ChatTemplate::with_special_tokens(LLAMA_2_CHAT, tokens).expect("a template");
    let messages = [
        Message::system("Be brief."),
        Message::user(" Hello \n"),
        Message::assistant(" Hi. "),
        Message::user("Bye"),
    ];
    let rendered = template.render(&messages, true).expect("text");
    assert_eq!(
        rendered.text(),
        "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n Hello [/INST] Hi. </s><s>[INST] Bye [/INST]"
    );
    let entries = json("renderings.json");
    let entry = entries
        .iter()
        .find(|e| e["template"] == "llama-2")
        .expect("Llama 2");
    let mut checked = 0;
    for case in entry["cases"].as_array().expect("cases") {
        let (name, prompt) = (
            text(&case["conversation"]),
            case["add_generation_prompt"] == true,
        );
        let Some(expected) = case["text"].as_str().filter(|_| name != "system-last") else {
            continue;
        };
        let rendered = template.render(&conversation(name), prompt).expect("text");
        assert_eq!(rendered.text(), expected, "{name}");
        checked += 1;
    }
    assert_eq!(checked, 22);
}
