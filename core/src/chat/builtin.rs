//! Formats of models whose files may carry no template.

use super::ChatError;
use super::error::quote;
use crate::gguf::Gguf;

/// Llama 2 Chat, as Meta's reference code builds its prompts: the system message inside the first
/// question, each pair of question and answer between BOS and EOS, contents stripped.
pub const LLAMA_2_CHAT: &str = "\
{%- if messages and messages[0]['role'] == 'system' -%}
    {%- set system = '<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n' -%}
    {%- set turns = messages[1:] -%}
{%- else -%}
    {%- set system = '' -%}
    {%- set turns = messages -%}
{%- endif -%}
{%- for message in turns -%}
    {%- if message['role'] != ('user' if loop.index0 % 2 == 0 else 'assistant') -%}
        {{- raise_exception('Llama 2 wants user and assistant messages in turn') -}}
    {%- endif -%}
    {%- if message['role'] == 'user' -%}
        {%- set content = (system if loop.first else '') + message['content'] -%}
        {{- bos_token + '[INST] ' + content.strip() + ' [/INST]' -}}
    {%- else -%}
        {{- ' ' + message['content'].strip() + ' ' + eos_token -}}
    {%- endif -%}
{%- endfor -%}
";

/// The built-in template for a file that carries none.
///
/// # Errors
/// [`ChatError::NoTemplate`], or [`ChatError::Gguf`].
pub(super) fn for_model(gguf: &Gguf) -> Result<&'static str, ChatError> {
    let architecture = gguf.str("general.architecture")?.unwrap_or_default();
    let vocabulary = gguf.str("tokenizer.ggml.model")?.unwrap_or_default();
    let name = gguf.str("general.name")?.unwrap_or_default();
    let known = name.to_lowercase();
    // TinyLlama's chat models speak other formats with the same architecture and vocabulary.
    let llama_2_chat = architecture == "llama"
        && vocabulary == "llama"
        && known.contains("llama")
        && known.contains("chat")
        && !known.contains("tiny");
    match llama_2_chat {
        true => Ok(LLAMA_2_CHAT),
        false => Err(ChatError::NoTemplate {
            name: quote(if name.is_empty() { architecture } else { name }),
        }),
    }
}
