//! Room for more words: the oldest turns leave, and what they said is cut out of the session where it lies.

use std::ops::Range;

use super::{Conversation, ConversationError, Held, Turn};
use crate::{
    chat::{ChatTemplate, Message, Rendered, Role},
    tokenizer::{TokenId, Tokenizer},
};

/// What the session is known to hold: its first tokens, and what they spell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub n_tokens: usize,
    pub text: &'a str,
}

/// A piece of text that can be taken out together with whole tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cut {
    text: Range<usize>,
    tokens: Range<usize>,
}

/// Turns that may leave.
#[derive(Debug)]
pub(super) struct Leaving {
    messages: Range<usize>,
    /// What to take out of the session; `None` where that is not certain, and the rest is computed again.
    cut: Option<Cut>,
    /// What the messages are without them.
    pub rendered: Rendered,
}

impl Leaving {
    /// The tokens that leave the session.
    pub(super) fn tokens(&self) -> Option<Range<usize>> {
        self.cut.as_ref().map(|cut| cut.tokens.clone())
    }
}

impl Conversation {
    /// The oldest turns before `turn` such that `free` tokens are free without them, where `n` tokens are
    /// wanted with them; if all of them leave less, all. `None` if there are none, or not even that makes room.
    ///
    /// `whole` is the text of all messages. With `may_compute` also turns that cannot be cut out of the session.
    pub(super) fn leaving(
        &self,
        turn: &Turn,
        (known, whole): (Option<Known<'_>>, &str),
        (n, free): (usize, usize),
        may_compute: bool,
    ) -> Result<Option<Leaving>, ConversationError> {
        let (tokenizer, n_ctx) = (self.session.model().tokenizer(), self.session.n_ctx());
        let known = known.filter(|known| whole.starts_with(known.text));
        let starts = known.and_then(|known| {
            let tokens = &self.session.tokens()[..known.n_tokens];
            token_starts(tokenizer, tokens, known.text)
        });
        let is_system = |message: &&Message| message.role == Role::System;
        let first = usize::from(self.messages.first().filter(is_system).is_some());
        let users = (first + 1..=turn.n_messages).filter(|&i| self.messages[i].role == Role::User);
        let mut most = None;
        for next in users {
            let messages = [&self.messages[..first], &self.messages[next..]].concat();
            let rendered = self.template.render(&messages, true)?;
            let cut = starts
                .as_ref()
                .and_then(|starts| cut(whole, rendered.text(), starts));
            let wanted = match &cut {
                Some(cut) => n - cut.tokens.len(),
                None if may_compute => rendered.encode(tokenizer).len(),
                None => continue,
            };
            if wanted < n_ctx {
                most = Some(Leaving {
                    messages: first..next,
                    cut,
                    rendered,
                });
            }
            if wanted.saturating_add(free) <= n_ctx {
                break;
            }
        }
        Ok(most)
    }

    /// Lets turns leave that [`leaving`](Self::leaving) found, from `whole` and the session's tokens.
    pub(super) fn leave(
        &mut self,
        turn: &mut Turn,
        leaving: &Leaving,
        whole: &str,
    ) -> Result<(), ConversationError> {
        if let Some(cut) = &leaving.cut {
            self.session.shift(cut.tokens.start, cut.tokens.len())?;
        }
        let n = leaving.messages.len();
        self.messages.drain(leaving.messages.clone());
        turn.n_messages -= n;
        turn.held.cut(leaving.cut.as_ref(), whole);
        self.held = turn.held.clone();
        self.last = self
            .last
            .take()
            .filter(|last| last.n_messages >= leaving.messages.end);
        if let Some(last) = &mut self.last {
            last.n_messages -= n;
            last.held.cut(leaving.cut.as_ref(), whole);
        }
        Ok(())
    }

    /// Tokens of the session that every conversation with this system message begins with.
    pub(super) fn n_opening(&self) -> Result<usize, ConversationError> {
        let system = self.messages.first().filter(|m| m.role == Role::System);
        let system = system.map(|message| message.content.as_str());
        let tokenizer = self.session.model().tokenizer();
        let opening = opening(&self.template, system, tokenizer)?;
        let pairs = opening.iter().zip(self.session.tokens());
        Ok(pairs.take_while(|(a, b)| a == b).count())
    }
}

impl Held {
    /// Takes `cut` out of what is held, which `whole` begins with.
    fn cut(&mut self, cut: Option<&Cut>, whole: &str) {
        let text = self
            .text
            .take()
            .filter(|text| whole.starts_with(text.as_str()));
        *self = match (cut, text) {
            (Some(cut), Some(mut text))
                if text.len() >= cut.text.end && self.n_tokens >= cut.tokens.end =>
            {
                text.drain(cut.text.clone());
                Self {
                    n_tokens: self.n_tokens - cut.tokens.len(),
                    text: Some(text),
                    pending: self.pending,
                }
            }
            _ => Self::default(),
        };
    }
}

/// The tokens that conversations share which speak `template`, are opened by `system`, and whose first words
/// differ from the first letter on. Should other words merge with the last of these tokens, that is seen where
/// tokens are compared.
pub(super) fn opening(
    template: &ChatTemplate,
    system: Option<&str>,
    tokenizer: &Tokenizer,
) -> Result<Vec<TokenId>, ConversationError> {
    let render = |text| {
        let system = system.map(Message::system).into_iter();
        let messages: Vec<_> = system.chain([Message::user(text)]).collect();
        let rendered = template.render(&messages, true)?;
        Ok::<_, ConversationError>(rendered.encode(tokenizer))
    };
    let (mut one, other) = (render("a")?, render("Z")?);
    let n = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    one.truncate(n);
    Ok(one)
}

/// Where in `text` each of `tokens` begins, which spell its beginning, and where the last ends; `None` if they
/// do not.
fn token_starts(tokenizer: &Tokenizer, tokens: &[TokenId], text: &str) -> Option<Vec<usize>> {
    let text = text.as_bytes();
    let mut starts = vec![0];
    let mut at = 0;
    for (i, &token) in tokens.iter().enumerate() {
        let bytes = tokenizer.token_bytes(token)?;
        let rest = &text[at..];
        let space = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
        let space = space.count();
        if rest.starts_with(&bytes) {
            at += bytes.len();
        } else if rest[space..].starts_with(&bytes) {
            // White space after some special tokens is in no token.
            at += space + bytes.len();
        } else if let Some(word) = bytes.strip_prefix(b" ")
            && rest.starts_with(word)
        {
            // A SentencePiece vocabulary puts a space before a text.
            at += word.len();
        } else if i > 0 || tokenizer.bos() != Some(token) {
            return None;
        }
        starts.push(at);
    }
    Some(starts)
}

/// What to take out of `whole` so that it becomes `wanted`, between tokens that begin at `starts`.
///
/// Where several pieces would do, as the words around turns repeat, the last one is taken.
fn cut(whole: &str, wanted: &str, starts: &[usize]) -> Option<Cut> {
    let n = whole.len().checked_sub(wanted.len()).filter(|&n| n > 0)?;
    let same =
        |pairs: &mut dyn Iterator<Item = (u8, u8)>| pairs.take_while(|(a, b)| a == b).count();
    let ahead = same(&mut whole.bytes().zip(wanted.bytes()));
    let behind = same(&mut whole.bytes().rev().zip(wanted.bytes().rev()));
    let least = wanted.len() - behind;
    let first = starts.partition_point(|&start| start < least);
    let last = starts.partition_point(|&start| start <= ahead);
    (first..last).rev().find_map(|i| {
        let start = starts[i];
        let j = starts.binary_search(&(start + n)).ok()?;
        let between = whole.is_char_boundary(start) && whole.is_char_boundary(start + n);
        between.then_some(Cut {
            text: start..start + n,
            tokens: i..j,
        })
    })
}
