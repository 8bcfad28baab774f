//! Conversations: what is computed again and what is not, and what outlives the process.

mod example;
mod hostile;
mod journal;
mod kills;
mod reuse;
mod shift;
mod state;
