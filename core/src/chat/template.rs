//! From messages to the text that the model was trained on.

use std::collections::BTreeSet;

use super::guard::{Guard, tags};
use super::sandbox::{Sandbox, Variables};
use super::{ChatError, Message, Rendered, builtin, sandbox};
use crate::gguf::Gguf;
use crate::tokenizer::Tokenizer;

/// The special tokens that a template and its guard need to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Name of the token that begins a text; empty if there is none.
    pub bos: String,
    /// Name of the token that ends a text; empty if there is none.
    pub eos: String,
    /// Names of the tokens that plain text never becomes: control and unknown.
    pub control: Vec<String>,
    /// Names of the tokens that plain text becomes too: the user-defined.
    pub user_defined: Vec<String>,
}

impl From<&Tokenizer> for SpecialTokens {
    fn from(tokenizer: &Tokenizer) -> Self {
        let name = |id| tokenizer.token_text(id).unwrap_or_default().to_owned();
        let is_control = |name: &&str| {
            let id = tokenizer.token_to_id(name);
            id.is_some_and(|id| tokenizer.is_control(id) || tokenizer.unk() == Some(id))
        };
        let (control, user_defined): (Vec<&str>, Vec<&str>) =
            tokenizer.special_texts().partition(is_control);
        Self {
            bos: tokenizer.bos().map(name).unwrap_or_default(),
            eos: tokenizer.eos().map(name).unwrap_or_default(),
            control: control.into_iter().map(str::to_owned).collect(),
            user_defined: user_defined.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// A model's chat template, checked and ready.
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    sandbox: Sandbox,
    tokens: SpecialTokens,
    guard: Guard,
    now: Option<i64>,
}

impl ChatTemplate {
    /// The template in the file, or the one built in for its model.
    ///
    /// # Errors
    /// [`ChatError::NoTemplate`], or as [`Self::from_source`].
    pub fn from_gguf(gguf: &Gguf, tokenizer: &Tokenizer) -> Result<Self, ChatError> {
        let source = match gguf.str("tokenizer.chat_template")? {
            Some(source) => source,
            None => builtin::for_model(gguf)?,
        };
        Self::from_source(source, tokenizer)
    }

    /// A template given as text, in the language of Hugging Face's `apply_chat_template`.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`], [`ChatError::TagTooLong`], [`ChatError::Syntax`] or
    /// [`ChatError::Unsupported`] if the text is not a template, or not one to be run safely.
    pub fn from_source(source: &str, tokenizer: &Tokenizer) -> Result<Self, ChatError> {
        Self::with_special_tokens(source, tokenizer.into())
    }

    /// A template for a vocabulary of which only the special tokens are known.
    ///
    /// # Errors
    /// As [`Self::from_source`].
    pub fn with_special_tokens(source: &str, tokens: SpecialTokens) -> Result<Self, ChatError> {
        let sandbox = Sandbox::new(source)?;
        let names = tokens.control.iter().chain(&tokens.user_defined);
        let markers = sandbox.literals().iter().flat_map(|text| tags(text));
        let guard = Guard::new(names.map(String::as_str).chain(markers));
        Ok(Self {
            sandbox,
            guard,
            tokens,
            now: None,
        })
    }

    /// The same template at a fixed time, in Unix seconds, for those that write the date (in UTC).
    #[must_use]
    pub const fn at_time(mut self, unix_seconds: i64) -> Self {
        self.now = Some(unix_seconds);
        self
    }

    /// The template's source.
    #[must_use]
    pub fn source(&self) -> &str {
        self.sandbox.source()
    }

    /// Renders `messages`; with `add_generation_prompt`, up to where the next answer begins.
    ///
    /// # Errors
    /// [`ChatError::Refused`] if the template does not accept the conversation, for example two user
    /// messages in a row; [`ChatError::Render`] for other errors of the template;
    /// [`ChatError::OutOfSteps`], [`ChatError::OutOfWork`], [`ChatError::OutputTooLong`] or
    /// [`ChatError::TooDeep`] if it exceeds what real templates need.
    pub fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<Rendered, ChatError> {
        let covers = self.guard.covers(messages, self.source())?;
        let covered: Vec<Message> = messages
            .iter()
            .map(|message| Message::new(message.role, self.guard.cover(message, &covers)))
            .collect();
        let variables = Variables {
            bos_token: &self.tokens.bos,
            eos_token: &self.tokens.eos,
            add_generation_prompt,
            now: self.now.unwrap_or_else(sandbox::now),
        };
        let text = self.sandbox.render(&covered, variables)?;
        // Brackets of messages are covered, so every tag found here is the template's own.
        let literals = self.sandbox.literals().iter().map(String::as_str);
        let mut markers: BTreeSet<&str> = literals.chain([text.as_str()]).flat_map(tags).collect();
        for name in &self.tokens.control {
            markers.remove(name.as_str());
        }
        let text = covers.neutralize(&text, &markers);
        Ok(Rendered::new(text, covers))
    }
}
