//! `puna inspect`: what is in a GGUF file, and the memory it needs.
//!
//! It reads every valid GGUF file, also those with only a vocabulary and models that cannot be run here.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Result;
use indicatif::DecimalBytes;
use puna_core::{
    gguf::Value,
    kv_cache::KvType,
    model::{Config, Model, ModelError},
    session::{Session, SessionOptions},
};
use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    args,
    output::{Out, shortened},
};

/// Arguments of `puna inspect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The GGUF file; of a split model, its first part
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Tokens of context to reckon the memory for; 0: all that the model was trained for [default:
    /// those, at most 4096]
    #[arg(short, long, value_name = "N")]
    ctx: Option<usize>,
    /// Lists every tensor
    #[arg(long)]
    tensors: bool,
    /// Prints JSON: {"version", "file_bytes", "metadata", "tensors", "types", "memory", "runs", …}
    #[arg(long)]
    json: bool,
}

/// The context that is reckoned with where none is given.
const DEFAULT_N_CTX: usize = 4_096;
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
    /// `null` where the file describes no model that is known here.
    memory: Option<Needs>,
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

#[derive(Serialize)]
struct Needs {
    n_ctx: usize,
    /// Mapped from the file, not allocated.
    weights_bytes: u64,
    /// `null` where the heads do not fit the type.
    kv_bytes: BTreeMap<&'static str, Option<usize>>,
    scratch_bytes: Option<u64>,
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
    let (file_bytes, weights_bytes) = (gguf.file_bytes(), gguf.tensor_bytes());
    let config = Config::from_gguf(&gguf);
    let model = Model::from_gguf(gguf);
    let memory = config.ok().map(|config| {
        let n_ctx = match args.ctx {
            None => config.n_ctx_train.min(DEFAULT_N_CTX),
            Some(0) => config.n_ctx_train,
            Some(n_ctx) => n_ctx,
        };
        let kv = [KvType::F16, KvType::Q8_0, KvType::F32];
        Needs {
            n_ctx,
            weights_bytes,
            kv_bytes: kv.map(|kv| (kv.name(), kv.bytes(&config, n_ctx))).into(),
            scratch_bytes: scratch_bytes(&model, n_ctx),
        }
    });
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

/// What a session would allocate besides its cache, with the default batch and threads.
fn scratch_bytes(model: &Result<Model, ModelError>, n_ctx: usize) -> Option<u64> {
    let options = SessionOptions {
        n_ctx: Some(n_ctx),
        ..SessionOptions::default()
    };
    // The cache's memory is not touched, so this costs little.
    let session = Session::new(model.as_ref().ok()?, &options).ok()?;
    Some(session.memory().scratch_bytes)
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
        show_memory(memory, out)?;
    }
    match &report.error {
        None => Ok(()),
        Some(error) => out.line(&format!("\ncannot be run here: {}", shortened(error, 400))),
    }
}

fn show_memory(memory: &Needs, out: &mut Out) -> Result<()> {
    let weights = DecimalBytes(memory.weights_bytes);
    out.line(&format!("\nmemory at a context of {} tokens", memory.n_ctx))?;
    out.line(&format!("  weights      {weights} (mapped from the file)"))?;
    for (kv, bytes) in &memory.kv_bytes {
        let size = match bytes {
            Some(bytes) => DecimalBytes(*bytes as u64).to_string(),
            None => "does not fit this model's heads".to_owned(),
        };
        out.line(&format!("  cache {kv:<6} {size}"))?;
    }
    match memory.scratch_bytes {
        Some(bytes) => out.line(&format!("  buffers      {}", DecimalBytes(bytes))),
        None => Ok(()),
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
