//! A process that chats is killed at random moments; the journal has every turn that had ended.
//!
//! `PUNA_KILLS` sets how often; 20 unless given.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use puna_core::{chat::Message, conversation::Conversation, model::Model, tokenizer::TokenId};
use puna_tests::{script, tiny::Rng};

/// What a conversation is after so many steps, in a process that lives.
struct Reference {
    chat: Conversation,
    after: Vec<State>,
}

/// Messages, tokens and rows.
type State = (Vec<Message>, Vec<TokenId>, Vec<u8>);

fn state(chat: &Conversation) -> State {
    // What a forgotten turn leaves in the session is not part of the conversation.
    let forgotten = chat.messages().len() <= 1;
    let (tokens, rows) = match forgotten {
        true => Default::default(),
        false => (
            chat.session().tokens().to_vec(),
            script::rows(chat.session()),
        ),
    };
    (chat.messages().to_vec(), tokens, rows)
}

impl Reference {
    fn new(model: &Model) -> Self {
        let chat = script::start(model);
        let after = vec![state(&chat)];
        Self { chat, after }
    }

    fn after(&mut self, n_steps: usize) -> &State {
        while self.after.len() <= n_steps {
            let i = self.after.len() - 1;
            script::step(&mut self.chat, i);
            self.after.push(state(&self.chat));
        }
        &self.after[n_steps]
    }
}

fn start(dir: &Path, first: usize) -> Child {
    Command::new(env!("CARGO_BIN_EXE_journal_chat"))
        .arg(dir)
        .arg(first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the process starts")
}

#[test]
fn a_kill_at_any_moment_costs_only_the_unfinished_turn() {
    let kills = std::env::var("PUNA_KILLS").map_or(20, |n| n.parse().expect("a number"));
    let (model, dir) = (script::model(), tempfile::tempdir().unwrap());
    let mut reference = Reference::new(&model);
    let mut rng = Rng::new(20_261_122);
    let (mut done, mut in_a_turn) = (0, 0);
    for kill in 0..kills {
        let mut child = start(dir.path(), done);
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        // Some are killed before the first step has ended, some between two, most in one.
        let mut acknowledged = done;
        for _ in 0..rng.below(6) {
            let line = lines.next().expect("a step").expect("a line");
            acknowledged = line.parse::<usize>().expect("a number") + 1;
        }
        std::thread::sleep(Duration::from_micros(rng.below(30_000) as u64));
        child.kill().expect("a kill");
        child.wait().expect("an end");
        for line in lines {
            acknowledged = line.expect("a line").parse::<usize>().expect("a number") + 1;
        }

        let mut chat = script::start(&model);
        chat.journal(dir.path()).expect("the journal opens");
        let found = state(&chat);
        let n = [acknowledged, acknowledged + 1]
            .into_iter()
            .find(|&n| reference.after(n) == &found);
        done =
            n.unwrap_or_else(|| panic!("kill {kill}: after {acknowledged} steps: {:?}", found.0));
        in_a_turn += usize::from(done == acknowledged);
    }
    println!("{kills} kills, {in_a_turn} with nothing written since the last step; {done} steps");
    assert!(done > kills, "the conversation went on");
}
