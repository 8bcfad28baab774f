//! Files of known models' shapes with random weights, for measuring: what such a model writes is noise, what
//! it costs is not.
//!
//! Q4_0, the output matrix in Q6_K, as llama.cpp's quantizer makes them. Rows are taken from a pool of random
//! blocks at random places, so that a file of gigabytes is made as fast as it is written.

use std::collections::HashMap;
use std::io::{self, Write};

use puna_core::gguf::{GgmlType, OwnedValue, Writer};
use puna_kernels::WeightType;

use crate::tiny::{Rng, ggml_type, random, vocabulary};

/// What a model of the `llama` architecture is like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// What it is asked for by, and `general.name`.
    pub name: &'static str,
    /// Layers.
    pub n_layer: usize,
    /// Width of the residual stream.
    pub n_embd: usize,
    /// Query heads.
    pub n_head: usize,
    /// Key and value heads.
    pub n_head_kv: usize,
    /// Width of the feed-forward network.
    pub n_ff: usize,
    /// Tokens.
    pub n_vocab: usize,
}

/// The shapes that can be asked for.
pub const SHAPES: [Shape; 2] = [
    Shape {
        name: "tinyllama-1.1b",
        n_layer: 22,
        n_embd: 2048,
        n_head: 32,
        n_head_kv: 4,
        n_ff: 5632,
        n_vocab: 32_000,
    },
    Shape {
        name: "llama-2-7b",
        n_layer: 32,
        n_embd: 4096,
        n_head: 32,
        n_head_kv: 32,
        n_ff: 11_008,
        n_vocab: 32_000,
    },
];

/// Tokens of context that every file claims, more than the models were trained for, so that any depth can be
/// measured.
const N_CTX: u32 = 16_384;

/// Weights in a pool, in whole blocks of every type.
const POOL: usize = 1 << 20;

struct Matrix {
    name: String,
    ty: WeightType,
    n_in: usize,
    n_out: usize,
    /// Root mean square of the weights.
    rms: f32,
}

/// Writes the file.
///
/// # Errors
/// Those of `out`.
///
/// # Panics
/// If a row is not whole blocks.
pub fn write(shape: &Shape, out: &mut impl Write) -> io::Result<()> {
    let mut file = Writer::new();
    for (key, value) in keys(shape) {
        file.kv(key, value);
    }
    let ones = |n: usize| 1f32.to_le_bytes().repeat(n);
    let matrices = matrices(shape);
    for matrix in &matrices {
        let name = &matrix.name;
        // A norm stands before what it feeds.
        let norm = match name.split_once(".attn_q.") {
            Some((layer, _)) => Some(format!("{layer}.attn_norm.weight")),
            None if name == "output.weight" => Some("output_norm.weight".to_owned()),
            None => name
                .strip_suffix("ffn_gate.weight")
                .map(|layer| format!("{layer}ffn_norm.weight")),
        };
        if let Some(norm) = norm {
            let dims = [shape.n_embd as u64];
            file.tensor(norm, GgmlType::F32, &dims, ones(shape.n_embd));
        }
        let dims = [matrix.n_in as u64, matrix.n_out as u64];
        file.tensor_later(name, ggml_type(matrix.ty), &dims);
    }
    let mut rng = Rng::new(1);
    let mut pools = HashMap::new();
    file.write_with(out, |name| {
        let matrix = matrices.iter().find(|m| m.name == name);
        let matrix = matrix.ok_or_else(|| io::Error::other(name.to_owned()))?;
        let pool = pools
            .entry((matrix.ty, matrix.rms.to_bits()))
            .or_insert_with_key(|(ty, _)| random(&mut rng, *ty, POOL, 0.0, matrix.rms).0);
        Ok(rows(&mut rng, matrix, pool))
    })
}

fn keys(shape: &Shape) -> Vec<(String, OwnedValue)> {
    let count = |n: usize| OwnedValue::U32(n as u32);
    let mut keys: Vec<(String, OwnedValue)> = vec![
        ("general.architecture".to_owned(), "llama".into()),
        (
            "general.name".to_owned(),
            format!("{} shape, random", shape.name).into(),
        ),
        // Mostly Q4_0.
        ("general.file_type".to_owned(), 2u32.into()),
        ("general.quantization_version".to_owned(), 2u32.into()),
    ];
    let llama = [
        ("context_length", N_CTX.into()),
        ("embedding_length", count(shape.n_embd)),
        ("block_count", count(shape.n_layer)),
        ("feed_forward_length", count(shape.n_ff)),
        ("attention.head_count", count(shape.n_head)),
        ("attention.head_count_kv", count(shape.n_head_kv)),
        ("rope.dimension_count", count(shape.n_embd / shape.n_head)),
        ("attention.layer_norm_rms_epsilon", 1e-5f32.into()),
    ];
    keys.extend(llama.map(|(name, value)| (format!("llama.{name}"), value)));
    keys.extend(vocabulary(shape.n_vocab));
    keys
}

fn matrices(shape: &Shape) -> Vec<Matrix> {
    let Shape { n_embd, n_ff, .. } = *shape;
    let kv = n_embd / shape.n_head * shape.n_head_kv;
    let matrix = |name: String, ty, n_in: usize, n_out, gain: f32| Matrix {
        name,
        ty,
        n_in,
        n_out,
        rms: gain / (n_in as f32).sqrt(),
    };
    let q4 = WeightType::Q4_0;
    // What is added to the residual stream over all layers is as large as what it starts with.
    let added = 1.0 / (2.0 * shape.n_layer as f32).sqrt();
    // An embedding's numbers are about 1, whatever its width.
    let unit = (n_embd as f32).sqrt();
    let mut all = vec![matrix(
        "token_embd.weight".to_owned(),
        q4,
        n_embd,
        shape.n_vocab,
        unit,
    )];
    for i in 0..shape.n_layer {
        let parts = [
            ("attn_q", n_embd, n_embd, 1.0),
            ("attn_k", n_embd, kv, 1.0),
            ("attn_v", n_embd, kv, 1.0),
            ("attn_output", n_embd, n_embd, added),
            ("ffn_gate", n_embd, n_ff, 1.0),
            ("ffn_up", n_embd, n_ff, 1.0),
            ("ffn_down", n_ff, n_embd, added),
        ];
        all.extend(parts.map(|(part, n_in, n_out, gain)| {
            matrix(format!("blk.{i}.{part}.weight"), q4, n_in, n_out, gain)
        }));
    }
    let output = "output.weight".to_owned();
    all.push(matrix(output, WeightType::Q6_K, n_embd, shape.n_vocab, 1.0));
    all
}

/// A matrix of rows that begin at random blocks of the pool.
fn rows(rng: &mut Rng, matrix: &Matrix, pool: &[u8]) -> Vec<u8> {
    let (block, row) = (matrix.ty.block_bytes(), matrix.ty.row_bytes(matrix.n_in));
    let starts = (pool.len() - row) / block + 1;
    let mut bytes = Vec::with_capacity(row * matrix.n_out);
    for _ in 0..matrix.n_out {
        let start = rng.below(starts) * block;
        bytes.extend_from_slice(&pool[start..start + row]);
    }
    bytes
}
