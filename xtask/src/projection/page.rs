//! The page of projections.

use super::{BARRIER, BATCH, Costs, MODELS, REGIONS, SOCS, SUSTAINED, Side, Soc, decode, prefill};
use anyhow::Result;

/// The page in Markdown.
pub fn page(costs: &Costs) -> Result<String> {
    let mut page = introduction(costs);
    for soc in &SOCS {
        page += &section(costs, soc)?;
    }
    Ok(page)
}

fn introduction(costs: &Costs) -> String {
    let origin = &costs.origin;
    let (sustained, barrier) = (100.0 * SUSTAINED, 1e6 * BARRIER);
    format!(
        "\
# What phones and laptops would do: projected

**Every figure in the tables is projected: computed, not measured. No such machine has run Puna yet.** Made by
`cargo xtask projection` from [arm-cost.json](arm-cost.json) ({}, kernels of {}, {}) and the published figures named below.

## Formula

time of a token = max(bytes / bandwidth, Σ blocks · cycles / clock over the cores) + barriers

- *bytes*: every matrix once; a prompt's batch of {BATCH} tokens reads them once together. *blocks*: of 32 weights.
- *cycles*: of a block and a vector, by llvm-mca; each core has a share by its speed, as if shared out perfectly.
- *barriers*: {REGIONS} regions of parallel work a layer in decode, twice that in a prompt, {barrier:.0} µs each: an assumption.
- The first column of decode takes the bandwidth that engines on the CPU were seen to reach, which says more of them than of the
  memory; the second takes the peak of the interface, which nobody reaches.

## What to distrust

- **Cores.** Cortex-X3 and X4 are taken as `neoverse-v2` (the X4 is wider), A715, A710 and A720 as `neoverse-n2`. Oryon is **not modelled**
  by llvm-mca: its rows take `neoverse-v2` and the tier `dotprod`, since it runs 8-bit matrix products slower than dot products;
  they are guesses of the order of magnitude.
- **Memory.** What was reached depends on the phone, its heat and the program; figures from elsewhere, named with each machine.
- **Clocks.** All cores at once hold less than the highest clock: {sustained:.0} % of it is assumed. A hot phone falls further, to a half within
  minutes.
- **Cores used**: the prime and performance cores, nobody else on them.
- **Left out**: attention (an empty context), norms, rotation, quantizing the vectors, caches, and what a core loses between
  loops. In prompts of {BATCH} tokens attention adds some 1 % of the products of a 7B model and some 8 % of SmolLM2's.
- The smaller the model, the less of this holds: a token of SmolLM2 takes a few milliseconds, and much of them is what is left out.
- *By ggml's kernels*, decode at the peak: the same formula with the cycles of the form that ggml takes; llama.cpp has more barriers, which are not
  counted against it.
",
        origin.date, origin.kernels_commit, origin.ggml
    )
}

fn section(costs: &Costs, soc: &Soc) -> Result<String> {
    let mut text = format!("\n## {}\n\n", soc.name);
    let cores: Vec<String> = soc
        .clusters
        .iter()
        .map(|c| {
            let (cores, name, clock, model) = (c.cores, c.name, c.gigahertz, c.model);
            format!("{cores} {name} at {clock} GHz (`{model}`)")
        })
        .collect();
    let (low, high) = soc.reached;
    text += &format!(
        "{}; tier `{}`; memory {} GB/s, reached {}. Sources: {}.{}\n\n",
        cores.join(", "),
        soc.tier,
        gigabytes(soc.peak),
        range(low, high, gigabytes),
        soc.sources,
        if soc.is_modelled() {
            ""
        } else {
            " **Its cores are not modelled: guesses.**"
        }
    );
    text += "| model | projected decode t/s at the reached bandwidth | waits for | projected decode t/s at the peak | waits for | \
             projected, by ggml's kernels | projected prompt t/s | projected, by ggml's kernels |\n|---|---:|---|---:|---|---:|---:|---:|\n";
    for model in &MODELS {
        let token = |side, bandwidth| decode(costs, side, soc, model, bandwidth);
        let [slow, fast, best] = [low, high, soc.peak].map(|b| token(Side::Ours, b));
        let (slow, fast, best) = (slow?, fast?, best?);
        let prompt = |side| prefill(costs, side, soc, model, low);
        let waits = |memory| if memory { "memory" } else { "cores" };
        text += &format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
            model.name,
            range(1.0 / slow.seconds(), 1.0 / fast.seconds(), rate),
            waits(fast.is_bound_by_memory()),
            rate(1.0 / best.seconds()),
            waits(best.is_bound_by_memory()),
            rate(1.0 / token(Side::Ggml, soc.peak)?.seconds()),
            rate(BATCH as f64 / prompt(Side::Ours)?.seconds()),
            rate(BATCH as f64 / prompt(Side::Ggml)?.seconds()),
        );
    }
    Ok(text)
}

fn range(low: f64, high: f64, show: fn(f64) -> String) -> String {
    let (low, high) = (show(low), show(high));
    if low == high {
        low
    } else {
        format!("{low}-{high}")
    }
}

fn gigabytes(bytes: f64) -> String {
    format!("{}", bytes / 1e9)
}

/// No more digits than such a figure can have.
fn rate(tokens: f64) -> String {
    if tokens < 10.0 {
        format!("{tokens:.1}")
    } else if tokens < 100.0 {
        format!("{tokens:.0}")
    } else {
        format!("{:.0}", (tokens / 10.0).round() * 10.0)
    }
}
