//! A conversation by rote: the same steps in every process, so that one process can be judged by another.

use puna_core::{
    cancel::Cancel,
    chat::ChatTemplate,
    conversation::{Conversation, Reply},
    generate::GenerateOptions,
    model::Model,
    sampler::SamplerParams,
    session::{Session, SessionOptions},
};
use puna_kernels::{Kernels, WeightType};

use crate::tiny::{Shape, Tiny};

const TEMPLATE: &str = "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}\
                        {% if add_generation_prompt %}<s>assistant: {% endif %}";
/// What opens the conversation.
pub const SYSTEM: &str = "be on the train in an hour";

/// A model whose cache takes 64 bytes a token, with kernels whose results do not depend on how many tokens
/// are computed at once.
#[must_use]
pub fn model() -> Model {
    let shape = Shape {
        n_layer: 1,
        n_embd: 64,
        n_ff: 96,
        ..Shape::of(WeightType::Q8_0).heads(4, 1).head_dim(16)
    };
    Tiny::new(shape).model().with_kernels(Kernels::best_exact())
}

/// The template that it speaks.
///
/// # Panics
/// Never: it is one.
#[must_use]
pub fn template(model: &Model) -> ChatTemplate {
    ChatTemplate::from_source(TEMPLATE, model.tokenizer()).expect("a template")
}

/// One thread, so that a session costs little.
#[must_use]
pub fn options() -> SessionOptions {
    SessionOptions {
        n_ctx: Some(1000),
        n_threads: Some(1),
        n_batch: 64,
        ..SessionOptions::default()
    }
}

/// An empty conversation.
///
/// # Panics
/// When there is no memory.
#[must_use]
pub fn start(model: &Model) -> Conversation {
    Conversation::new(model, template(model), Some(SYSTEM), &options()).expect("a conversation")
}

/// Answers of up to 8 tokens, drawn by `seed`.
#[must_use]
pub fn answers(seed: u64) -> GenerateOptions {
    GenerateOptions {
        max_tokens: Some(8),
        sampler: SamplerParams {
            seed,
            temperature: 1.0,
            ..SamplerParams::default()
        },
        ..GenerateOptions::default()
    }
}

/// Takes an answer to its end: the tokens that were computed before its first.
///
/// # Panics
/// When it fails.
pub fn finish(mut reply: Reply<&mut Conversation>) -> usize {
    while reply.next_piece().expect("a piece").is_some() {}
    reply.timings().prefill_tokens
}

/// The step of number `i`: mostly words and an answer, at times other words, another answer, or all forgotten.
///
/// # Panics
/// When it fails.
pub fn step(conversation: &mut Conversation, i: usize) {
    let (options, go) = (answers(i as u64), Cancel::new());
    let text = format!("then the {i} on a train there");
    let reply = match i % 10 {
        3 | 8 => conversation.edit_last(&text, &options, &go),
        5 => conversation.regenerate(&options, &go),
        9 => return conversation.reset().expect("a reset"),
        _ => conversation.send(&text, &options, &go),
    };
    finish(reply.expect("a reply"));
}

/// Every row of the cache.
#[must_use]
pub fn rows(session: &Session) -> Vec<u8> {
    let (cache, c) = (session.cache(), session.model().config());
    let mut rows = Vec::new();
    for pos in 0..session.tokens().len() {
        for layer in 0..c.n_layer {
            for head in 0..c.n_head_kv {
                rows.extend_from_slice(cache.keys(layer, head, pos..pos + 1));
                rows.extend_from_slice(cache.values(layer, head, pos..pos + 1));
            }
        }
    }
    rows
}
