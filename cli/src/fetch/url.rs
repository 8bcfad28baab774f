//! A model from an address, with a bar.

use std::sync::Arc;

use anyhow::Result;
use indicatif::ProgressBar;
use puna_core::{
    cancel::Cancel,
    store::{Entry, Fetch, Https, Phase, Progress, Store},
};

use crate::progress;

/// Fetches what is at `url` into the store, if it is not there.
pub fn fetch(store: &Store, url: &str, sha256: Option<&str>) -> Result<Entry> {
    let fetch = Fetch {
        sha256: sha256.map(str::to_owned),
        ..Fetch::new(url)
    };
    let mut bar: Option<ProgressBar> = None;
    let mut show = |now: Progress| {
        let bar = bar.get_or_insert_with(|| progress::bytes(0, ""));
        bar.set_message(match now.phase {
            Phase::Waiting => "waiting for another process that fetches it",
            Phase::Asking => "asking",
            Phase::Receiving => "fetching",
            Phase::Pausing => "trying again",
            Phase::Checking => "checking",
        });
        bar.set_length(now.total.unwrap_or(now.received));
        bar.set_position(now.received);
    };
    // Ctrl-C ends the program; what has arrived is kept, and the system gives the lock back.
    let entry = store.fetch(
        &fetch,
        Arc::new(Https::new(None)),
        &mut show,
        &Cancel::new(),
    );
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    Ok(entry?)
}
