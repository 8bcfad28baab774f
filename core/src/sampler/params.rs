//! What a user can ask of the sampling chain.

use super::SamplerError;
use crate::tokenizer::TokenId;

/// The chain's settings. [`Default`] is llama.cpp's, but for the seed, which is 0 here.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplerParams {
    /// Seed of the generator: the same seed gives the same tokens.
    pub seed: u64,
    /// Divides the logits; 0 picks the most likely token, the lowest id of equals. ≥ 0.
    pub temperature: f32,
    /// Keeps the `top_k` most likely tokens; 0 = off.
    pub top_k: u32,
    /// Nucleus sampling (Holtzman et al. 2019): keeps the most likely tokens up to this
    /// probability mass. 0 to 1; 1 = off.
    pub top_p: f32,
    /// Keeps tokens at least `min_p` times as likely as the best. 0 to 1; 0 = off.
    pub min_p: f32,
    /// Locally typical sampling (Meister et al. 2022): keeps the tokens whose surprise is closest
    /// to the entropy, until their mass exceeds this. 0 to 1; 1 = off.
    pub typical_p: f32,
    /// Typical, top-p, min-p and XTC leave at least this many candidates, where there are so many.
    pub min_keep: u32,
    /// Chance that XTC ("exclude top choices") acts at a token. 0 to 1; 0 = off.
    pub xtc_probability: f32,
    /// XTC drops all but the least likely of the tokens with at least this probability. 0 to 1;
    /// over 0.5 = off.
    pub xtc_threshold: f32,
    /// How many of the last tokens the three penalties below look at; 0 = none.
    pub repeat_last_n: u32,
    /// Divides positive and multiplies negative logits of tokens seen (CTRL, Keskar et al. 2019).
    /// Over 0; 1 = off.
    pub repeat_penalty: f32,
    /// Subtracted from a token's logit for each time that it was seen; 0 = off.
    pub frequency_penalty: f32,
    /// Subtracted from the logit of every token seen; 0 = off.
    pub presence_penalty: f32,
    /// DRY ("don't repeat yourself"): a token that would extend a repetition of `n` tokens loses
    /// `dry_multiplier · dry_base^(n − dry_allowed_length)`. ≥ 0; 0 = off.
    pub dry_multiplier: f32,
    /// DRY's growth per token of repetition. ≥ 0; under 1 = off.
    pub dry_base: f32,
    /// The shortest repetition that DRY acts on, in tokens.
    pub dry_allowed_length: u32,
    /// How many of the last tokens DRY looks at; 0 = off, `u32::MAX` = all.
    pub dry_penalty_last_n: u32,
    /// Mirostat 2, in place of every stage but logit bias and temperature.
    pub mirostat: Option<Mirostat2>,
    /// Added to the logits of tokens; −∞ bans one.
    pub logit_bias: Vec<(TokenId, f32)>,
}

/// Mirostat 2 (Basu et al. 2020): steers the surprise of the text to a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mirostat2 {
    /// Target surprise, in bits per token. ≥ 0.
    pub tau: f32,
    /// Learning rate. ≥ 0.
    pub eta: f32,
}

impl Default for Mirostat2 {
    fn default() -> Self {
        Self { tau: 5.0, eta: 0.1 }
    }
}

impl Default for SamplerParams {
    fn default() -> Self {
        Self {
            seed: 0,
            temperature: 0.8,
            top_k: 40,
            top_p: 0.95,
            min_p: 0.05,
            typical_p: 1.0,
            min_keep: 0,
            xtc_probability: 0.0,
            xtc_threshold: 0.1,
            repeat_last_n: 64,
            repeat_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            dry_multiplier: 0.0,
            dry_base: 1.75,
            dry_allowed_length: 2,
            dry_penalty_last_n: 64,
            mirostat: None,
            logit_bias: Vec::new(),
        }
    }
}

impl SamplerParams {
    /// Always the most likely token; nothing penalised, nothing drawn.
    #[must_use]
    pub fn greedy() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            ..Self::default()
        }
    }

    /// Checks every setting against its range and every biased token against the vocabulary.
    ///
    /// # Errors
    /// [`SamplerError::OutOfRange`] or [`SamplerError::TokenOutOfRange`], for the first that fails.
    pub fn validate(&self, n_vocab: usize) -> Result<(), SamplerError> {
        const UNIT: &str = "from 0 to 1";
        const NOT_NEGATIVE: &str = "finite and at least 0";
        let check = |what, wanted, had: f32, ok: bool| match ok {
            true => Ok(()),
            false => Err(SamplerError::OutOfRange {
                what,
                wanted,
                had: f64::from(had),
            }),
        };
        let unit = |what, x: f32| check(what, UNIT, x, (0.0..=1.0).contains(&x));
        let not_negative = |what, x: f32| check(what, NOT_NEGATIVE, x, x.is_finite() && x >= 0.0);
        let finite = |what, x: f32| check(what, "finite", x, x.is_finite());

        // Ids are u32.
        if n_vocab == 0 || u32::try_from(n_vocab).is_err() {
            return Err(SamplerError::OutOfRange {
                what: "n_vocab",
                wanted: "from 1 to 2^32 − 1",
                had: n_vocab as f64,
            });
        }
        not_negative("temperature", self.temperature)?;
        unit("top_p", self.top_p)?;
        unit("min_p", self.min_p)?;
        unit("typical_p", self.typical_p)?;
        unit("xtc_probability", self.xtc_probability)?;
        unit("xtc_threshold", self.xtc_threshold)?;
        let penalty = self.repeat_penalty;
        check(
            "repeat_penalty",
            "finite and over 0",
            penalty,
            penalty.is_finite() && penalty > 0.0,
        )?;
        finite("frequency_penalty", self.frequency_penalty)?;
        finite("presence_penalty", self.presence_penalty)?;
        not_negative("dry_multiplier", self.dry_multiplier)?;
        not_negative("dry_base", self.dry_base)?;
        if let Some(Mirostat2 { tau, eta }) = self.mirostat {
            not_negative("mirostat tau", tau)?;
            not_negative("mirostat eta", eta)?;
        }
        for &(token, bias) in &self.logit_bias {
            if token.0 as usize >= n_vocab {
                return Err(SamplerError::TokenOutOfRange {
                    what: "logit_bias",
                    token,
                    n_vocab,
                });
            }
            check("logit_bias", "finite or −∞", bias, bias < f32::INFINITY)?;
        }
        Ok(())
    }

    /// Mirostat starts at twice its target.
    pub(super) fn initial_mu(&self) -> f64 {
        self.mirostat.map_or(0.0, |m| 2.0 * f64::from(m.tau))
    }

    pub(super) fn penalties_active(&self) -> bool {
        self.mirostat.is_none()
            && self.repeat_last_n > 0
            && (self.repeat_penalty != 1.0
                || self.frequency_penalty != 0.0
                || self.presence_penalty != 0.0)
    }

    pub(super) fn dry_active(&self) -> bool {
        self.mirostat.is_none()
            && self.dry_multiplier > 0.0
            && self.dry_base >= 1.0
            && self.dry_penalty_last_n > 0
    }

    pub(super) fn adjusts_logits(&self) -> bool {
        !self.logit_bias.is_empty() || self.penalties_active() || self.dry_active()
    }

    pub(super) fn xtc_active(&self) -> bool {
        self.xtc_probability > 0.0 && self.xtc_threshold <= 0.5
    }

    /// Whether a stage may drop the most likely candidate.
    pub(super) fn can_drop_the_best(&self) -> bool {
        self.mirostat.is_none() && (self.typical_p < 1.0 || self.xtc_active())
    }

    /// How many tokens back the longest-sighted active stage looks.
    pub(super) fn history_len(&self) -> usize {
        let seen = |active, n: u32| if active { n as usize } else { 0 };
        seen(self.penalties_active(), self.repeat_last_n)
            .max(seen(self.dry_active(), self.dry_penalty_last_n))
    }
}
