//! A new turn, other words and another answer compute only from the first token that differs.

use puna_core::{
    cancel::Cancel,
    chat::ChatTemplate,
    conversation::{Conversation, ConversationError, Prefix},
    generate::GenerateOptions,
    model::Model,
    session::{Session, SessionError, SessionOptions},
};
use puna_kernels::Kernels;
use puna_tests::model::default_model;
use puna_tests::script::{self, SYSTEM, answers, finish, options};

fn bits(session: &Session) -> Vec<u32> {
    session.logits().iter().map(|l| l.to_bits()).collect()
}

/// The session has the logits and rows of one that computes its tokens afresh.
fn as_afresh(session: &Session) {
    let mut fresh = Session::new(session.model(), &options()).unwrap();
    fresh.prefill(session.tokens(), &Cancel::new()).unwrap();
    assert_eq!(bits(session), bits(&fresh), "logits");
    assert!(script::rows(session) == script::rows(&fresh), "rows");
}

/// Tokens that `tokens` do not have in common with `before`, at least one.
fn differ(
    before: &[puna_core::tokenizer::TokenId],
    tokens: &[puna_core::tokenizer::TokenId],
) -> usize {
    let same = before
        .iter()
        .zip(tokens)
        .take_while(|(a, b)| a == b)
        .count();
    tokens.len() - same.min(tokens.len() - 1)
}

#[test]
fn edited_words_are_computed_from_the_first_that_differs() {
    let model = script::model();
    let (mut chat, go) = (script::start(&model), Cancel::new());
    for i in 0..3 {
        script::step(&mut chat, i);
    }
    let n_messages = chat.messages().len();
    let before = chat.session().tokens().to_vec();
    let text = "then the 2 on another train";
    let reply = chat.edit_last(text, &answers(77), &go).unwrap();
    let computed = finish(reply);
    let tokens = chat.session().tokens();
    as_afresh(chat.session());
    assert_eq!(chat.messages().len(), n_messages);
    assert_eq!(chat.messages()[n_messages - 2].content, text);
    // 8 tokens were made, of which the last is not computed.
    assert_eq!(computed, differ(&before, &tokens[..tokens.len() - 7]));
    assert!(computed < 30, "{computed} of {}", tokens.len());
    let edited = chat.messages()[n_messages - 1].content.clone();

    // The same words and seed: the same answer, for one token.
    let reply = chat.regenerate(&answers(77), &go).unwrap();
    assert_eq!(finish(reply), 1);
    assert_eq!(chat.messages()[n_messages - 1].content, edited);
    let reply = chat.regenerate(&answers(78), &go).unwrap();
    assert_eq!(finish(reply), 1);
    assert_ne!(chat.messages()[n_messages - 1].content, edited);
    assert_eq!(chat.messages().len(), n_messages);
    as_afresh(chat.session());
}

#[test]
fn an_edit_that_is_given_up_leaves_the_turn_there() {
    let model = script::model();
    let (mut chat, go) = (script::start(&model), Cancel::new());
    assert!(matches!(
        chat.regenerate(&answers(1), &go),
        Err(ConversationError::NoTurn)
    ));
    for i in 0..3 {
        script::step(&mut chat, i);
    }
    let dir = tempfile::tempdir().unwrap();
    chat.journal(dir.path()).unwrap();
    let journal = || std::fs::read(dir.path().join("journal.puna")).unwrap();
    let (messages, written) = (chat.messages().to_vec(), journal());
    let mut reply = chat.edit_last("something else", &answers(5), &go).unwrap();
    reply.next_piece().unwrap();
    drop(reply);
    assert_eq!(chat.messages(), messages);

    let stop = Cancel::new();
    stop.cancel();
    let cancelled = chat.edit_last("and else", &answers(5), &stop);
    assert!(matches!(
        cancelled,
        Err(ConversationError::Session(SessionError::Cancelled))
    ));
    drop(cancelled);
    let long = "train ".repeat(900);
    let full = chat.edit_last(&long, &answers(5), &go);
    assert!(matches!(
        full,
        Err(ConversationError::Session(SessionError::ContextFull { .. }))
    ));
    drop(full);
    assert_eq!(chat.messages(), messages);
    assert!(journal() == written, "the journal has the turn still");
    // And so would the next process.
    let copy = tempfile::tempdir().unwrap();
    std::fs::write(copy.path().join("journal.puna"), written).unwrap();
    let mut reopened = script::start(&model);
    reopened.journal(copy.path()).unwrap();
    assert_eq!(reopened.messages(), messages);
    script::step(&mut chat, 4);
    as_afresh(chat.session());
    assert_eq!(chat.messages()[..messages.len()], messages);
    assert_eq!(chat.messages().len(), messages.len() + 2);
}

#[test]
fn a_new_turn_after_one_that_was_given_up_computes_only_the_rest() {
    let model = script::model();
    let (mut chat, go) = (script::start(&model), Cancel::new());
    script::step(&mut chat, 0);
    script::step(&mut chat, 1);
    let n = chat.session().tokens().len();
    drop(chat.send("in the end one train", &answers(3), &go).unwrap());
    let reply = chat
        .send("in the end one more train", &answers(3), &go)
        .unwrap();
    let computed = finish(reply);
    assert!(computed < chat.session().tokens().len() - n, "{computed}");
    as_afresh(chat.session());
}

#[test]
fn conversations_of_one_prefix_compute_the_system_message_once() {
    let model = script::model();
    let go = Cancel::new();
    let template = script::template(&model);
    let prefix = Prefix::build(&model, template, Some(SYSTEM), &options(), &go).unwrap();
    let n_prefix = prefix.session().tokens().len();
    assert!(n_prefix > 20, "{n_prefix}");
    let ask = |chat: &mut Conversation| {
        let reply = chat.send("Zen on a train", &answers(9), &go).unwrap();
        finish(reply)
    };
    let (mut one, mut two, mut alone) = (
        prefix.conversation(),
        prefix.conversation(),
        script::start(&model),
    );
    assert_eq!(one.session().cache().n_shared_pages(), 1);
    let whole = ask(&mut alone);
    assert_eq!(ask(&mut one), whole - n_prefix);
    assert_eq!(ask(&mut two), whole - n_prefix);
    assert_eq!(one.messages(), alone.messages());
    assert_eq!(two.messages(), alone.messages());
    as_afresh(one.session());
    // Words that merge with the prefix's last token, or begin as the probes do.
    for text in ["a", "Z", " a", "\n", "", "</s>", "\u{2581}"] {
        let (mut chat, mut alone) = (prefix.conversation(), script::start(&model));
        finish(chat.send(text, &answers(4), &go).unwrap());
        finish(alone.send(text, &answers(4), &go).unwrap());
        assert_eq!(
            chat.session().tokens(),
            alone.session().tokens(),
            "{text:?}"
        );
        as_afresh(chat.session());
    }
}

#[test]
fn a_prefix_is_kept_for_its_model_words_and_cache() {
    let model = script::model();
    let dir = tempfile::tempdir().unwrap();
    let (go, template) = (Cancel::new(), script::template(&model));
    let kept = |system, options: SessionOptions| {
        let template = template.clone();
        let kept = Prefix::kept_in(dir.path(), &model, template, system, &options, &go);
        let (prefix, was_there) = kept.unwrap();
        let mut chat = prefix.conversation();
        finish(chat.send("Zen on a train", &answers(9), &go).unwrap());
        as_afresh(chat.session());
        was_there
    };
    assert!(!kept(Some(SYSTEM), options()));
    assert!(kept(Some(SYSTEM), options()));
    assert!(!kept(Some("another"), options()));
    assert!(!kept(None, options()));
    assert!(kept(None, options()));
    // One that is broken is built anew.
    for file in std::fs::read_dir(dir.path()).unwrap() {
        std::fs::write(file.unwrap().path(), "broken").unwrap();
    }
    assert!(!kept(None, options()));
    assert!(kept(None, options()));
}

/// The question is long enough for the tier of bfloat16, whose bits are others than those of the one token that is computed
/// after a reset: there the answers may differ. So the exact kernels, which every phone has.
#[test]
fn a_chat_that_was_reset_answers_as_a_new_one() {
    let model = Model::open(&default_model()).unwrap();
    let model = model.with_kernels(Kernels::best_exact());
    let options = SessionOptions {
        n_ctx: Some(512),
        n_threads: Some(1),
        ..SessionOptions::default()
    };
    let template = ChatTemplate::from_gguf(model.gguf(), model.tokenizer()).unwrap();
    let mut chat = Conversation::new(&model, template, None, &options).unwrap();
    let mut ask = |seed, max_tokens| {
        chat.reset().unwrap();
        let answers = GenerateOptions {
            max_tokens: Some(max_tokens),
            ..answers(seed)
        };
        let computed = finish(
            chat.send("Tell me a story.", &answers, &Cancel::new())
                .unwrap(),
        );
        let tokens = chat.session().tokens().to_vec();
        (computed, tokens, bits(chat.session()))
    };
    // Of one token, so that the logits are those from which it was drawn; and of some.
    let (new, reset) = (ask(7, 1), ask(7, 1));
    assert!(
        new.0 >= 32 && reset.0 == 1,
        "{} and {} tokens",
        new.0,
        reset.0
    );
    assert!(new.2 == reset.2, "logits");
    assert_eq!(ask(7, 8).1, ask(7, 8).1);
    assert_ne!(ask(7, 8).1, ask(8, 8).1);
}
