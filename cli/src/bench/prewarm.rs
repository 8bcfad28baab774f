//! The time to the first token after a long system message, computed by this process or kept by an earlier one.
//!
//! Each process opens the model, has 256 tokens computed or restored from a file, computes 16 more to the first
//! logits, and ends, without a warm-up.

use anyhow::{Context, Result};
use serde::Serialize;

use super::{
    cache,
    process::Ended,
    rounds::{Comparison, Runner, Series, ratios},
    spread::Spread,
    start::wall_ns,
    trial::Test,
};

const TEST: Test = Test {
    n_prompt: 16,
    n_gen: 0,
    n_depth: 256,
};

/// Starts with the model in the page cache, or without.
#[derive(Debug, Serialize)]
pub struct Prewarm {
    /// `"warm"` or `"cold"`.
    pub cache: &'static str,
    pub n_depth: usize,
    pub n_prompt: usize,
    pub computed: Series,
    /// Seconds.
    pub computed_s: Option<Spread>,
    pub prewarmed: Series,
    /// Seconds.
    pub prewarmed_s: Option<Spread>,
    pub ratios: Vec<f64>,
    /// Of the ratios: above 1 what is kept is faster.
    pub ratio: Option<Spread>,
}

/// Measures them in turn, those with a cold cache where the system lets go of the files.
pub fn run(runner: &Runner<'_>, comparison: &mut Comparison) -> Result<()> {
    let dir = tempfile::tempdir().context("a folder for a state")?;
    let state = dir.path().join("prewarmed.puna");
    // Written once, as an earlier process would have.
    runner.ours.prewarmed(&TEST, Some(&state))?;
    let model = &runner.args.model;
    cache::warm(model)?;
    let computed = || runner.ours.prewarmed(&TEST, None);
    let prewarmed = || runner.ours.prewarmed(&TEST, Some(&state));
    let warm = starts(runner, "warm", (&computed, &prewarmed), &|| Ok(()))?;
    comparison.prewarm.extend(warm);
    let forget = || cache::drop_file(model).and_then(|()| cache::drop_file(&state));
    if forget().is_ok() {
        let cold = starts(runner, "cold", (&computed, &prewarmed), &forget)?;
        comparison.prewarm.extend(cold);
    }
    Ok(())
}

/// `prepare` comes before each process; `None` if it fails.
fn starts(
    runner: &Runner<'_>,
    cache: &'static str,
    (compute, restore): (&dyn Fn() -> Result<Ended>, &dyn Fn() -> Result<Ended>),
    prepare: &dyn Fn() -> Result<(), String>,
) -> Result<Option<Prewarm>> {
    let (mut computed, mut prewarmed) = (Series::default(), Series::default());
    for round in 0..runner.args.repetitions.get() {
        for kept in [round % 2 == 0, round % 2 == 1] {
            let how = if kept { "prewarmed" } else { "computed" };
            runner.bar.set_message(format!("{cache} start, {how}"));
            if prepare().is_err() {
                return Ok(None);
            }
            let (series, ended) = match kept {
                true => (&mut prewarmed, restore()?),
                false => (&mut computed, compute()?),
            };
            series.add(wall_ns(&ended), &ended);
            runner.bar.inc(1);
        }
    }
    let seconds = |ns: f64| ns / 1e9;
    let ratios = ratios(&prewarmed, &computed);
    Ok(Some(Prewarm {
        cache,
        n_depth: TEST.n_depth,
        n_prompt: TEST.n_prompt,
        computed_s: computed.spread(seconds),
        computed,
        prewarmed_s: prewarmed.spread(seconds),
        prewarmed,
        ratio: Spread::of(ratios.iter().copied()),
        ratios,
    }))
}
