//! `--draft`: where guesses at the next tokens come from.

use std::{path::PathBuf, str::FromStr};

use anyhow::{Context, Result};
use puna_core::{
    draft::{Draft, DraftModel},
    model::Model,
};

use crate::args::ComputeArgs;

/// How text is made faster.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Computation")]
pub struct DraftArgs {
    /// Guesses tokens ahead, which are verified several at a time: the same text, often sooner. `lookup`:
    /// from the text so far; FILE: by a smaller model of the same vocabulary
    #[arg(long, value_name = "lookup|FILE")]
    pub draft: Option<Source>,
}

/// What guesses.
#[derive(Clone, Debug)]
pub enum Source {
    /// The text so far.
    Lookup,
    /// A model in a file.
    File(PathBuf),
}

impl FromStr for Source {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "lookup" => Self::Lookup,
            path => Self::File(path.into()),
        })
    }
}

impl Source {
    /// What it is called in tables.
    pub fn name(&self) -> String {
        match self {
            Self::Lookup => "lookup".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Opens what guesses for `model`, in a session of `n_ctx` tokens.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn open(
        &self,
        compute: &ComputeArgs,
        model: &Model,
        n_ctx: Option<usize>,
    ) -> Result<Draft> {
        let path = match self {
            Self::Lookup => return Ok(Draft::Lookup),
            Self::File(path) => path,
        };
        let draft = compute.model(path)?;
        let n_ctx = n_ctx.map(|n| n.min(draft.config().n_ctx_train));
        let guesses = DraftModel::new(model, &draft, &compute.options(n_ctx));
        let guesses = guesses.with_context(|| path.display().to_string())?;
        Ok(Draft::Model(guesses))
    }
}

impl DraftArgs {
    /// What guesses for `model`, if anything was asked to.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn open(
        &self,
        compute: &ComputeArgs,
        model: &Model,
        n_ctx: Option<usize>,
    ) -> Result<Option<Draft>> {
        let source = self.draft.as_ref();
        source.map(|s| s.open(compute, model, n_ctx)).transpose()
    }
}
