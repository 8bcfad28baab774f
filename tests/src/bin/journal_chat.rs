//! Chats by [`puna_tests::script`] until it is killed: `journal_chat FOLDER FIRST-STEP`. Prints the number of
//! each step when it has ended.

use std::{io::Write, path::Path};

use puna_tests::script;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, first] = args.as_slice() else {
        panic!("journal_chat FOLDER FIRST-STEP");
    };
    let first: usize = first.parse().expect("a number");
    let model = script::model();
    let mut conversation = script::start(&model);
    conversation.journal(Path::new(dir)).expect("the journal");
    // An end, for the case that nobody kills it.
    for i in first..first + 2_000 {
        script::step(&mut conversation, i);
        let mut out = std::io::stdout();
        writeln!(out, "{i}")
            .and_then(|()| out.flush())
            .expect("stdout");
    }
}
