//! Tests in rounds: ours and another program's in turn, each sample a process of its own.
//!
//! In the first round the other program tries all its settings, later its best two; who goes first
//! alternates. It is judged by the setting with the best median, and the ratio is taken round by round.

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use serde::Serialize;

use super::{
    Args,
    llama::{self, Common, LlamaBench, Setting},
    ours::{self, Ours},
    prewarm::{self, Prewarm},
    process::{Ended, Said},
    spread::Spread,
    start::{self, Start},
    table,
    trial::Test,
};
use crate::{output::Out, progress};

/// Settings that stay after the first round.
const KEPT: usize = 2;

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The file's name and size.
    pub model_file: String,
    pub file_bytes: u64,
    pub model_type: String,
    /// As llama-bench names it; empty where that does not run.
    pub cpu: String,
    pub cores: usize,
    pub n_threads: usize,
    pub puna_version: &'static str,
    /// Our tier of kernels.
    pub isa: String,
    pub type_kv: &'static str,
    pub n_batch: usize,
    pub rounds: usize,
    pub peer: Option<Peer>,
    pub tests: Vec<Compared>,
    pub start: Vec<Start>,
    pub prewarm: Vec<Prewarm>,
    /// Why there is no start with a cold cache.
    pub not_dropped: Option<String>,
}

/// The other program.
#[derive(Debug, Serialize)]
pub struct Peer {
    pub name: &'static str,
    pub build_commit: String,
    pub build_number: u64,
}

/// Samples of one way to run a test, a process each.
#[derive(Debug, Default, Serialize)]
pub struct Series {
    pub samples_ns: Vec<u64>,
    pub peak_rss_bytes: Vec<Option<u64>>,
}

impl Series {
    /// Adds a process and its time.
    pub fn add(&mut self, ns: u64, ended: &Ended) {
        self.samples_ns.push(ns.max(1));
        self.peak_rss_bytes.push(ended.peak_rss_bytes);
    }

    /// What `figure` makes of the times in nanoseconds.
    pub fn spread(&self, figure: impl Fn(f64) -> f64) -> Option<Spread> {
        Spread::of(self.samples_ns.iter().map(|&ns| figure(ns as f64)))
    }

    /// The most memory of all processes.
    pub fn peak_rss(&self) -> Option<u64> {
        self.peak_rss_bytes.iter().flatten().copied().max()
    }
}

/// Times of the second by those of the first, pair by pair: above 1 the first is faster.
pub fn ratios(first: &Series, second: &Series) -> Vec<f64> {
    let pairs = first.samples_ns.iter().zip(&second.samples_ns);
    pairs.map(|(&a, &b)| b as f64 / a as f64).collect()
}

/// One test on both sides.
#[derive(Debug, Serialize)]
pub struct Compared {
    pub test: String,
    pub n_prompt: usize,
    pub n_gen: usize,
    pub n_depth: usize,
    pub puna: Series,
    /// Tokens a second.
    pub puna_ts: Option<Spread>,
    /// Every setting that was tried.
    pub peer: Vec<Tried>,
    /// The place in `peer` of the one with the best median.
    pub best: Option<usize>,
    pub ratios: Vec<f64>,
    /// Of the ratios: above 1 Puna is faster.
    pub ratio: Option<Spread>,
}

/// One setting of the other program.
#[derive(Debug, Serialize)]
pub struct Tried {
    pub setting: String,
    #[serde(flatten)]
    pub series: Series,
    /// Tokens a second.
    pub ts: Option<Spread>,
}

/// Runs the plan and tells it.
pub fn run(args: &Args, plan: &[Test], out: &mut Out) -> Result<()> {
    let runner = Runner::new(args, plan)?;
    let mut comparison = runner.first_words()?;
    if !args.json {
        table::heading(out, &comparison)?;
    }
    for test in plan {
        let compared = runner.compare(test, &mut comparison)?;
        if !args.json {
            runner.bar.suspend(|| table::row(out, &compared))?;
        }
        comparison.tests.push(compared);
    }
    if args.start {
        start::run(&runner, &mut comparison)?;
        prewarm::run(&runner, &mut comparison)?;
        if !args.json {
            runner.bar.suspend(|| table::starts(out, &comparison))?;
        }
    }
    runner.bar.finish_and_clear();
    if args.json {
        out.json(&comparison)?;
    } else {
        table::foot(out, &comparison)?;
    }
    Ok(())
}

/// Both programs, and what they are told.
pub struct Runner<'a> {
    pub args: &'a Args,
    pub ours: Ours<'a>,
    pub bar: ProgressBar,
}

impl<'a> Runner<'a> {
    fn new(args: &'a Args, plan: &[Test]) -> Result<Self> {
        let rounds = args.repetitions.get();
        let of_peer = |test| {
            let settings = Setting::of(test).len();
            settings + (rounds - 1) * settings.min(KEPT)
        };
        let of_test = |test| rounds + args.compare.as_ref().map_or(0, |_| of_peer(test));
        // Warm and cold, each once; then prewarmed and computed as well.
        let of_start = 2 * rounds * (3 + usize::from(args.compare.is_some()));
        let steps = plan.iter().map(of_test).sum::<usize>() + if args.start { of_start } else { 0 };
        Ok(Self {
            args,
            ours: Ours::new(args)?,
            bar: progress::steps(steps, "bench"),
        })
    }

    /// What is known before any round; the smallest test of both programs says it, and meets what is wrong
    /// with the model or the other program before time is spent.
    fn first_words(&self) -> Result<Comparison> {
        let smallest = Test {
            n_prompt: 1,
            n_gen: 0,
            n_depth: 0,
        };
        self.bar.set_message("first words");
        let ours = first(self.ours.test(&smallest)?)?;
        let file = &self.args.model;
        let mut comparison = Comparison {
            model_file: file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            file_bytes: std::fs::metadata(file)?.len(),
            model_type: ours.model_type,
            cpu: String::new(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            n_threads: ours.n_threads,
            puna_version: env!("CARGO_PKG_VERSION"),
            isa: ours.isa,
            type_kv: self.args.compute.kv().name(),
            n_batch: self.args.compute.batch.get(),
            rounds: self.args.repetitions.get(),
            peer: None,
            tests: Vec::new(),
            start: Vec::new(),
            prewarm: Vec::new(),
            not_dropped: None,
        };
        if let Some(llama) = &self.args.compare {
            let setting = Setting::of(&smallest)[0];
            let theirs = first(llama.test(self.common(&comparison), &smallest, setting)?)?;
            comparison.cpu = theirs.cpu_info;
            comparison.peer = Some(Peer {
                name: llama::NAME,
                build_commit: theirs.build_commit,
                build_number: theirs.build_number,
            });
        }
        Ok(comparison)
    }

    /// What the other program is told besides the test.
    pub fn common(&self, comparison: &Comparison) -> Common<'_> {
        Common {
            model: &self.args.model,
            threads: comparison.n_threads,
            batch: comparison.n_batch,
        }
    }

    fn compare(&self, test: &Test, comparison: &mut Comparison) -> Result<Compared> {
        let common = self.common(comparison);
        let mut puna = Series::default();
        let settings = self.args.compare.as_ref().map(|_| Setting::of(test));
        let mut tried: Vec<(Setting, Series)> = settings
            .into_iter()
            .flatten()
            .map(|setting| (setting, Series::default()))
            .collect();
        for round in 0..comparison.rounds {
            if round % 2 == 0 {
                self.our_turn(test, &mut puna)?;
            }
            if let Some(llama) = &self.args.compare {
                // After a round, the fastest are in front.
                let kept = if round == 0 { tried.len() } else { KEPT };
                for (setting, series) in tried.iter_mut().take(kept) {
                    self.their_turn(llama, common, test, *setting, series)?;
                }
                if round == 0 {
                    tried.sort_by_key(|(_, series)| series.samples_ns[0]);
                }
            }
            if round % 2 == 1 {
                self.our_turn(test, &mut puna)?;
            }
        }
        Ok(compared(test, puna, tried))
    }

    fn our_turn(&self, test: &Test, series: &mut Series) -> Result<()> {
        self.bar
            .set_message(format!("{}: {}", test.name(), ours::NAME));
        let ended = self.ours.test(test)?;
        series.add(ended.said[0].samples_ns[0], &ended);
        self.bar.inc(1);
        Ok(())
    }

    fn their_turn(
        &self,
        llama: &LlamaBench,
        common: Common<'_>,
        test: &Test,
        setting: Setting,
        series: &mut Series,
    ) -> Result<()> {
        let (name, setting_name) = (test.name(), setting.name());
        self.bar
            .set_message(format!("{name}: {} {setting_name}", llama::NAME));
        let ended = llama.test(common, test, setting)?;
        series.add(ended.said[0].samples_ns[0], &ended);
        self.bar.inc(1);
        Ok(())
    }
}

/// The figures of a test that was measured.
fn compared(test: &Test, puna: Series, tried: Vec<(Setting, Series)>) -> Compared {
    let tokens_a_second = |ns: f64| test.n_tokens() as f64 * 1e9 / ns;
    let peer: Vec<Tried> = tried
        .into_iter()
        .map(|(setting, series)| Tried {
            setting: setting.name(),
            ts: series.spread(tokens_a_second),
            series,
        })
        .collect();
    let median = |tried: &Tried| tried.ts.map_or(0.0, |ts| ts.median);
    // One that was dropped after the first round has no medians to be judged by.
    let candidates = peer.iter().take(KEPT).enumerate();
    let best = candidates
        .max_by(|(_, a), (_, b)| median(a).total_cmp(&median(b)))
        .map(|(place, _)| place);
    let ratios = best.map_or_else(Vec::new, |best| ratios(&puna, &peer[best].series));
    Compared {
        test: test.name(),
        n_prompt: test.n_prompt,
        n_gen: test.n_gen,
        n_depth: test.n_depth,
        puna_ts: puna.spread(tokens_a_second),
        puna,
        peer,
        best,
        ratio: Spread::of(ratios.iter().copied()),
        ratios,
    }
}

/// The first report of a program; [`super::process::run`] made sure that there is one.
fn first(ended: Ended) -> Result<Said> {
    let first = ended.said.into_iter().next();
    first.context("a program said nothing of its test")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(samples_ns: &[u64]) -> Series {
        Series {
            samples_ns: samples_ns.to_vec(),
            peak_rss_bytes: vec![Some(5), None],
        }
    }

    #[test]
    fn the_best_median_of_those_that_stayed_is_compared_with() {
        let test = Test {
            n_prompt: 0,
            n_gen: 10,
            n_depth: 4,
        };
        let settings = Setting::of(&test);
        assert_eq!(settings.len(), 3);
        let tried = vec![
            (settings[0], series(&[1_000, 4_000, 4_000])),
            (settings[2], series(&[2_000, 2_000, 3_000])),
            // Dropped after a round, whatever its only sample says.
            (settings[1], series(&[1_500])),
        ];
        let compared = compared(&test, series(&[4_000, 1_000, 1_000]), tried);
        assert_eq!(compared.best, Some(1));
        assert_eq!(compared.peer[1].setting, "-fa 1 -ctk q8_0 -ctv q8_0");
        assert_eq!(compared.ratios, [0.5, 2.0, 3.0]);
        assert_eq!(compared.ratio.map(|r| r.median), Some(2.0));
        assert_eq!(compared.puna_ts.map(|ts| ts.median), Some(1e7));
        assert_eq!(compared.puna.peak_rss(), Some(5));
    }
}
