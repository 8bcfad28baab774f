//! What phones and laptops would do: `cargo xtask projection` computes docs/benchmarks/projection.md from the
//! recorded cycles of our kernels and from published figures of the machines.
//!
//! A token takes max(bytes / bandwidth, Σ blocks · cycles / clock over the cores) + barriers.

mod page;
mod tables;

use crate::cargo;
use crate::report::{Outcome, Report, Tally};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use tables::{Cluster, MODELS, Matrix, Model, SOCS, Soc};

/// The part of its highest clock that a core is taken to hold.
const SUSTAINED: f64 = 0.8;
/// Seconds until all threads know that all are done.
const BARRIER: f64 = 5e-6;
/// Regions of parallel work in a layer: q, k, v; attention; its output; gate and up; down.
const REGIONS: usize = 5;
/// Tokens of a prompt that are computed together.
const BATCH: usize = 512;

/// Writes the page.
pub fn run(report: &mut Report) {
    report.leg("projection", || {
        let path = cargo::root().join("docs/benchmarks/arm-cost.json");
        let text = fs::read(&path).with_context(|| path.display().to_string())?;
        let costs = Costs::new(serde_json::from_slice(&text).context("arm-cost.json")?)?;
        let out = cargo::root().join("docs/benchmarks/projection.md");
        fs::write(&out, page::page(&costs)?)?;
        eprintln!("wrote docs/benchmarks/projection.md");
        Ok(Outcome::Ran(Tally::one(true)))
    });
}

/// `arm-cost.json`, as far as it is read here.
#[derive(Deserialize)]
struct Recorded {
    origin: Origin,
    results: Vec<Row>,
}

/// Who counted, and what.
#[derive(Clone, Debug, Deserialize)]
struct Origin {
    date: String,
    kernels_commit: String,
    ggml: String,
}

#[derive(Deserialize)]
struct Row {
    tier: String,
    #[serde(rename = "type")]
    ty: String,
    op: String,
    ours: Cost,
    ggml: BTreeMap<String, Cost>,
    ggml_takes: Option<String>,
}

#[derive(Clone, Deserialize)]
struct Cost {
    cycles: BTreeMap<String, f64>,
}

/// Whose kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Ours,
    Ggml,
}

/// A product's kind: a vector, or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Gemv,
    Gemm,
}

impl Op {
    const fn name(self) -> &'static str {
        match self {
            Self::Gemv => "gemv",
            Self::Gemm => "gemm",
        }
    }
}

/// Cycles of 32 weights and a vector, by side, tier, type, operation and CPU model.
struct Costs {
    origin: Origin,
    cycles: BTreeMap<(Side, String, String, String, String), f64>,
}

impl Costs {
    fn new(recorded: Recorded) -> Result<Self> {
        let mut cycles = BTreeMap::new();
        for row in recorded.results {
            let ggml = row.ggml_takes.and_then(|form| row.ggml.get(&form).cloned());
            let sides = [(Side::Ours, Some(row.ours)), (Side::Ggml, ggml)];
            for (side, cost) in sides {
                for (core, cycle) in cost.into_iter().flat_map(|cost| cost.cycles) {
                    ensure!(cycle > 0.0, "{} {} {core}: {cycle} cycles", row.ty, row.op);
                    let key = (side, row.tier.clone(), row.ty.clone(), row.op.clone(), core);
                    cycles.insert(key, cycle);
                }
            }
        }
        Ok(Self {
            origin: recorded.origin,
            cycles,
        })
    }

    fn cycles(&self, side: Side, tier: &str, ty: &str, op: Op, core: &str) -> Result<f64> {
        let [tier, ty, op, core] = [tier, ty, op.name(), core].map(str::to_owned);
        let key = (side, tier, ty, op, core);
        let cycles = self.cycles.get(&key).copied();
        cycles.with_context(|| format!("arm-cost.json has no {key:?}"))
    }
}

/// What a token, or a batch of them, takes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Time {
    /// Seconds that reading the weights takes.
    memory: f64,
    /// Seconds that the products take.
    compute: f64,
    barriers: f64,
}

impl Time {
    fn seconds(self) -> f64 {
        self.memory.max(self.compute) + self.barriers
    }

    /// Whether memory is what it waits for.
    fn is_bound_by_memory(self) -> bool {
        self.memory > self.compute
    }
}

/// Blocks of 32 weights a second that all cores together get through, each at its own pace. `cycles` gives
/// those of a block by the CPU model.
fn blocks_a_second(clusters: &[Cluster], cycles: impl Fn(&str) -> Result<f64>) -> Result<f64> {
    let mut sum = 0.0;
    for cluster in clusters {
        let hertz = cluster.gigahertz * 1e9 * SUSTAINED;
        sum += cluster.cores as f64 * hertz / cycles(cluster.model)?;
    }
    Ok(sum)
}

/// A token of decode where memory gives `bandwidth` bytes a second.
fn decode(costs: &Costs, side: Side, soc: &Soc, model: &Model, bandwidth: f64) -> Result<Time> {
    let matrices = model.matrices();
    Ok(Time {
        memory: bytes(&matrices) / bandwidth,
        compute: compute(costs, side, soc, &matrices, Op::Gemv)?,
        barriers: (REGIONS * model.layers + 1) as f64 * BARRIER,
    })
}

/// A batch of a prompt, whose last token alone meets the output matrix. Its vectors are shared out too, so
/// there are twice the regions.
fn prefill(costs: &Costs, side: Side, soc: &Soc, model: &Model, bandwidth: f64) -> Result<Time> {
    let matrices = model.matrices();
    let total = bytes(&matrices);
    let (output, inner): (Vec<_>, Vec<_>) = matrices.into_iter().partition(|m| m.is_output);
    let one = compute(costs, side, soc, &inner, Op::Gemm)?;
    let last = compute(costs, side, soc, &output, Op::Gemv)?;
    Ok(Time {
        memory: total / bandwidth,
        compute: BATCH as f64 * one + last,
        barriers: (2 * REGIONS * model.layers + 1) as f64 * BARRIER,
    })
}

/// Seconds in which the cores get through the matrices for one vector.
fn compute(costs: &Costs, side: Side, soc: &Soc, matrices: &[Matrix], op: Op) -> Result<f64> {
    let mut seconds = 0.0;
    for matrix in matrices {
        let cycles = |core: &str| costs.cycles(side, soc.tier, matrix.ty, op, core);
        seconds += matrix.weights / 32.0 / blocks_a_second(soc.clusters, cycles)?;
    }
    Ok(seconds)
}

fn bytes(matrices: &[Matrix]) -> f64 {
    matrices.iter().map(Matrix::bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Q4_0 takes 2 cycles of V2 and 4 of N2 in decode, a quarter in prompts; Q6_K twice that.
    fn costs() -> Costs {
        let row = |ty: &str, op: &str, v2: f64| {
            let cycles = |by: f64| serde_json::json!({"cycles": {"neoverse-v2": by * v2, "neoverse-n2": 2.0 * by * v2}});
            serde_json::json!({
                "tier": "i8mm", "type": ty, "op": op, "ours": cycles(1.0), "ggml": {"repacked": cycles(0.5)},
                "ggml_takes": "repacked"
            })
        };
        let recorded = serde_json::json!({
            "origin": {"date": "2026-01-31", "kernels_commit": "abc", "ggml": "ggml 1"},
            "results": [row("Q4_0", "gemv", 2.0), row("Q4_0", "gemm", 0.5), row("Q6_K", "gemv", 4.0)]
        });
        Costs::new(serde_json::from_value(recorded).unwrap()).unwrap()
    }

    const SOC: Soc = Soc {
        name: "a chip",
        tier: "i8mm",
        clusters: &[
            Cluster {
                cores: 1,
                name: "big",
                gigahertz: 2.5,
                model: "neoverse-v2",
            },
            Cluster {
                cores: 2,
                name: "small",
                gigahertz: 1.25,
                model: "neoverse-n2",
            },
        ],
        peak: 50e9,
        reached: (10e9, 20e9),
        sources: "none",
    };

    /// 2 layers, 64 wide, 64 of feed-forward, 1,000 tokens.
    const MODEL: Model = Model {
        name: "a model",
        layers: 2,
        width: 64,
        kv_width: 32,
        ffn: 64,
        vocabulary: 1000,
        types: tables::Types::All("Q4_0"),
        output: "Q6_K",
    };

    fn near(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-9, "{got}, wanted {want}");
    }

    #[test]
    fn a_token_by_hand() {
        // Sustained: 2.0 and twice 1.0 GHz. Q4_0: 2e9 / 2 + 2 · 1e9 / 4 = 1.5e9 blocks a second.
        let rate = blocks_a_second(SOC.clusters, |core| {
            costs().cycles(Side::Ours, "i8mm", "Q4_0", Op::Gemv, core)
        });
        near(rate.unwrap(), 1.5e9);
        // A layer: q and output 64·64, k and v 64·32, three of 64·64: 24,576 weights; two: 1,536 blocks of
        // 18 bytes. The output matrix: 64,000 weights, 2,000 blocks, 210 bytes for each 256 weights.
        let time = decode(&costs(), Side::Ours, &SOC, &MODEL, 10e9).unwrap();
        near(time.memory, (1536.0 * 18.0 + 250.0 * 210.0) / 10e9);
        near(time.compute, 1536.0 / 1.5e9 + 2000.0 / 0.75e9);
        near(time.barriers, 11.0 * 5e-6);
        assert!(time.is_bound_by_memory());
        near(time.seconds(), time.memory + time.barriers);
        // With more bandwidth the cores are what it waits for.
        let time = decode(&costs(), Side::Ours, &SOC, &MODEL, 50e9).unwrap();
        assert!(!time.is_bound_by_memory());
        near(time.seconds(), time.compute + time.barriers);
        // ggml's take half the cycles here.
        let theirs = decode(&costs(), Side::Ggml, &SOC, &MODEL, 50e9).unwrap();
        near(theirs.compute, time.compute / 2.0);
    }

    #[test]
    fn a_prompt_by_hand() {
        // Prompts: 6e9 blocks and vectors a second; the output matrix meets one vector.
        let time = prefill(&costs(), Side::Ours, &SOC, &MODEL, 10e9).unwrap();
        near(time.compute, 512.0 * 1536.0 / 6e9 + 2000.0 / 0.75e9);
        near(time.barriers, 21.0 * 5e-6);
        assert!(!time.is_bound_by_memory());
    }

    #[test]
    fn what_was_not_counted_is_told() {
        let costs = costs();
        let error = costs.cycles(Side::Ours, "i8mm", "Q4_1", Op::Gemv, "neoverse-v2");
        assert!(error.unwrap_err().to_string().contains("Q4_1"));
    }

    #[test]
    fn models_have_the_bytes_of_their_files() {
        let gigabytes: Vec<(&str, f64)> = MODELS
            .iter()
            .map(|model| (model.name, bytes(&model.matrices()) / 1e9))
            .collect();
        // Tensors of the files but norms and, where the output matrix is another, the embedding.
        let want = [
            ("SmolLM2-135M Q4_1", 0.0965),
            ("TinyLlama-1.1B Q4_0", 0.5992),
            ("Llama-2-7B Q4_0", 3.7501),
            ("Llama-2-7B Q4_K_M", 4.0070),
        ];
        for ((name, got), (wanted_name, wanted)) in gigabytes.iter().zip(want) {
            assert_eq!(*name, wanted_name);
            assert!((got - wanted).abs() < 0.002, "{name}: {got} GB");
        }
    }

    #[test]
    fn the_recorded_costs_make_a_page() {
        let path = cargo::root().join("docs/benchmarks/arm-cost.json");
        let recorded = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let page = page::page(&Costs::new(recorded).unwrap()).unwrap();
        for soc in &SOCS {
            assert!(page.contains(&format!("## {}", soc.name)), "{}", soc.name);
        }
        // Every column of figures says what they are.
        let headings: Vec<&str> = page.lines().filter(|l| l.starts_with("| model")).collect();
        assert_eq!(headings.len(), SOCS.len());
        for cell in headings.iter().flat_map(|line| line.split(" | ").skip(1)) {
            let fine = cell.starts_with("projected") || cell == "waits for";
            assert!(fine, "{cell}");
        }
        assert!(SOCS.iter().any(|soc| !soc.is_modelled()), "one is a guess");
        assert!(page.contains("not modelled"));
    }
}
