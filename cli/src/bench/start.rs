//! The time to the first token: whole processes, from before they are started until they are gone.
//!
//! Each opens the model, computes 16 prompt tokens, makes one, and ends, without a warm-up.

use anyhow::Result;
use serde::Serialize;

use super::{
    cache, llama, ours,
    process::Ended,
    rounds::{Comparison, Runner, Series, ratios},
    spread::Spread,
};

/// Prompt tokens, and tokens after them.
const TOKENS: (usize, usize) = (16, 1);

/// Starts with the file in the page cache, or without.
#[derive(Debug, Serialize)]
pub struct Start {
    /// `"warm"` or `"cold"`.
    pub cache: &'static str,
    pub n_prompt: usize,
    pub n_gen: usize,
    pub puna: Series,
    /// Seconds.
    pub puna_s: Option<Spread>,
    pub peer: Option<Series>,
    /// Seconds.
    pub peer_s: Option<Spread>,
    pub ratios: Vec<f64>,
    /// Of the ratios: above 1 Puna is faster.
    pub ratio: Option<Spread>,
}

/// Measures the starts, those with a cold cache where the system lets go of the file.
pub fn run(runner: &Runner<'_>, comparison: &mut Comparison) -> Result<()> {
    let file = &runner.args.model;
    cache::warm(file)?;
    let warm = starts(runner, comparison, "warm", &|| Ok(()))?;
    comparison.start.extend(warm);
    match cache::drop_file(file) {
        Ok(()) => {
            let cold = starts(runner, comparison, "cold", &|| cache::drop_file(file))?;
            if cold.is_none() {
                comparison.not_dropped = Some("it could be dropped only sometimes".to_owned());
            }
            comparison.start.extend(cold);
        }
        Err(why) => comparison.not_dropped = Some(why),
    }
    Ok(())
}

/// `prepare` comes before each process; `None` if it fails.
fn starts(
    runner: &Runner<'_>,
    comparison: &Comparison,
    cache: &'static str,
    prepare: &dyn Fn() -> Result<(), String>,
) -> Result<Option<Start>> {
    let (n_prompt, n_gen) = TOKENS;
    let mut puna = Series::default();
    let mut peer = runner.args.compare.as_ref().map(|_| Series::default());
    for round in 0..comparison.rounds {
        for ours in [round % 2 == 0, round % 2 == 1] {
            let name = if ours { ours::NAME } else { llama::NAME };
            runner.bar.set_message(format!("{cache} start: {name}"));
            let (series, ended) = if ours {
                if prepare().is_err() {
                    return Ok(None);
                }
                (&mut puna, runner.ours.start(n_prompt, n_gen)?)
            } else if let (Some(llama), Some(peer)) = (&runner.args.compare, &mut peer) {
                if prepare().is_err() {
                    return Ok(None);
                }
                let common = runner.common(comparison);
                (peer, llama.start(common, n_prompt, n_gen)?)
            } else {
                continue;
            };
            series.add(wall_ns(&ended), &ended);
            runner.bar.inc(1);
        }
    }
    let seconds = |ns: f64| ns / 1e9;
    let ratios = peer
        .as_ref()
        .map_or_else(Vec::new, |peer| ratios(&puna, peer));
    Ok(Some(Start {
        cache,
        n_prompt,
        n_gen,
        puna_s: puna.spread(seconds),
        puna,
        peer_s: peer.as_ref().and_then(|peer| peer.spread(seconds)),
        peer,
        ratio: Spread::of(ratios.iter().copied()),
        ratios,
    }))
}

/// How long a process took.
pub fn wall_ns(ended: &Ended) -> u64 {
    u64::try_from(ended.wall.as_nanos()).unwrap_or(u64::MAX)
}
