//! Settings as records, with the defaults of the runtime.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    path::PathBuf,
    time::Duration,
};

use puna_core::{
    generate::{GenerateOptions, OnFull},
    kv_cache::KvType,
    sampler::SamplerParams,
    session::{SessionOptions, Trim},
};

/// How a chat computes and how much it remembers.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct ChatOptions {
    /// Standing instructions; none: those of the model's own template.
    #[uniffi(default = None)]
    pub system: Option<String>,
    /// Tokens that the conversation can hold; none: what the model was trained for, at most 4,096.
    #[uniffi(default = None)]
    pub n_ctx: Option<u32>,
    /// How the cache of keys and values is stored; none: [`KvStorage::F16`].
    #[uniffi(default = None)]
    pub kv: Option<KvStorage>,
    /// Threads; none: one for each fast core.
    #[uniffi(default = None)]
    pub n_threads: Option<u32>,
    /// Refuses a chat that the plan says does not fit this device.
    #[uniffi(default = true)]
    pub check_fit: bool,
    /// The folder of the file that [`TrimLevel::Cache`] writes; none: the system's for temporary files.
    #[uniffi(default = None)]
    pub trim_folder: Option<String>,
    /// A folder that keeps every turn from now on: whatever happens to the process, the next chat with this folder
    /// goes on after the last whole turn, its system message included, and computes nothing again.
    #[uniffi(default = None)]
    pub journal: Option<String>,
    /// Records every turn, with the time of each piece, for [`Chat::script`](crate::Chat::script).
    #[uniffi(default = false)]
    pub record: bool,
    /// How answers are made where a message does not say otherwise.
    #[uniffi(default)]
    pub answer: AnswerOptions,
}

impl Default for ChatOptions {
    fn default() -> Self {
        Self {
            system: None,
            n_ctx: None,
            kv: None,
            n_threads: None,
            check_fit: true,
            trim_folder: None,
            journal: None,
            record: false,
            answer: AnswerOptions::default(),
        }
    }
}

/// How keys and values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum KvStorage {
    /// 16 bits a number.
    F16,
    /// 8.5 bits a number: half the memory, for a little accuracy.
    Q8,
    /// 4.5 bits a number: a quarter of the memory, for more of it.
    Q4,
}

/// What happens when the conversation no longer fits its context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, uniffi::Enum)]
pub enum WhenFull {
    /// A question that does not fit fails, and an answer ends.
    #[default]
    Stop,
    /// The oldest turns leave; the system message stays.
    DropOldest,
}

/// How much memory is given back; each level gives back what those before it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum TrimLevel {
    /// The buffers of the computation: they are back in less than a millisecond.
    Buffers,
    /// The cache of keys and values too: it is written to a file without a name, and read where it lies in that.
    Cache,
    /// The pages of the mapped weights too: they are read again, from the system's cache or from storage.
    Weights,
}

/// How one answer is made.
#[derive(Clone, Debug, Default, PartialEq, uniffi::Record)]
pub struct AnswerOptions {
    /// Tokens at most; none: until the model ends or the context is full.
    #[uniffi(default = None)]
    pub max_tokens: Option<u32>,
    /// Texts that end the answer and are not part of it.
    #[uniffi(default = [])]
    pub stops: Vec<String>,
    /// Time for the whole answer, the question included; none: no limit.
    #[uniffi(default = None)]
    pub timeout: Option<Duration>,
    /// What happens when the conversation no longer fits; none: [`WhenFull::Stop`].
    #[uniffi(default = None)]
    pub when_full: Option<WhenFull>,
    /// How each token is picked.
    #[uniffi(default)]
    pub sampler: SamplerSettings,
}

/// How each token is picked.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct SamplerSettings {
    /// The same seed gives the same answer; none: another one each time.
    #[uniffi(default = None)]
    pub seed: Option<u64>,
    /// 0 picks the most likely token; higher is more varied.
    #[uniffi(default = 0.8)]
    pub temperature: f32,
    /// Keeps this many of the most likely tokens; 0 = all.
    #[uniffi(default = 40)]
    pub top_k: u32,
    /// Keeps the most likely tokens up to this probability mass; 1 = all.
    #[uniffi(default = 0.95)]
    pub top_p: f32,
    /// Keeps tokens at least this many times as likely as the best; 0 = all.
    #[uniffi(default = 0.05)]
    pub min_p: f32,
    /// Locally typical sampling; 1 = off.
    #[uniffi(default = 1.0)]
    pub typical_p: f32,
    /// How many of the last tokens the penalties look at.
    #[uniffi(default = 64)]
    pub repeat_last_n: u32,
    /// Makes tokens seen less likely; 1 = off.
    #[uniffi(default = 1.0)]
    pub repeat_penalty: f32,
    /// Makes tokens less likely for each time that they were seen; 0 = off.
    #[uniffi(default = 0.0)]
    pub frequency_penalty: f32,
    /// Makes tokens seen less likely, once; 0 = off.
    #[uniffi(default = 0.0)]
    pub presence_penalty: f32,
    /// Makes tokens less likely that would repeat a sequence (DRY); 0 = off.
    #[uniffi(default = 0.0)]
    pub dry_multiplier: f32,
}

impl Default for SamplerSettings {
    fn default() -> Self {
        let params = SamplerParams::default();
        Self {
            seed: None,
            temperature: params.temperature,
            top_k: params.top_k,
            top_p: params.top_p,
            min_p: params.min_p,
            typical_p: params.typical_p,
            repeat_last_n: params.repeat_last_n,
            repeat_penalty: params.repeat_penalty,
            frequency_penalty: params.frequency_penalty,
            presence_penalty: params.presence_penalty,
            dry_multiplier: params.dry_multiplier,
        }
    }
}

impl From<&SamplerSettings> for SamplerParams {
    fn from(settings: &SamplerSettings) -> Self {
        Self {
            seed: settings.seed.unwrap_or_else(any_seed),
            temperature: settings.temperature,
            top_k: settings.top_k,
            top_p: settings.top_p,
            min_p: settings.min_p,
            typical_p: settings.typical_p,
            repeat_last_n: settings.repeat_last_n,
            repeat_penalty: settings.repeat_penalty,
            frequency_penalty: settings.frequency_penalty,
            presence_penalty: settings.presence_penalty,
            dry_multiplier: settings.dry_multiplier,
            ..Self::default()
        }
    }
}

/// A number that nobody chose: the standard library keys each hasher anew.
fn any_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl From<&AnswerOptions> for GenerateOptions {
    fn from(options: &AnswerOptions) -> Self {
        Self {
            max_tokens: options.max_tokens.map(|n| n as usize),
            sampler: (&options.sampler).into(),
            stops: options.stops.clone(),
            on_full: match options.when_full.unwrap_or_default() {
                WhenFull::Stop => OnFull::Error,
                WhenFull::DropOldest => OnFull::Shift {
                    keep: 0,
                    free: None,
                },
            },
            ..Self::default()
        }
    }
}

impl From<&ChatOptions> for SessionOptions {
    fn from(options: &ChatOptions) -> Self {
        Self {
            n_ctx: options.n_ctx.map(|n| n as usize),
            kv: match options.kv {
                None | Some(KvStorage::F16) => KvType::F16,
                Some(KvStorage::Q8) => KvType::Q8_0,
                Some(KvStorage::Q4) => KvType::Q4_0,
            },
            n_threads: options.n_threads.map(|n| n as usize),
            check_fit: options.check_fit,
            trim_dir: options.trim_folder.as_ref().map(PathBuf::from),
            ..Self::default()
        }
    }
}

impl From<TrimLevel> for Trim {
    fn from(level: TrimLevel) -> Self {
        match level {
            TrimLevel::Buffers => Self::Scratch,
            TrimLevel::Cache => Self::Kv,
            TrimLevel::Weights => Self::Weights,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_that_nobody_chose_differ() {
        assert_ne!(any_seed(), any_seed());
    }

    #[test]
    fn a_seed_that_was_chosen_is_taken() {
        let settings = SamplerSettings {
            seed: Some(7),
            ..SamplerSettings::default()
        };
        let params = SamplerParams::from(&settings);
        let wanted = SamplerParams {
            seed: 7,
            ..SamplerParams::default()
        };
        assert_eq!(params, wanted);
    }
}
