//! Conversations: messages and the model's own template.
//!
//! [`ChatTemplate`] renders [`Message`]s as the model was trained to read them, in a sandbox that no
//! template leaves or exhausts; [`Rendered`] turns the text into token ids such that no message can forge a
//! turn, and encodes only what is new when a conversation goes on.

mod builtin;
mod encode;
mod error;
mod guard;
mod message;
mod sandbox;
mod template;

pub use builtin::LLAMA_2_CHAT;
pub use encode::Rendered;
pub use error::ChatError;
pub use message::{Message, Role};
pub use template::{ChatTemplate, SpecialTokens};
