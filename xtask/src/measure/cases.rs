//! The ratios of a run, one a case: above 1 Puna is ahead.

use super::record::{Record, Test};

/// What a case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Prompt,
    Decode,
    Start,
    Memory,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Prompt, Self::Decode, Self::Start, Self::Memory];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Prompt => "prompts",
            Self::Decode => "decode",
            Self::Start => "time to first token",
            Self::Memory => "peak memory",
        }
    }
}

/// A ratio of the other program to ours.
#[derive(Clone, Debug)]
pub struct Case {
    pub model: String,
    pub kind: Kind,
    /// Such as `pp512, 2 threads`.
    pub what: String,
    pub ratio: f64,
    /// The quarters around it; none of a memory.
    pub quarters: Option<(f64, f64)>,
}

/// Within this much of 1 nobody is ahead.
pub const LEVEL: f64 = 0.02;

impl Case {
    /// Whether Puna is behind.
    pub fn is_loss(&self) -> bool {
        self.ratio < 1.0 - LEVEL
    }

    /// Whether Puna is ahead.
    pub fn is_win(&self) -> bool {
        self.ratio > 1.0 + LEVEL
    }
}

/// A prompt of one token is a step of decode with another name.
pub const fn kind(test: &Test) -> Kind {
    if test.n_prompt > 1 {
        Kind::Prompt
    } else {
        Kind::Decode
    }
}

/// All cases, in the order of the steps.
pub fn cases(record: &Record) -> Vec<Case> {
    let mut cases = Vec::new();
    for model in record.models() {
        for (threads, test) in record.tests(model) {
            let noun = if threads == 1 { "thread" } else { "threads" };
            cases.push(Case {
                model: model.to_owned(),
                kind: kind(test),
                what: format!("{}, {threads} {noun}", test.test),
                ratio: test.ratio.median,
                quarters: Some((test.ratio.low, test.ratio.high)),
            });
        }
        for start in record.of(model).flat_map(|measured| &measured.start) {
            cases.push(Case {
                model: model.to_owned(),
                kind: Kind::Start,
                what: format!("start, {} cache", start.cache),
                ratio: start.ratio.median,
                quarters: Some((start.ratio.low, start.ratio.high)),
            });
        }
        cases.extend(memory(record, model));
    }
    cases
}

/// The peaks of the model's first step, whose tests every model has.
fn memory(record: &Record, model: &str) -> Option<Case> {
    let first = record.of(model).next()?;
    let ours = first.tests.iter().filter_map(|test| test.puna.peak_rss());
    let theirs = first
        .tests
        .iter()
        .filter_map(|test| test.theirs()?.series.peak_rss());
    let (ours, theirs) = (ours.max()?, theirs.max()?);
    Some(Case {
        model: model.to_owned(),
        kind: Kind::Memory,
        what: "peak memory".to_owned(),
        ratio: theirs as f64 / ours as f64,
        quarters: None,
    })
}
