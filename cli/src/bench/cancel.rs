//! How soon a cancel from another thread ends the work: from the call to the moment the work returns.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use puna_core::{cancel::Cancel, session::Session, tokenizer::TokenId};
use serde::Serialize;

use super::{
    Args,
    trial::{RandomTokens, Test, compute},
};
use crate::{output::Out, progress};

/// A test and how soon its cancels were seen.
#[derive(Debug, Serialize)]
struct Report {
    test: String,
    n_prompt: usize,
    n_gen: usize,
    n_depth: usize,
    n_threads: usize,
    /// The whole test, not cancelled.
    whole_ms: f64,
    /// One a cancel that came in time.
    samples_ms: Vec<f64>,
    median_ms: Option<f64>,
    most_ms: Option<f64>,
}

/// Cancels every test some times, at moments spread over its length.
pub fn run(args: &Args, plan: &[Test], out: &mut Out) -> Result<()> {
    let model = args.compute.model(&args.model)?;
    let repetitions = args.repetitions.get();
    let bar = progress::steps(plan.len() * (repetitions + 1), "cancel");
    let mut reports = Vec::new();
    for test in plan {
        let n_ctx = test.n_depth + test.n_tokens();
        let mut session = args.compute.session(&model, Some(n_ctx))?;
        let mut tokens = RandomTokens::new(&model);
        if test.n_depth > 0 {
            session.prefill(&tokens.take(test.n_depth), &Cancel::new())?;
        }
        let tokens = tokens.take(test.n_tokens());
        let started = Instant::now();
        compute(&mut session, &tokens, test, &Cancel::new())?;
        let whole = started.elapsed();
        bar.inc(1);
        let mut samples_ms = Vec::new();
        for i in 0..repetitions {
            session.truncate(test.n_depth);
            let after = whole.mul_f64((i as f64 + 0.5) / repetitions as f64);
            let took = latency(&mut session, &tokens, test, after)?;
            samples_ms.extend(took.map(|took| took.as_secs_f64() * 1e3));
            bar.inc(1);
        }
        let mut sorted = samples_ms.clone();
        sorted.sort_by(f64::total_cmp);
        reports.push(Report {
            test: test.name(),
            n_prompt: test.n_prompt,
            n_gen: test.n_gen,
            n_depth: test.n_depth,
            n_threads: session.n_threads(),
            whole_ms: whole.as_secs_f64() * 1e3,
            median_ms: sorted.get(sorted.len() / 2).copied(),
            most_ms: sorted.last().copied(),
            samples_ms,
        });
    }
    bar.finish_and_clear();
    if args.json {
        return out.json(&reports);
    }
    out.line("| test | whole, ms | cancels | median, ms | most, ms |")?;
    out.line("|---|---|---|---|---|")?;
    for report in &reports {
        let ms = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.2}"));
        out.line(&format!(
            "| {} | {:.1} | {} | {} | {} |",
            report.test,
            report.whole_ms,
            report.samples_ms.len(),
            ms(report.median_ms),
            ms(report.most_ms)
        ))?;
    }
    Ok(())
}

/// Cancels the test `after` its begin; `None` if it was over by then.
fn latency(
    session: &mut Session,
    tokens: &[TokenId],
    test: &Test,
    after: Duration,
) -> Result<Option<Duration>> {
    let cancel = Cancel::new();
    thread::scope(|scope| {
        let canceller = scope.spawn(|| {
            thread::sleep(after);
            let at = Instant::now();
            cancel.cancel();
            at
        });
        let result = compute(session, tokens, test, &cancel);
        let end = Instant::now();
        let at = canceller.join().expect("the thread only sleeps");
        match result {
            Ok(()) => Ok(None),
            Err(error) if error.is_stop() => Ok(Some(end.saturating_duration_since(at))),
            Err(error) => Err(error.into()),
        }
    })
}
