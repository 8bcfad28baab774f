//! Where a conversation comes from, and where it is kept.

use std::path::PathBuf;

use anyhow::{Context, Result};
use puna_core::{
    cancel::Cancel,
    chat::{ChatTemplate, Role},
    conversation::{Conversation, Prefix},
    model::Model,
    session::SessionOptions,
};

use crate::output::say;

/// Where a conversation comes from, and where it is kept.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Conversation")]
pub struct KeepArgs {
    /// Keeps the conversation in this folder, turn by turn, and goes on with what is there
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Goes on with a conversation that --save or /save wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = ["journal", "system", "prewarm_dir"])]
    restore: Option<PathBuf>,
    /// Saves the conversation to this file when it ends
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Keeps the computed system message in this folder, so that the next start is quicker
    #[arg(long, value_name = "DIR")]
    prewarm_dir: Option<PathBuf>,
}

impl KeepArgs {
    /// The conversation to go on with, or a new one opened by `system`.
    ///
    /// # Errors
    /// What is wrong with which file or folder.
    pub fn open(
        &self,
        model: &Model,
        template: ChatTemplate,
        system: Option<&str>,
        options: &SessionOptions,
    ) -> Result<Conversation> {
        let shown = |path: &PathBuf| path.display().to_string();
        let mut conversation = if let Some(path) = &self.restore {
            Conversation::restore(model, template, path, options).with_context(|| shown(path))?
        } else if let Some(dir) = &self.prewarm_dir {
            let go = Cancel::new();
            let prefix = Prefix::kept_in(dir, model, template, system, options, &go);
            let (prefix, was_there) = prefix.with_context(|| shown(dir))?;
            let n = prefix.session().tokens().len();
            let how = if was_there {
                "kept"
            } else {
                "computed and kept"
            };
            log::info!("the conversation's first {n} tokens were {how}");
            prefix.conversation()
        } else {
            Conversation::new(model, template, system, options)?
        };
        if let Some(dir) = &self.journal {
            conversation.journal(dir).with_context(|| shown(dir))?;
        }
        Ok(conversation)
    }

    /// Saves the conversation, if that was asked for.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, conversation: &Conversation) -> Result<()> {
        if let Some(path) = &self.save {
            conversation.save(path)?;
        }
        Ok(())
    }
}

/// Tells a person that a conversation goes on, and by whose system message.
pub fn note_resumed(conversation: &Conversation, wanted: Option<&str>) {
    let messages = conversation.messages();
    let turns = messages.iter().filter(|m| m.role == Role::User).count();
    if turns == 0 {
        return;
    }
    say(&format!(
        "(goes on after {turns} turns; /reset forgets them)"
    ));
    let system = messages.iter().find(|m| m.role == Role::System);
    if system.map(|m| m.content.as_str()) != wanted {
        say("(the system message is the one that the conversation began with)");
    }
}
