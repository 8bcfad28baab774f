//! What happens when no token more fits the context.

use clap::ValueEnum;
use puna_core::generate::OnFull;

/// What happens when no token more fits the context.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Full {
    /// The text ends
    Error,
    /// The oldest tokens are dropped, of a conversation its oldest turns
    Shift,
}

/// The argument.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Computation")]
pub struct OnFullArgs {
    /// When the context is full
    #[arg(long, value_enum, value_name = "WHAT", default_value = "error")]
    on_full: Full,
}

impl OnFullArgs {
    /// The choice, with the first `keep` tokens kept.
    pub fn choice(&self, keep: usize) -> OnFull {
        match self.on_full {
            Full::Error => OnFull::Error,
            Full::Shift => OnFull::Shift { keep, free: None },
        }
    }
}
