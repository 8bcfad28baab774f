//! The loop that makes text: sample, stop or go on, decode.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use crate::{
    cancel::Cancel,
    draft::{Draft, Drafter},
    sampler::{Sampler, SamplerError, SamplerParams, dry_breakers},
    session::{Session, SessionError},
    stop::StopStrings,
    tokenizer::{DetokenizeStream, EncodeOptions, TokenId, Tokenizer},
};

/// What to make of a session's logits.
#[derive(Clone, Debug, Default)]
pub struct GenerateOptions {
    /// Tokens at most; `None`: until the model ends or the context is full.
    pub max_tokens: Option<usize>,
    /// How each token is picked.
    pub sampler: SamplerParams,
    /// Texts that end the answer and are not part of it.
    pub stops: Vec<String>,
    /// Strings that the sampler's DRY stage does not look past.
    pub dry_breakers: Vec<String>,
    /// Goes on past the model's end token.
    pub ignore_eos: bool,
    /// Where guesses at the next tokens come from: they change how fast text is made, not what it says.
    pub draft: Option<Draft>,
    /// What happens when no token more fits the context.
    pub on_full: OnFull,
}

/// What happens when no token more fits the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFull {
    /// The text ends with [`StopReason::ContextFull`]; words that do not fit are
    /// [`SessionError::ContextFull`].
    #[default]
    Error,
    /// The oldest tokens are dropped, and nothing is computed again: see [`Session::shift`].
    ///
    /// A conversation drops its oldest whole turns instead, which leave its messages, too. Its system message
    /// and the template's own beginning stay, whatever `keep` says.
    Shift {
        /// Tokens at the beginning that stay.
        keep: usize,
        /// Tokens that are free afterwards, at least; `None`: a quarter of the context. Where the latest turn
        /// leaves less, that is what there is.
        free: Option<usize>,
    },
}

impl OnFull {
    /// Tokens that are to be free in a context of `n_ctx`; `None` where nothing is dropped.
    pub(crate) fn free(self, n_ctx: usize) -> Option<usize> {
        match self {
            Self::Error => None,
            Self::Shift { free, .. } => Some(free.unwrap_or(n_ctx / 4).min(n_ctx)),
        }
    }
}

/// Why text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// The model said so.
    Eos,
    /// `max_tokens` were made.
    Length,
    /// A stop string was completed.
    StopString,
    /// No token more fits the context.
    ContextFull,
}

impl StopReason {
    /// `"eos"`, `"length"`, `"stop_string"` or `"context_full"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eos => "eos",
            Self::Length => "length",
            Self::StopString => "stop_string",
            Self::ContextFull => "context_full",
        }
    }
}

/// Why text cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The computation.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The choice of a token.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
}

/// How long the making took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timings {
    /// Tokens computed before the first new one.
    pub prefill_tokens: usize,
    /// Time for them.
    pub prefill: Duration,
    /// From the start to the first new token, prefill included.
    pub first_token: Duration,
    /// New tokens after the first: each is one decode step, but for guesses that were right.
    pub decode_tokens: usize,
    /// Time for them.
    pub decode: Duration,
    /// Guesses at new tokens that were computed.
    pub drafted: usize,
    /// Guesses that were right and became part of the text.
    pub accepted: usize,
}

impl Timings {
    /// Prompt tokens per second; 0 where none were computed.
    #[must_use]
    pub fn prefill_tps(&self) -> f64 {
        rate(self.prefill_tokens, self.prefill)
    }

    /// New tokens per second; 0 where none were computed.
    #[must_use]
    pub fn decode_tps(&self) -> f64 {
        rate(self.decode_tokens, self.decode)
    }
}

fn rate(n: usize, time: Duration) -> f64 {
    if n == 0 || time.is_zero() {
        0.0
    } else {
        n as f64 / time.as_secs_f64()
    }
}

/// One text in the making. The session is lent to it step by step.
#[derive(Debug)]
pub struct Generator {
    sampler: Sampler,
    stops: StopStrings,
    stream: DetokenizeStream,
    max_tokens: usize,
    ignore_eos: bool,
    drafter: Option<Drafter>,
    on_full: OnFull,
    n_shifts: usize,
    tokens: Vec<TokenId>,
    /// The newest token, while the session has not computed it.
    pending: Option<TokenId>,
    end: Option<StopReason>,
    timings: Timings,
}

impl Generator {
    /// A generator for text that goes on where `session` ends; the sampler is told of its tokens.
    ///
    /// `continuing`: the text goes on in the middle of other text, so that a SentencePiece vocabulary's
    /// leading space belongs to it.
    ///
    /// # Errors
    /// [`GenerateError::Sampler`] for settings out of range.
    pub fn new(
        session: &Session,
        options: &GenerateOptions,
        continuing: bool,
    ) -> Result<Self, GenerateError> {
        let tokenizer = session.model().tokenizer();
        let params = options.sampler.clone();
        let breakers = match params.dry_multiplier > 0.0 {
            true => breakers(tokenizer, &options.dry_breakers),
            false => Vec::new(),
        };
        let mut sampler = Sampler::new(params, tokenizer.n_vocab(), &breakers)?;
        session
            .tokens()
            .iter()
            .for_each(|&token| sampler.accept(token));
        let stream = tokenizer.stream();
        Ok(Self {
            sampler,
            stops: StopStrings::new(options.stops.iter().cloned()),
            stream: if continuing {
                stream.continuing()
            } else {
                stream
            },
            max_tokens: options.max_tokens.unwrap_or(usize::MAX),
            ignore_eos: options.ignore_eos,
            drafter: options
                .draft
                .as_ref()
                .map(|draft| Drafter::new(draft, session)),
            on_full: options.on_full,
            n_shifts: 0,
            tokens: Vec::new(),
            pending: None,
            end: None,
            timings: Timings::default(),
        })
    }

    /// Notes that `tokens` were computed in `time` before the first step.
    pub fn note_prefill(&mut self, tokens: usize, time: Duration) {
        self.timings.prefill_tokens = tokens;
        self.timings.prefill = time;
        self.timings.first_token = time;
    }

    /// Makes the next token and hands out the text that is certain with it, which may be empty; `None`
    /// when the text has ended.
    ///
    /// The text comes in whole characters, and never holds the beginning of a stop string.
    ///
    /// # Errors
    /// [`GenerateError`]; the generator can be asked again after [`SessionError::Cancelled`] and
    /// [`SessionError::DeadlineExceeded`].
    pub fn step(
        &mut self,
        session: &mut Session,
        cancel: &Cancel,
    ) -> Result<Option<String>, GenerateError> {
        if self.end.is_some() {
            return Ok(None);
        }
        if self.tokens.len() >= self.max_tokens {
            return Ok(Some(self.finish(StopReason::Length)));
        }
        cancel.check().map_err(SessionError::from)?;
        let start = Instant::now();
        if let Some(token) = self.pending {
            if self.is_stuck(session) && !self.make_room(session)? {
                return Ok(Some(self.finish(StopReason::ContextFull)));
            }
            self.decode(session, token, cancel)?;
            self.pending = None;
        }
        let token = self.sampler.sample(session.logits())?;
        self.sampler.accept(token);
        if self.tokens.is_empty() {
            self.timings.first_token += start.elapsed();
        } else {
            self.timings.decode += start.elapsed();
            self.timings.decode_tokens += 1;
        }
        let tokenizer = session.model().tokenizer();
        if tokenizer.is_eog(token) && !self.ignore_eos {
            return Ok(Some(self.finish(StopReason::Eos)));
        }
        self.tokens.push(token);
        self.pending = Some(token);
        if let Some(drafter) = &mut self.drafter {
            drafter.push(token);
        }
        let passed = self.stops.push(self.stream.push(token));
        let text = passed.text.to_owned();
        if passed.stop.is_some() {
            self.end = Some(StopReason::StopString);
        }
        Ok(Some(text))
    }

    /// Has the session compute `token`, and perhaps guesses at what comes after it.
    fn decode(
        &mut self,
        session: &mut Session,
        token: TokenId,
        cancel: &Cancel,
    ) -> Result<(), SessionError> {
        let Some(drafter) = &mut self.drafter else {
            return session.decode(token, cancel).map(|_| ());
        };
        // The token after this one is not a guess's to decide.
        let most = self.max_tokens - self.tokens.len() - 1;
        drafter.decode(session, token, most, cancel)?;
        self.timings.drafted = drafter.drafted();
        self.timings.accepted = drafter.accepted();
        Ok(())
    }

    /// Whether the next step needs room that there is not.
    pub(crate) fn is_stuck(&self, session: &Session) -> bool {
        self.pending.is_some() && session.tokens().len() == session.n_ctx()
    }

    /// Drops tokens of a full context; `false` if none may be dropped.
    fn make_room(&mut self, session: &mut Session) -> Result<bool, SessionError> {
        let (OnFull::Shift { keep, .. }, Some(free)) =
            (self.on_full, self.on_full.free(session.n_ctx()))
        else {
            return Ok(false);
        };
        let Some(drop) = session.n_to_drop(keep, free) else {
            return Ok(false);
        };
        session.shift(keep, drop)?;
        self.dropped(keep..keep + drop)?;
        self.n_shifts += 1;
        Ok(true)
    }

    /// Notes that the session dropped the tokens of these positions: a draft model follows.
    pub(crate) fn dropped(&mut self, positions: Range<usize>) -> Result<(), SessionError> {
        match &mut self.drafter {
            Some(drafter) => drafter.dropped(positions),
            None => Ok(()),
        }
    }

    /// What happens when the context is full.
    pub(crate) const fn on_full(&self) -> OnFull {
        self.on_full
    }

    /// From now on, the first `keep` tokens stay when others are dropped.
    pub(crate) const fn set_keep(&mut self, n: usize) {
        if let OnFull::Shift { keep, .. } = &mut self.on_full {
            *keep = n;
        }
    }

    /// How many times tokens were dropped.
    #[must_use]
    pub const fn n_shifts(&self) -> usize {
        self.n_shifts
    }

    /// Ends the text: hands out what was held back.
    fn finish(&mut self, reason: StopReason) -> String {
        self.end = Some(reason);
        let passed = self.stops.push(self.stream.finish());
        let mut text = passed.text.to_owned();
        if passed.stop.is_some() {
            self.end = Some(StopReason::StopString);
        }
        text.push_str(&self.stops.finish());
        text
    }

    /// The new tokens so far, without the model's end token.
    #[must_use]
    pub fn tokens(&self) -> &[TokenId] {
        &self.tokens
    }

    /// The newest token, if the session has not computed it: it belongs before whatever comes next.
    #[must_use]
    pub const fn pending(&self) -> Option<TokenId> {
        self.pending
    }

    /// Why the text ended, once it has.
    #[must_use]
    pub const fn stop_reason(&self) -> Option<StopReason> {
        self.end
    }

    /// How long it took so far.
    #[must_use]
    pub const fn timings(&self) -> Timings {
        self.timings
    }
}

/// The token sequences in which `strings` may appear.
fn breakers(tokenizer: &Tokenizer, strings: &[String]) -> Vec<Vec<TokenId>> {
    let ids = (0..tokenizer.n_vocab() as u32).map(TokenId);
    let vocabulary: Vec<_> = ids
        .filter_map(|id| Some((id, tokenizer.token_bytes(id)?)))
        .collect();
    let strings: Vec<&str> = strings.iter().map(String::as_str).collect();
    let plain = EncodeOptions {
        add_special: false,
        parse_special: false,
    };
    dry_breakers(
        vocabulary.iter().map(|(id, text)| (*id, &**text)),
        &strings,
        |text| tokenizer.encode(text, plain),
    )
}

/// Whether a stream of `tokens` shows all of them: none is a control token.
pub(crate) fn all_visible(tokenizer: &Tokenizer, tokens: &[TokenId]) -> bool {
    !tokens.iter().any(|&token| tokenizer.is_control(token))
}
