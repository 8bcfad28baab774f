//! A conversation that never waits twice: a shared beginning, an edited turn, and a chat that outlives its
//! process. Run it twice: the second time it goes on.
//!
//! ```sh
//! cargo run --release -p puna-core --example sessions -- MODEL.gguf FOLDER
//! ```

use std::{error::Error, io::Write, path::Path};

use puna_core::{
    cancel::Cancel,
    chat::ChatTemplate,
    conversation::{Conversation, Prefix, Reply},
    generate::GenerateOptions,
    model::Model,
    session::SessionOptions,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(model), Some(dir)) = (args.next(), args.next()) else {
        return Err("sessions MODEL.gguf FOLDER".into());
    };
    talk(Path::new(&model), Path::new(&dir))
}

/// Talks, and keeps everything in `dir`.
///
/// # Errors
/// Any of the library's.
pub fn talk(model: &Path, dir: &Path) -> Result<(), Box<dyn Error>> {
    let model = Model::open(model)?;
    let template = ChatTemplate::from_gguf(model.gguf(), model.tokenizer())?;
    let (options, cancel) = (SessionOptions::default(), Cancel::new());
    let answers = GenerateOptions {
        max_tokens: Some(16),
        ..GenerateOptions::default()
    };

    // The system message is computed once, ever; conversations share its keys and values.
    let system = Some("You are a helpful AI assistant.");
    let (prefix, _) = Prefix::kept_in(dir, &model, template, system, &options, &cancel)?;
    let mut chat = prefix.conversation();

    // From here on every turn is on disk before its reply ends. If an earlier process left a conversation, this
    // is it, and nothing is computed again.
    chat.journal(&dir.join("journal"))?;
    println!("{} messages so far", chat.messages().len());

    show(chat.send("Name a color.", &answers, &cancel)?)?;
    // Only what differs is computed: a few words; for another answer, one token.
    show(chat.edit_last("Name an animal.", &answers, &cancel)?)?;
    show(chat.regenerate(&answers, &cancel)?)?;

    // A fork costs no memory until the two differ, and has no journal.
    let mut what_if = chat.fork();
    show(what_if.send("And a plant?", &answers, &cancel)?)?;

    // One file, to be sent elsewhere or kept: `Conversation::restore` is the way back.
    chat.save(&dir.join("chat.puna"))?;
    Ok(())
}

/// Prints an answer as it comes.
fn show(mut reply: Reply<&mut Conversation>) -> Result<(), Box<dyn Error>> {
    while let Some(piece) = reply.next_piece()? {
        print!("{piece}");
        std::io::stdout().flush()?;
    }
    let computed = reply.timings().prefill_tokens;
    println!("   [{computed} tokens computed before it]");
    Ok(())
}
