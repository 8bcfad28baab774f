//! What a template may spend.

use std::sync::atomic::{AtomicU64, Ordering};

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};
use thiserror::Error as ThisError;

/// Bytes charged for a value besides its text: about what one takes in memory.
const NODE: u64 = 64;
/// How deep values may be nested.
const MAX_DEPTH: usize = 32;

/// Why the sandbox stopped a template; the source of the engine's error.
#[derive(Debug, ThisError)]
pub(super) enum Stop {
    #[error("work limit")]
    Work,
    #[error("output limit")]
    Output,
    #[error("depth limit")]
    Depth,
    #[error("raise_exception")]
    Raised(String),
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        Self::new(ErrorKind::InvalidOperation, "stopped").with_source(stop)
    }
}

/// How much of a value an operation touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// The text of a string, the items of a lazy sequence, but no items of a list.
    Head,
    /// The text of a string, the spine of a list.
    Spine,
    /// Every value inside, but not their texts.
    Nodes,
    /// Every value inside and their texts.
    All,
}

/// Bytes of work left to one rendering. Every operation whose cost grows with its operands pays
/// before it runs, so neither time nor memory can outgrow the budget.
#[derive(Debug)]
pub(super) struct Meter {
    left: AtomicU64,
}

impl Meter {
    /// A meter with `budget` bytes of work.
    pub(super) const fn new(budget: u64) -> Self {
        Self {
            left: AtomicU64::new(budget),
        }
    }

    /// Pays `bytes` of work.
    pub(super) fn charge(&self, bytes: u64) -> Result<(), Error> {
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            })
            .map(drop)
            .map_err(|_| Stop::Work.into())
    }

    /// Pays for touching `value`; the bytes paid.
    pub(super) fn pay(&self, value: &Value, touch: Touch) -> Result<u64, Error> {
        match touch {
            Touch::Head | Touch::Spine => {
                let whole = touch == Touch::Spine || value.kind() == ValueKind::Iterable;
                let len = match value.as_str() {
                    Some(text) => text.len() as u64,
                    None if whole => value.len().unwrap_or(0) as u64 * NODE,
                    None => 0,
                };
                let cost = NODE.saturating_add(len);
                self.charge(cost)?;
                Ok(cost)
            }
            Touch::Nodes | Touch::All => self.walk(value, touch, 0),
        }
    }

    /// Pays for each of `values`; the bytes paid.
    pub(super) fn pay_all(&self, values: &[Value], touch: Touch) -> Result<u64, Error> {
        values
            .iter()
            .try_fold(0, |sum, value| Ok(sum + self.pay(value, touch)?))
    }

    /// Pays for writing `value` out; a list is written with quotes and escapes, character by character.
    pub(super) fn pay_print(&self, value: &Value) -> Result<u64, Error> {
        if value.as_str().is_some() {
            return self.pay(value, Touch::Spine);
        }
        let cost = self.walk(value, Touch::All, 0)?.saturating_mul(16);
        self.charge(cost)?;
        Ok(cost)
    }

    fn walk(&self, value: &Value, touch: Touch, depth: usize) -> Result<u64, Error> {
        if depth > MAX_DEPTH {
            return Err(Stop::Depth.into());
        }
        let mut cost = NODE;
        if touch == Touch::All
            && let Some(text) = value.as_str()
        {
            cost += text.len() as u64;
        }
        self.charge(cost)?;
        match value.kind() {
            ValueKind::Map => {
                for key in value.try_iter()? {
                    cost += self.walk(&key, touch, depth + 1)?;
                    if let Ok(item) = value.get_item(&key) {
                        cost += self.walk(&item, touch, depth + 1)?;
                    }
                }
            }
            ValueKind::Seq | ValueKind::Iterable => {
                for item in value.try_iter()? {
                    cost += self.walk(&item, touch, depth + 1)?;
                }
            }
            _ => {}
        }
        Ok(cost)
    }
}
