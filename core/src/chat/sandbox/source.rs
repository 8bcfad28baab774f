//! A template's source text, before it is parsed: made plain, and measured.

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::syntax_error;
use crate::chat::ChatError;

/// Bytes of source accepted; the longest template of a well-known model has about 20,000.
pub(in crate::chat) const MAX_SOURCE: usize = 64 * 1024;
/// Tokens accepted in one tag, which bounds how deep its expression can be.
const MAX_TAG_TOKENS: usize = 1024;
/// `elif`s accepted; the engine compiles each inside the one before, so their number is a depth. Templates of
/// well-known models have some ten.
const MAX_ELIFS: usize = 512;

/// Jinja as Hugging Face sets it up: `trim_blocks` and `lstrip_blocks`.
pub(super) fn syntax() -> Result<SyntaxConfig, ChatError> {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .map_err(|error| syntax_error(&error))
}

/// The source with the differences between Jinja2 and minijinja taken out: line ends become `\n`, and
/// `{% generation %}`, which only marks the answers for training, becomes a block that always runs.
///
/// # Errors
/// [`ChatError::TooLarge`].
pub(super) fn normalize(source: &str) -> Result<String, ChatError> {
    if source.len() > MAX_SOURCE {
        return Err(ChatError::TooLarge {
            have: source.len(),
            max: MAX_SOURCE,
        });
    }
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let length = tag.find("%}").map_or(tag.len(), |end| end + 2);
        let (tag, after) = tag.split_at(length);
        let name = tag
            .trim_start_matches("{%")
            .trim_end_matches("%}")
            .trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        match name {
            "generation" => out.push_str(&tag.replace(name, "if true")),
            "endgeneration" => out.push_str(&tag.replace(name, "endif")),
            _ => out.push_str(tag),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The literal texts of a template: what stands between its tags, and its strings.
///
/// # Errors
/// [`ChatError::Syntax`], [`ChatError::Unsupported`] for too many `elif`s, or [`ChatError::TagTooLong`].
pub(super) fn literals(source: &str) -> Result<Vec<String>, ChatError> {
    let mut found = Vec::new();
    let mut in_tag = 0;
    let mut elifs = 0;
    for token in tokenize(source, false, syntax()?) {
        let (token, span) = token.map_err(|error| syntax_error(&error))?;
        in_tag += 1;
        match token {
            Token::TemplateData(text) => found.push(text.to_owned()),
            Token::Str(text) => found.push(text.to_owned()),
            Token::String(text) => found.push(text.into()),
            Token::BlockStart | Token::VariableStart => in_tag = 0,
            Token::Ident("elif") => elifs += 1,
            _ => {}
        }
        if elifs > MAX_ELIFS {
            return Err(ChatError::Unsupported {
                line: usize::from(span.start_line),
                what: "a 513th `elif`",
            });
        }
        if in_tag > MAX_TAG_TOKENS {
            return Err(ChatError::TagTooLong {
                line: usize::from(span.start_line),
                max: MAX_TAG_TOKENS,
            });
        }
    }
    Ok(found)
}
