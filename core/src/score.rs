//! How likely given texts are after a common prompt: for ranking, choosing and judging.

use crate::{
    cancel::Cancel,
    session::{Session, SessionError},
    tokenizer::{EncodeOptions, TokenId, Tokenizer},
};

/// How likely one continuation is.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// For each of its tokens, the natural logarithm of its probability after all before it.
    pub log_probs: Vec<f64>,
}

impl Score {
    /// The logarithm of the probability of the whole continuation: 0 of none. Longer ones have lower sums.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.log_probs.iter().sum()
    }

    /// The sum by the number of tokens, so that lengths count for nothing; 0 of none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum() / self.log_probs.len().max(1) as f64
    }
}

/// Scores each of `continuations` after `prompt`, which is computed once, and only as far as `session` does
/// not hold it. The session then holds `prompt`, and its logits are those after it.
///
/// # Errors
/// [`SessionError::Empty`] where `prompt` is, [`SessionError::ContextFull`] and others as
/// [`Session::prefill`] has.
pub fn score(
    session: &mut Session,
    prompt: &[TokenId],
    continuations: &[Vec<TokenId>],
    cancel: &Cancel,
) -> Result<Vec<Score>, SessionError> {
    session.prefill_to(prompt, cancel)?;
    let mut scores = Vec::with_capacity(continuations.len());
    for tokens in continuations {
        let mut log_probs = Vec::with_capacity(tokens.len());
        if let Some((&first, rest)) = tokens.split_first() {
            let n_vocab = session.logits().len();
            if let Some(token) = tokens.iter().find(|t| t.0 as usize >= n_vocab) {
                let token = token.0;
                return Err(SessionError::UnknownToken { token, n_vocab });
            }
            log_probs.push(log_prob(session.logits(), first));
            if !rest.is_empty() {
                // What would follow the last token does not matter.
                let before = &tokens[..rest.len()];
                let each = |i: usize, logits: &[f32]| log_probs.push(log_prob(logits, rest[i]));
                session.peek(before, cancel, each)?;
            }
        }
        scores.push(Score { log_probs });
    }
    Ok(scores)
}

/// The tokens that all of `prompt + texts[i]` begin with, as far as they are `prompt`'s, and for each text
/// the tokens after them.
///
/// Tokens may reach across the seam of prompt and text (`"a b"` is not the tokens of `"a "` and of `"b"`), so
/// the whole is encoded, and the last tokens of the prompt may be found in the continuations instead. All are
/// cut at the same place: their scores can be compared. A token that ends every text is left out.
#[must_use]
pub fn encode(
    tokenizer: &Tokenizer,
    prompt: &str,
    texts: &[&str],
    options: EncodeOptions,
) -> (Vec<TokenId>, Vec<Vec<TokenId>>) {
    let encode = |text: &str| {
        let mut tokens = tokenizer.encode(text, options);
        if options.add_special && tokenizer.add_eos() {
            tokens.pop();
        }
        tokens
    };
    let mut prompt_tokens = encode(prompt);
    let wholes: Vec<_> = texts
        .iter()
        .map(|t| encode(&format!("{prompt}{t}")))
        .collect();
    let common = |whole: &Vec<TokenId>| {
        let same = whole.iter().zip(&prompt_tokens).take_while(|(a, b)| a == b);
        same.count()
    };
    let n = wholes.iter().map(common).min();
    prompt_tokens.truncate(n.unwrap_or(prompt_tokens.len()));
    let continuations = wholes
        .iter()
        .map(|whole| whole[prompt_tokens.len()..].to_vec());
    let continuations = continuations.collect();
    (prompt_tokens, continuations)
}

/// The natural logarithm of the probability of `token`.
fn log_prob(logits: &[f32], token: TokenId) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let below = |logit: f32| f64::from(logit) - f64::from(most);
    let sum: f64 = logits.iter().map(|&logit| libm::exp(below(logit))).sum();
    below(logits[token.0 as usize]) - libm::log(sum)
}
