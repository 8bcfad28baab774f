//! `puna inspect`: what is in a GGUF file, and the memory it needs.
//!
//! It reads every valid GGUF file, also those with only a vocabulary and models that cannot be run here.

use std::{collections::BTreeMap, num::NonZeroUsize, path::PathBuf};

use anyhow::Result;
use indicatif::DecimalBytes;
use puna_core::{gguf::Value, model::Model, plan::Plan, session::SessionOptions};
use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    args::{self, Kv},
    output::{Out, shortened},
};

/// Arguments of `puna inspect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The GGUF file; of a split model, its first part
    #[arg(value_name = "FILE", value_parser = crate::args::model_file())]
    file: PathBuf,
    /// Tokens of context to reckon the memory for; 0: all that the model was trained for [default:
    /// those, at most 4096]
    #[arg(short, long, visible_alias = "n-ctx", value_name = "N")]
    ctx: Option<usize>,
    /// How the KV cache is to store its numbers
    #[arg(long, value_enum, value_name = "TYPE", default_value = "f16")]
    kv: Kv,
    /// Prompt tokens that are to be computed together
    #[arg(short, long, value_name = "N", default_value = "512")]
    batch: NonZeroUsize,
    /// Threads that are to compute [default: one a fast core]
    #[arg(short, long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Lists every tensor
    #[arg(long)]
    tensors: bool,
    /// Prints JSON: {"version", "file_bytes", "metadata", "tensors", "types", "memory", "runs", …}
    #[arg(long)]
    json: bool,
}

/// Array elements that are shown.
const MAX_ELEMENTS: usize = 8;
/// Characters of a string that are shown to people.
const MAX_CHARS: usize = 72;

#[derive(Serialize)]
struct Report {
    version: u32,
    n_shards: usize,
    file_bytes: u64,
    n_params: u64,
    /// Long arrays are cut: `{"array": "str", "len": 49152, "first": […]}`.
    metadata: BTreeMap<String, Json>,
    tensors: Vec<Tensor>,
    types: BTreeMap<&'static str, OfType>,
    /// `null` where the file cannot be run here.
    memory: Option<Memory>,
    /// Whether `puna run` takes the file.
    runs: bool,
    /// Why not.
    error: Option<String>,
}

#[derive(Serialize)]
struct Tensor {
    name: String,
    #[serde(rename = "type")]
    ty: &'static str,
    /// The row's length first.
    shape: Vec<u64>,
    bytes: u64,
}

#[derive(Default, Serialize)]
struct OfType {
    tensors: usize,
    params: u64,
    bytes: u64,
}

/// A session's plan.
#[derive(Serialize)]
struct Memory {
    n_ctx: usize,
    kv: &'static str,
    n_batch: usize,
    n_threads: usize,
    /// Mapped from the file, not allocated.
    weights_bytes: u64,
    kv_bytes: u64,
    scratch_bytes: u64,
    /// The three together.
    needs_bytes: u64,
    /// What there is by the strictest limit; `null` where the system does not say.
    has_bytes: Option<u64>,
    /// What each limit leaves.
    limits: Limits,
    fits: bool,
    largest_n_ctx: Option<usize>,
}

#[derive(Serialize)]
struct Limits {
    available_bytes: Option<u64>,
    cgroup_bytes: Option<u64>,
    address_space_bytes: Option<u64>,
    data_bytes: Option<u64>,
}

impl From<Plan> for Memory {
    fn from(plan: Plan) -> Self {
        let (needs, device) = (plan.needs, plan.device);
        Self {
            n_ctx: needs.n_ctx,
            kv: needs.kv.name(),
            n_batch: needs.n_batch,
            n_threads: needs.n_threads,
            weights_bytes: needs.weights_bytes,
            kv_bytes: needs.kv_bytes,
            scratch_bytes: needs.scratch_bytes,
            needs_bytes: needs.total_bytes(),
            has_bytes: plan.has,
            limits: Limits {
                available_bytes: device.available_bytes,
                cgroup_bytes: device.cgroup_bytes,
                address_space_bytes: device.address_space_bytes,
                data_bytes: device.data_bytes,
            },
            fits: plan.check().is_ok(),
            largest_n_ctx: plan.largest_n_ctx,
        }
    }
}

/// Prints what is in a file.
pub fn run(args: &Args, out: &mut Out) -> Result<()> {
    let report = report(args)?;
    if args.json {
        out.json(&report)
    } else {
        show(&report, args.tensors, out)
    }
}

fn report(args: &Args) -> Result<Report> {
    let gguf = args::gguf(&args.file)?;
    let tensors = gguf.tensors().map(|t| Tensor {
        name: t.name().to_owned(),
        ty: t.ty().name(),
        shape: t.dims()[..t.n_dims()].to_vec(),
        bytes: t.byte_len(),
    });
    let tensors: Vec<Tensor> = tensors.collect();
    let mut types: BTreeMap<&str, OfType> = BTreeMap::new();
    for t in gguf.tensors() {
        let of_type = types.entry(t.ty().name()).or_default();
        of_type.tensors += 1;
        of_type.params += t.n_elements();
        of_type.bytes += t.byte_len();
    }
    let metadata = gguf
        .keys()
        .map(|(key, value)| (key.to_owned(), json(value)))
        .collect();
    let (version, n_shards) = (gguf.version(), gguf.n_shards());
    let file_bytes = gguf.file_bytes();
    let model = Model::from_gguf(gguf);
    let memory = match &model {
        Ok(model) => Some(model.plan(&options(args, model))?.into()),
        Err(_) => None,
    };
    let error = model.err().map(|error| error.to_string());
    Ok(Report {
        version,
        n_shards,
        file_bytes,
        n_params: types.values().map(|of_type| of_type.params).sum(),
        metadata,
        tensors,
        types,
        memory,
        runs: error.is_none(),
        error,
    })
}

/// Those of the session to reckon the memory for.
fn options(args: &Args, model: &Model) -> SessionOptions {
    SessionOptions {
        n_ctx: match args.ctx {
            Some(0) => Some(model.config().n_ctx_train),
            n_ctx => n_ctx,
        },
        kv: args.kv.into(),
        n_batch: args.batch.get(),
        n_threads: args.threads.map(NonZeroUsize::get),
        ..SessionOptions::default()
    }
}

/// A value, its long arrays cut.
fn json(value: Value<'_>) -> Json {
    match value {
        Value::Bool(v) => v.into(),
        Value::Str(v) => v.into(),
        Value::F32(v) => v.into(),
        Value::F64(v) => v.into(),
        Value::Array(array) => {
            let first = array.iter().take(MAX_ELEMENTS).map(json).collect();
            if array.len() <= MAX_ELEMENTS {
                return Json::Array(first);
            }
            serde_json::json!({
                "array": array.element_type().name(),
                "len": array.len(),
                "first": Json::Array(first),
            })
        }
        integer => match integer.integer().map(i64::try_from) {
            Some(Ok(v)) => v.into(),
            // Only a u64 is longer than an i64.
            _ => integer.integer().and_then(|v| u64::try_from(v).ok()).into(),
        },
    }
}

fn show(report: &Report, all_tensors: bool, out: &mut Out) -> Result<()> {
    let files = match report.n_shards {
        1 => String::new(),
        n => format!(" in {n} files"),
    };
    out.line(&format!(
        "GGUF version {}, {}{files}, {} tensors, {:.2} M parameters",
        report.version,
        DecimalBytes(report.file_bytes),
        report.tensors.len(),
        report.n_params as f64 / 1e6
    ))?;
    out.line("\nmetadata")?;
    for (key, value) in &report.metadata {
        out.line(&format!(
            "  {} = {}",
            shortened(key, MAX_CHARS),
            readable(value)
        ))?;
    }
    if !report.types.is_empty() {
        out.line("\ntensors")?;
    }
    for (ty, of_type) in &report.types {
        let (n, bytes) = (of_type.tensors, DecimalBytes(of_type.bytes).to_string());
        let params = of_type.params as f64 / 1e6;
        out.line(&format!(
            "  {ty:<8}{n:>6}  {params:>10.2} M parameters  {bytes:>12}"
        ))?;
    }
    for t in report.tensors.iter().filter(|_| all_tensors) {
        let bytes = DecimalBytes(t.bytes).to_string();
        let name = shortened(&t.name, MAX_CHARS);
        out.line(&format!(
            "  {name:<40} {:<8} {bytes:>12}  {:?}",
            t.ty, t.shape
        ))?;
    }
    if let Some(memory) = &report.memory {
        out.line(&format!("\nmemory at a context of {} tokens", memory.n_ctx))?;
        show_memory(memory, out)?;
    }
    match &report.error {
        None => Ok(()),
        Some(error) => out.line(&format!("\ncannot be run here: {}", shortened(error, 400))),
    }
}

fn show_memory(memory: &Memory, out: &mut Out) -> Result<()> {
    let mut row = |name: &str, bytes: u64, note: &str| {
        let bytes = DecimalBytes(bytes).to_string();
        let line = format!("  {name:<12} {bytes:>10}  {note}");
        out.line(line.trim_end())
    };
    row("weights", memory.weights_bytes, "mapped from the file")?;
    row(
        &format!("cache {}", memory.kv),
        memory.kv_bytes,
        "when full",
    )?;
    row("buffers", memory.scratch_bytes, "")?;
    row("needed", memory.needs_bytes, "")?;
    if let Some(bytes) = memory.has_bytes {
        row(
            "there is",
            bytes,
            if memory.fits {
                "it fits"
            } else {
                "it does not fit"
            },
        )?;
    }
    match memory.largest_n_ctx {
        Some(n) => out.line(&format!("  a context of up to {n} tokens fits")),
        None => out.line("  not even a context of one token fits"),
    }
}

/// A value for people.
fn readable(value: &Json) -> String {
    let element = |v: &Json| match v {
        Json::String(text) => format!("{:?}", shortened(text, 16)),
        other => other.to_string(),
    };
    let listed = |list: &[Json]| list.iter().map(element).collect::<Vec<_>>().join(", ");
    match value {
        Json::String(text) => shortened(text, MAX_CHARS),
        Json::Array(list) => format!("[{}]", listed(list)),
        Json::Object(cut) => {
            let first = cut["first"]
                .as_array()
                .map_or(String::new(), |list| listed(list));
            format!(
                "[{first}, …] ({} {})",
                cut["len"],
                cut["array"].as_str().unwrap_or_default()
            )
        }
        other => other.to_string(),
    }
}
