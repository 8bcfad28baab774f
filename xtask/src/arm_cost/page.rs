//! The page of a recorded run: `docs/benchmarks/arm-cost.{md,json}`.

use super::build::{self, CLANG, FLAGS};
use super::mca;
use super::plan::{K, Op, ROWS, TIERS};
use super::table::{self, Row};
use crate::cargo;
use crate::cross::{Compiler, QEMU};
use anyhow::Result;
use serde::Serialize;
use std::fs;
use std::process::Command;

/// When and with what a run was made.
#[derive(Serialize)]
struct Origin {
    date: String,
    /// The last commit of the kernels.
    kernels_commit: String,
    rustc: String,
    clang: String,
    clang_flags: &'static str,
    /// `-march` of each tier.
    clang_march: Vec<(&'static str, &'static str)>,
    ggml: String,
    llvm_mca: String,
    qemu: String,
    rows: u64,
    weights_of_a_row: u64,
    gemm_vectors: u64,
}

impl Origin {
    fn find(compiler: &Compiler) -> Result<Self> {
        let say = |program: &str| cargo::first_line(Command::new(program).arg("--version"));
        Ok(Self {
            date: cargo::first_line(Command::new("date").args(["-u", "+%F"]))?,
            kernels_commit: kernels_commit()?,
            rustc: compiler.version()?,
            clang: say(CLANG[1])?,
            clang_flags: FLAGS,
            clang_march: TIERS.iter().map(|tier| (tier.name, tier.march)).collect(),
            ggml: build::carrier_version()?,
            llvm_mca: mca::version()?,
            qemu: say(QEMU)?,
            rows: ROWS,
            weights_of_a_row: K,
            gemm_vectors: Op::Gemm.vectors(),
        })
    }
}

/// The last commit that changed the kernels, and whether there are changes since.
fn kernels_commit() -> Result<String> {
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        cargo::output(
            git.current_dir(cargo::root())
                .args(args)
                .args(["--", "kernels/src"]),
        )
    };
    let commit = git(&["log", "-1", "--format=%h"])?.trim().to_owned();
    let changed = !git(&["status", "--porcelain"])?.trim().is_empty();
    Ok(commit + if changed { " with changes" } else { "" })
}

/// Writes both files.
pub fn write(compiler: &Compiler, rows: &[Row]) -> Result<()> {
    let origin = Origin::find(compiler)?;
    let folder = cargo::root().join("docs/benchmarks");
    let json = serde_json::json!({ "origin": origin, "results": rows });
    fs::write(
        folder.join("arm-cost.json"),
        serde_json::to_string_pretty(&json)? + "\n",
    )?;
    let text = format!("{}\n{}", introduction(&origin), table::markdown(rows));
    fs::write(folder.join("arm-cost.md"), text)?;
    eprintln!("wrote docs/benchmarks/arm-cost.md and arm-cost.json");
    Ok(())
}

fn introduction(origin: &Origin) -> String {
    let Origin {
        date,
        kernels_commit,
        rustc,
        clang,
        ggml,
        llvm_mca,
        qemu,
        ..
    } = origin;
    let march: Vec<String> = TIERS
        .iter()
        .map(|tier| format!("`{}` `-march={}`", tier.name, tier.march))
        .collect();
    let march = march.join(", ");
    format!(
        "\
# What the ARM kernels cost beside ggml's

Made by `cargo xtask arm-cost --record`, on {date}, without ARM hardware; the same numbers as JSON: [arm-cost.json](arm-cost.json).
**A ratio is ours over ggml's, instructions or cycles: below 1 ours is cheaper, above 1 ggml's is.**

- Ours: kernels of {kernels_commit}, {rustc}, optimised as in a release build but for link-time optimisation.
- ggml: the source inside {ggml}, {clang}, `{FLAGS}`, and {march}; no SVE, no KleidiAI.
- {llvm_mca}; {qemu}.

## Method

A matrix of {ROWS} rows of {K} weights meets one vector (GEMV) or {} (GEMM), activations already quantized, and all is divided
by the number of blocks of 32 weights times vectors. *Instructions* are exact: an emulator's plugin counts every executed
instruction between two marks, calls and loop overhead included. *Cycles* come from llvm-mca's models of Neoverse V2, N2 and
N1: the executed code is cut into loops by its branches back and the counts, each loop's own instructions are what the plugin
saw, and a loop costs its cycles a pass times the passes that were executed.

ggml computes a GEMV by `vec_dot`, row by row, unless the weights were repacked, which llama.cpp does by default for the types
that have a repacked form and these CPU features; the ratio is to the form that ggml takes. A GEMM goes by the repacked form, else
by llamafile's `sgemm`, else by `vec_dot` (with 8-bit matrix products two rows and two vectors at a time, for some types).

## What to distrust

- llvm-mca knows no caches, no memory, no branch misses and no store forwarding: all data is as if in the first cache. Decode of
  a model is bound by memory, so a ratio of cycles there is an upper bound of the difference that is felt.
- The models are of server cores: V2 is near a Cortex-X3, N2 near an A715. For in-order cores nothing here holds. Ratios
  between two loops on one model say more than the cycles themselves.
- Loops are modelled one by one, forever: what the CPU loses between them is not seen, for either side.
- Quantizing the activations is not counted, nor is threading. ggml's repacked GEMM wants them interleaved by four, ours does not.
- ggml's `sgemm` and `vec_dot` of F16 would use half-precision arithmetic where the CPU has it; these builds do not, as ours does not.
- Our order of operations is fixed, for the same bits everywhere (README); ggml's is not. That has a price, and it is in these
  numbers.

## What bounds ours

The definition converts, scales and adds the sum of every 32 products in singles. For four results that is, beside 8 `sdot` or
4 `smmla`: a start of the sum, its way to a float, a product of scales, a fused addition. V2 multiplies four registers a cycle, so
`dotprod` cannot pass 46 MAC/cycle with blocks of 32; its model dispatches six operations a cycle, so `i8mm` cannot pass 63. Types
with super-blocks scale in integers, and have more room. To pass these, a prompt would have to meet weights with one scale for 256,
in integers throughout: other bits, and so another tier, as [amx-bf16](../adr/0003-many-tokens-in-bfloat16.md) is.

Halves are converted to singles, once for up to four vectors. The instructions that multiply halves by halves (FEAT_FHM) would need
the vectors in halves too, and the definition has queries in singles.

## Summary

Over the quantized types: `cheaper` counts those for which ours costs less, `mean` is the geometric mean of the ratios. A mean
hides that ggml repacks some types and not others; the rows below show it. (The floats are left out: ggml's
`vec_dot` of BF16 has no ARM code, and a mean with it would flatter ours.)
",
        Op::Gemm.vectors()
    )
}
