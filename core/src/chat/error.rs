//! Why a conversation could not become a prompt.

use thiserror::Error;

/// Why a chat template was refused or did not render.
///
/// No variant carries text of the conversation: what a template reports is given only as far as the
/// template itself spells it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The file carries no template and none is built in for it.
    #[error("chat: the file has no tokenizer.chat_template, and none is built in for `{name}`")]
    NoTemplate {
        /// What the file calls itself (`general.name`), or its architecture.
        name: String,
    },
    /// The metadata could not be read.
    #[error(transparent)]
    Gguf(#[from] crate::gguf::GgufError),
    /// The template's source is longer than any real one.
    #[error("chat template: {have} bytes of source, at most {max} are accepted")]
    TooLarge {
        /// Bytes of source.
        have: usize,
        /// Bytes accepted.
        max: usize,
    },
    /// One tag of the template is longer than any real one.
    #[error("chat template: the tag on line {line} has more than {max} tokens")]
    TagTooLong {
        /// Line of the tag, from 1.
        line: usize,
        /// Tokens accepted between `{{` and `}}`, or `{%` and `%}`.
        max: usize,
    },
    /// The template does not parse.
    #[error("chat template: line {line}: {what}")]
    Syntax {
        /// Line of the error, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The template uses something that no chat template needs and that could exhaust memory.
    #[error("chat template: line {line}: {what} is not supported")]
    Unsupported {
        /// Line of the construct, from 1.
        line: usize,
        /// The construct.
        what: &'static str,
    },
    /// The template refused the conversation with `raise_exception`.
    #[error("chat template refuses the conversation: {reason}")]
    Refused {
        /// The template's own words; where it quotes the conversation, `…`.
        reason: String,
    },
    /// The template took more steps than any real one.
    #[error("chat template: stopped after {steps} steps")]
    OutOfSteps {
        /// Steps allowed for this conversation.
        steps: u64,
    },
    /// The template moved more memory than any real one.
    #[error("chat template: stopped after {bytes} bytes of work")]
    OutOfWork {
        /// Bytes allowed for this conversation.
        bytes: u64,
    },
    /// The template wrote more than any real one.
    #[error("chat template: stopped after {max} bytes of output")]
    OutputTooLong {
        /// Bytes allowed for this conversation.
        max: usize,
    },
    /// Values, calls or loops are nested deeper than in any real template.
    #[error("chat template: nested too deeply")]
    TooDeep,
    /// Another error while rendering, as Jinja2 would raise too.
    #[error("chat template: line {line}: {kind}")]
    Render {
        /// Line of the error, from 1; 0 when unknown.
        line: usize,
        /// The kind of error, in the words of the template engine.
        kind: String,
    },
    /// The conversation uses every private-use character of Unicode, so none is left to guard it.
    #[error("chat: no private-use character is free to guard the conversation")]
    NoFreeCharacter,
    /// No thread could be started for the template.
    #[error("chat template: no thread for it: {0}")]
    Thread(#[source] std::io::Error),
}

/// Words of a file on one line of a message: short, and no control characters.
pub(super) fn quote(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut quoted = String::new();
    for c in text.chars() {
        if quoted.len() > LONGEST {
            quoted.push('…');
            break;
        }
        match c.is_control() {
            true => quoted.extend(c.escape_default()),
            false => quoted.push(c),
        }
    }
    quoted
}
