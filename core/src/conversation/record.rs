//! A conversation's words, and what its session's tokens spell, as bytes.

use super::{Held, Turn};
use crate::{
    chat::{Message, Role},
    saved::{
        StateError,
        fields::{Reader, Writer, token},
    },
};

/// What is kept of a conversation besides its session.
#[derive(Debug)]
pub(super) struct Chat<'a> {
    pub messages: &'a [Message],
    pub held: &'a Held,
    pub last: Option<&'a Turn>,
}

/// The way back from [`Chat`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OwnedChat {
    pub messages: Vec<Message>,
    pub held: Held,
    pub last: Option<Turn>,
}

/// A message takes at least its role and the length of its text.
const LEAST_MESSAGE: usize = 5;
/// Stands for no token.
const NO_TOKEN: u32 = u32::MAX;

impl Chat<'_> {
    pub fn write(&self, out: &mut Writer) {
        out.count(self.messages.len());
        for message in self.messages {
            let role = Role::ALL.iter().position(|role| *role == message.role);
            out.u8(role.expect("every role is in ALL") as u8);
            out.text(&message.content);
        }
        write_held(self.held, out);
        out.u8(self.last.is_some().into());
        if let Some(turn) = self.last {
            out.count(turn.n_messages);
            write_held(&turn.held, out);
        }
    }
}

fn write_held(held: &Held, out: &mut Writer) {
    out.count(held.n_tokens);
    out.u32(held.pending.map_or(NO_TOKEN, |token| token.0));
    out.u8(held.text.is_some().into());
    if let Some(text) = &held.text {
        out.text(text);
    }
}

impl OwnedChat {
    /// Reads all of `fields`: a conversation whose session has `n_tokens` of a vocabulary of `n_vocab`.
    pub fn read(
        mut fields: Reader<'_>,
        n_tokens: usize,
        n_vocab: usize,
    ) -> Result<Self, StateError> {
        let n = fields.count()?;
        if n > fields.0.len() / LEAST_MESSAGE {
            let what = "more messages than there is room for";
            return Err(StateError::Corrupt { what });
        }
        let mut messages = Vec::with_capacity(n);
        for _ in 0..n {
            let what = "an unknown role";
            let role = Role::ALL.get(usize::from(fields.u8()?));
            let role = *role.ok_or(StateError::Corrupt { what })?;
            messages.push(Message::new(role, fields.text()?));
        }
        let held = read_held(&mut fields, n_tokens, n_vocab)?;
        let last = match fields.u8()? {
            0 => None,
            _ => {
                let n_messages = fields.count()?;
                let what = "a last turn that is no user's";
                let first = messages.get(n_messages);
                first
                    .filter(|message| message.role == Role::User)
                    .ok_or(StateError::Corrupt { what })?;
                let held = read_held(&mut fields, n_tokens, n_vocab)?;
                Some(Turn { n_messages, held })
            }
        };
        fields.end()?;
        Ok(Self {
            messages,
            held,
            last,
        })
    }
}

fn read_held(
    fields: &mut Reader<'_>,
    most_tokens: usize,
    n_vocab: usize,
) -> Result<Held, StateError> {
    let n_tokens = fields.count()?;
    if n_tokens > most_tokens {
        let what = "a text of more tokens than there are";
        return Err(StateError::Corrupt { what });
    }
    let pending = match fields.u32()? {
        NO_TOKEN => None,
        id => Some(token(id, n_vocab)?),
    };
    let text = match fields.u8()? {
        0 => None,
        _ => Some(fields.text()?.to_owned()),
    };
    Ok(Held {
        n_tokens,
        text,
        pending,
    })
}
