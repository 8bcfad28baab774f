//! A conversation that goes on in a full context: the oldest turns leave, and only new words are computed.

use puna_core::{
    cancel::Cancel,
    chat::{Message, Role},
    conversation::{Conversation, ConversationError, Prefix},
    generate::{GenerateOptions, OnFull, StopReason},
    model::Model,
    session::{SessionError, SessionOptions},
    tokenizer::TokenId,
};
use puna_tests::script::{self, SYSTEM, answers, finish, template};

const N_CTX: usize = 160;

fn options() -> SessionOptions {
    SessionOptions {
        n_ctx: Some(N_CTX),
        ..script::options()
    }
}

fn start(model: &Model) -> Conversation {
    Conversation::new(model, template(model), Some(SYSTEM), &options()).unwrap()
}

/// Answers of tokens that are all text, as those of a trained model are.
fn shifting(model: &Model, seed: u64, max_tokens: usize) -> GenerateOptions {
    let tokenizer = model.tokenizer();
    let special: Vec<_> = tokenizer.special_texts().collect();
    let is_text = |token: &TokenId| {
        let bytes = tokenizer.token_bytes(*token).unwrap();
        str::from_utf8(&bytes).is_ok_and(|text| !special.contains(&text))
    };
    let mut options = GenerateOptions {
        on_full: OnFull::Shift {
            keep: 0,
            free: None,
        },
        max_tokens: Some(max_tokens),
        ..answers(seed)
    };
    let tokens = (0..tokenizer.n_vocab() as u32).map(TokenId);
    let others = tokens.filter(|token| !is_text(token) && !tokenizer.is_eog(*token));
    options.sampler.logit_bias = others.map(|token| (token, f32::NEG_INFINITY)).collect();
    options
}

/// The messages are the system's, and whole turns to the last.
fn is_whole(chat: &Conversation, last: &str) {
    let messages = chat.messages();
    assert_eq!(messages[0], Message::system(SYSTEM));
    let turns = messages[1..].chunks_exact(2);
    assert!(turns.remainder().is_empty());
    for turn in turns.clone() {
        assert_eq!((turn[0].role, turn[1].role), (Role::User, Role::Assistant));
    }
    assert_eq!(turns.last().unwrap()[0].content, last);
}

/// Tokens of the template's beginning and the system message.
fn opening(model: &Model) -> usize {
    let built = Prefix::build(
        model,
        template(model),
        Some(SYSTEM),
        &options(),
        &Cancel::new(),
    );
    built.unwrap().session().tokens().len()
}

/// Says `text`: the tokens that were computed before the answer.
fn say(chat: &mut Conversation, text: &str, options: &GenerateOptions) -> usize {
    finish(chat.send(text, options, &Cancel::new()).unwrap())
}

#[test]
fn the_oldest_turns_leave_and_only_new_words_are_computed() {
    let model = script::model();
    let mut chat = start(&model);
    let mut left = 0;
    // Of the first turn; what is common to all is computed but once.
    let most = {
        let mut other = start(&model);
        let first = say(
            &mut other,
            "then the 99 on a train there",
            &shifting(&model, 0, 8),
        );
        first - opening(&model)
    };
    for i in 0..60 {
        let text = format!("then the {i} on a train there");
        let before = chat.messages().len();
        let n_before = chat.session().tokens().len();
        let computed = say(&mut chat, &text, &shifting(&model, i, 8));
        is_whole(&chat, &text);
        let dropped = before + 2 - chat.messages().len();
        left += dropped;
        // An answer's last token, the end of its turn, and the next turn's words: never what was kept.
        let first = if i == 0 { opening(&model) } else { 0 };
        assert!(
            computed <= first + most + 8,
            "turn {i}: {computed}, not {most}"
        );
        if dropped == 0 && i > 0 {
            assert!(chat.session().tokens().len() > n_before);
        }
        // What the session holds is what the messages are.
        let rendered = template(&model).render(chat.messages(), false).unwrap();
        let tokens = chat.session().tokens();
        let spelt = model.tokenizer().detokenize(tokens, true);
        let shown: String = rendered.text().chars().take(40).collect();
        assert!(spelt.starts_with(&shown), "{spelt:?}\n{shown:?}");
        if dropped > 0 {
            // At least a quarter was free before the words and the answer.
            assert!(tokens.len() <= N_CTX * 3 / 4 + 8, "{}", tokens.len());
        }
    }
    assert!(left >= 80, "{left} messages left");
}

#[test]
fn turns_leave_in_the_midst_of_an_answer() {
    let model = script::model();
    let mut chat = start(&model);
    for i in 0..2 {
        say(
            &mut chat,
            &format!("then the {i} on a train"),
            &shifting(&model, i, 8),
        );
    }
    let n = chat.messages().len();
    assert_eq!(n, 5);
    // Longer than the context has room for.
    let mut options = shifting(&model, 3, N_CTX - chat.session().tokens().len());
    options.ignore_eos = true;
    let reply = chat.send("go on", &options, &Cancel::new()).unwrap();
    finish(reply);
    is_whole(&chat, "go on");
    assert!(chat.messages().len() < n + 2, "{}", chat.messages().len());
    // The next words still go on from there.
    let computed = say(&mut chat, "then", &shifting(&model, 4, 8));
    is_whole(&chat, "then");
    assert!(computed < 60, "{computed}");
}

#[test]
fn an_answer_longer_than_the_context_goes_on() {
    let model = script::model();
    let mut chat = start(&model);
    let mut options = shifting(&model, 3, 1000);
    options.ignore_eos = true;
    let mut reply = chat.send("go on", &options, &Cancel::new()).unwrap();
    while reply.next_piece().unwrap().is_some() {}
    assert_eq!(reply.stop_reason(), Some(StopReason::Length));
    assert_eq!(reply.tokens().len(), 1000);
    drop(reply);
    is_whole(&chat, "go on");
    // The template's beginning and the system message are still the session's first tokens.
    let opening = model.tokenizer().detokenize(chat.session().tokens(), true);
    assert!(
        opening.starts_with(&format!("<s>system: {SYSTEM}</s>")),
        "{opening}"
    );
    // The long answer leaves with its turn, as it does not fit.
    say(&mut chat, "then", &shifting(&model, 4, 8));
    is_whole(&chat, "then");
    assert_eq!(chat.messages().len(), 3);
    let computed = say(&mut chat, "and then", &shifting(&model, 5, 8));
    assert!(computed < 40, "{computed}");
}

#[test]
fn what_does_not_fit_alone_is_an_error_and_nothing_leaves() {
    let model = script::model();
    let mut chat = start(&model);
    for i in 0..3 {
        say(
            &mut chat,
            &format!("then the {i} on a train"),
            &shifting(&model, i, 8),
        );
    }
    let messages = chat.messages().to_vec();
    let long = "train ".repeat(200);
    let full = chat
        .send(&long, &shifting(&model, 9, 8), &Cancel::new())
        .map(drop);
    assert!(matches!(
        full,
        Err(ConversationError::Session(SessionError::ContextFull { .. }))
    ));
    assert_eq!(chat.messages(), messages);
    // Unless turns may leave, a full context is an error.
    let mut chat = start(&model);
    let full = (0..60).find_map(|i| {
        let text = format!("then the {i} on a train there");
        chat.send(&text, &answers(i), &Cancel::new())
            .map(finish)
            .err()
    });
    assert!(matches!(
        full,
        Some(ConversationError::Session(SessionError::ContextFull { .. }))
    ));
}

#[test]
fn a_turn_after_others_left_can_be_edited_answered_again_and_cancelled() {
    let model = script::model();
    let mut chat = start(&model);
    let go = Cancel::new();
    let mut i = 0;
    loop {
        let n = chat.messages().len();
        say(
            &mut chat,
            &format!("then the {i} on a train there"),
            &shifting(&model, i, 8),
        );
        if chat.messages().len() < n + 2 {
            break;
        }
        i += 1;
    }
    let messages = chat.messages().to_vec();
    let computed = finish(chat.regenerate(&shifting(&model, i, 8), &go).unwrap());
    assert_eq!(computed, 1);
    assert_eq!(chat.messages(), messages);
    let computed = finish(
        chat.edit_last("then the 999", &shifting(&model, 77, 8), &go)
            .unwrap(),
    );
    assert!(computed < 30, "{computed}");
    is_whole(&chat, "then the 999");

    // A turn for which others leave, and which is then taken back, leaves the rest as it is.
    let stop = Cancel::new();
    stop.cancel();
    for i in 100..160 {
        let text = format!("then the {i} on a train there");
        let before = chat.messages().to_vec();
        assert!(chat.send(&text, &shifting(&model, i, 8), &stop).is_err());
        let after = chat.messages();
        assert!(before.ends_with(&after[1..]), "{after:?}");
        let computed = say(&mut chat, &text, &shifting(&model, i, 8));
        is_whole(&chat, &text);
        assert!(computed < 40, "turn {i}: {computed}");
    }
}

#[test]
fn a_journal_and_a_state_hold_what_is_left() {
    let model = script::model();
    let dir = tempfile::tempdir().unwrap();
    let (journal, state) = (dir.path().join("journal"), dir.path().join("state"));
    let (mut chat, mut plain) = (start(&model), start(&model));
    chat.journal(&journal).unwrap();
    let mut most = 0;
    for i in 0..40 {
        let text = format!("then the {i} on a train there");
        let computed = say(&mut chat, &text, &shifting(&model, i, 8));
        assert_eq!(computed, say(&mut plain, &text, &shifting(&model, i, 8)));
        assert_eq!(chat.messages(), plain.messages(), "turn {i}");
        assert!(
            script::rows(chat.session()) == script::rows(plain.session()),
            "turn {i}"
        );
        // Every other turn in another process, as it were.
        if i % 4 == 1 {
            drop(chat);
            chat = start(&model);
            chat.journal(&journal).unwrap();
            assert_eq!(chat.messages(), plain.messages(), "turn {i}");
        } else if i % 4 == 3 {
            plain.save(&state).unwrap();
            plain = Conversation::restore(&model, template(&model), &state, &options()).unwrap();
        }
        let bytes = std::fs::metadata(journal.join("journal.puna"))
            .unwrap()
            .len();
        most = most.max(bytes);
    }
    // 64 bytes a token and the words, twice, and what is allowed beside.
    assert!(most < 2 * (N_CTX as u64 * 68 + 8000) + (64 << 10), "{most}");
}
