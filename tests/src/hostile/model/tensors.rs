//! Tensors that are missing, unknown, of another shape or type, or full of NaN.

use puna_core::gguf::GgmlType;
use puna_kernels::WeightType;

use super::{spoiled, without};
use crate::{
    hostile::Case,
    tiny::{Shape, Tensor, Tiny, ggml_type},
};

pub(super) fn cases() -> Vec<Case> {
    [set(), shapes(), types(), numbers(), scales()].concat()
}

/// A tensor of zeros.
fn zeros(name: &str, ty: GgmlType, dims: &[u64]) -> Tensor {
    let n = dims.iter().product::<u64>() as usize;
    Tensor {
        name: name.to_owned(),
        ty,
        dims: dims.to_vec(),
        bytes: vec![0; n / ty.block_len() * ty.block_bytes()],
        values: vec![0.0; n],
    }
}

fn plus(tensor: Tensor) -> Vec<u8> {
    spoiled(|tiny| tiny.tensors.push(tensor))
}

fn instead(tensor: Tensor) -> Vec<u8> {
    spoiled(|tiny| {
        let name = tensor.name.clone();
        *tiny.tensor_mut(&name) = tensor;
    })
}

fn set() -> Vec<Case> {
    let f32 = GgmlType::F32;
    let missing = |name: &str, says| Case::refused(format!("no {name}"), without(name), says);
    vec![
        Case::refused(
            "a vocabulary without tensors",
            spoiled(|tiny| tiny.tensors.clear()),
            "the file has no tensors, only a vocabulary",
        ),
        missing("token_embd.weight", "tensor token_embd.weight is missing"),
        missing("output_norm.weight", "tensor output_norm.weight is missing"),
        missing(
            "blk.0.attn_q.weight",
            "tensor blk.0.attn_q.weight is missing",
        ),
        missing(
            "blk.1.ffn_down.weight",
            "tensor blk.1.ffn_down.weight is missing",
        ),
        Case::loads("no output.weight: it is tied", without("output.weight")),
        Case::refused(
            "a tensor twice",
            plus(zeros("output_norm.weight", f32, &[64])),
            "occurs a second time",
        ),
        Case::refused(
            "a norm of another architecture",
            plus(zeros("blk.0.attn_q_norm.weight", f32, &[16])),
            "tensor blk.0.attn_q_norm.weight is not part of the llama architecture",
        ),
        Case::refused(
            "a layer too many",
            plus(zeros("blk.2.attn_norm.weight", f32, &[64])),
            "tensor blk.2.attn_norm.weight is not part",
        ),
        Case::refused(
            "a tensor's name with a line break",
            plus(zeros("a\nb\x1b[2J", f32, &[1])),
            "is not part of the llama architecture",
        ),
        Case::refused(
            "an output bias without its matrix",
            spoiled(|tiny| {
                tiny.remove("output.weight");
                tiny.tensors.push(zeros("output.bias", f32, &[300]));
            }),
            "tensor output.bias is not part",
        ),
        Case::loads(
            "rotation frequencies of 2023",
            plus(zeros("blk.0.attn_rot_embd.weight", f32, &[8])),
        ),
    ]
}

fn shapes() -> Vec<Case> {
    let f32 = GgmlType::F32;
    let shaped = |name: &str, dims: &[u64], says| {
        Case::refused(
            format!("{name} {dims:?}"),
            instead(zeros(name, f32, dims)),
            says,
        )
    };
    let extra = |name: &str, dims: &[u64], says| {
        Case::refused(
            format!("{name} {dims:?}"),
            plus(zeros(name, f32, dims)),
            says,
        )
    };
    vec![
        shaped(
            "token_embd.weight",
            &[300, 64],
            "has shape [300, 64], wanted [64, 300]",
        ),
        shaped(
            "blk.0.attn_k.weight",
            &[32, 64],
            "has shape [32, 64], wanted [64, 32]",
        ),
        shaped(
            "blk.0.attn_v.weight",
            &[64, 64],
            "has shape [64, 64], wanted [64, 32]",
        ),
        shaped(
            "blk.0.attn_output.weight",
            &[64],
            "has shape [64, 1], wanted [64, 64]",
        ),
        shaped(
            "blk.0.attn_norm.weight",
            &[65],
            "has shape [65, 1], wanted [64, 1]",
        ),
        shaped(
            "blk.1.ffn_norm.weight",
            &[1],
            "has shape [1, 1], wanted [64, 1]",
        ),
        shaped(
            "blk.1.ffn_down.weight",
            &[96, 64, 2],
            "has shape [96, 128], wanted [96, 64]",
        ),
        extra(
            "blk.0.attn_q.bias",
            &[63],
            "has shape [63, 1], wanted [64, 1]",
        ),
        extra(
            "rope_freqs.weight",
            &[16],
            "has shape [16, 1], wanted [8, 1]",
        ),
    ]
}

fn types() -> Vec<Case> {
    // Rows of 256, so that every block length fits.
    let base = Tiny::new(Shape {
        n_layer: 1,
        ..Shape::of(WeightType::Q8_0).heads(8, 2)
    });
    let wide = Tiny::new(Shape {
        n_embd: 256,
        n_ff: 256,
        ..base.shape
    });
    let known = WeightType::ALL.map(ggml_type);
    let unknown = GgmlType::ALL.iter().filter(|ty| !known.contains(ty));
    let mut cases: Vec<Case> = unknown
        .map(|&ty| {
            let mut tiny = wide.clone();
            *tiny.tensor_mut("blk.0.ffn_up.weight") = zeros("blk.0.ffn_up.weight", ty, &[256, 256]);
            // The type's name is part of a static text: every case says where, this one also what.
            let says = match ty {
                GgmlType::IQ2_XXS => {
                    "blk.0.ffn_up.weight has type IQ2_XXS, which cannot be run here"
                }
                GgmlType::MXFP4 => "blk.0.ffn_up.weight has type MXFP4, which cannot be run here",
                GgmlType::F64 => "blk.0.ffn_up.weight has type F64, which cannot be run here",
                _ => "model: tensor blk.0.ffn_up.weight has type",
            };
            Case::refused(format!("a matrix of {ty}"), tiny.bytes(), says)
        })
        .collect();
    cases.push(Case::refused(
        "a norm of Q8_0",
        instead(zeros("output_norm.weight", GgmlType::Q8_0, &[64])),
        "tensor output_norm.weight has type Q8_0",
    ));
    cases.push(Case::refused(
        "a bias of I32",
        plus(zeros("blk.0.attn_q.bias", GgmlType::I32, &[64])),
        "tensor blk.0.attn_q.bias has type I32",
    ));
    cases
}

fn numbers() -> Vec<Case> {
    let put = |name: &'static str, at: usize, value: f32| {
        spoiled(|tiny| {
            let bytes = &mut tiny.tensor_mut(name).bytes[4 * at..][..4];
            bytes.copy_from_slice(&value.to_le_bytes());
        })
    };
    let frequency = |value: f32| {
        let mut tensor = zeros("rope_freqs.weight", GgmlType::F32, &[8]);
        tensor.bytes = [value.to_le_bytes(); 8].concat();
        plus(tensor)
    };
    let all = |name: &'static str| spoiled(|tiny| tiny.tensor_mut(name).bytes.fill(0));
    vec![
        Case::refused(
            "a norm with a NaN",
            put("output_norm.weight", 3, f32::NAN),
            "tensor output_norm.weight is not finite at element 3",
        ),
        Case::refused(
            "a norm with an infinity",
            put("blk.1.attn_norm.weight", 63, f32::NEG_INFINITY),
            "tensor blk.1.attn_norm.weight is not finite at element 63",
        ),
        Case::survives("a norm of 1e38", put("blk.0.ffn_norm.weight", 0, 1e38)),
        Case::refused(
            "rope_freqs NaN",
            frequency(f32::NAN),
            "tensor rope_freqs.weight is not finite at element 0",
        ),
        Case::survives("rope_freqs 0", frequency(0.0)),
        Case::survives("rope_freqs 1e-45", frequency(1e-45)),
        Case::loads("rope_freqs negative", frequency(-3.0)),
        Case::loads("an embedding of zeros", all("token_embd.weight")),
        Case::loads("an output of zeros", all("output.weight")),
        Case::loads("a norm of zeros", all("output_norm.weight")),
    ]
}

/// Every weight type with scales (or floats) that are no numbers, infinite, or as large as they can be.
fn scales() -> Vec<Case> {
    let parts = [
        "token_embd",
        "blk.0.attn_k",
        "blk.0.attn_v",
        "blk.0.ffn_gate",
        "output",
    ];
    let mut cases = Vec::new();
    for ty in WeightType::ALL {
        let tiny = Tiny::new(Shape {
            n_layer: 1,
            ..Shape::of(ty)
        });
        for (part, (what, fill)) in parts.iter().flat_map(|part| FILLS.map(|fill| (part, fill))) {
            let mut tiny = tiny.clone();
            let tensor = tiny.tensor_mut(&format!("{part}.weight"));
            // The second half of the matrix, so that some rows are as they were.
            let half = (tensor.bytes.len() / 2) & !3;
            let filled = tensor.bytes[half..].iter_mut();
            filled
                .zip(fill.iter().cycle())
                .for_each(|(byte, new)| *byte = *new);
            let (name, bytes) = (format!("{ty} {part}: {what}"), tiny.bytes());
            cases.push(match fill {
                NAN => Case::refused(
                    name,
                    bytes,
                    "session: the model computed a logit that is not",
                ),
                _ => Case::survives(name, bytes),
            });
        }
    }
    cases
}

/// Makes a NaN of every float that is filled with it.
const NAN: &[u8] = &[0xff];
/// What matrices are filled with. Scales lie at even places in their blocks.
const FILLS: [(&str, &[u8]); 7] = [
    ("NaN", NAN),
    ("NaN in halves", &[0x7c]),
    ("NaN in halves, huge singles", &[0x7f]),
    ("huge halves", &[0x7b]),
    ("infinite halves", &[0, 0x7c]),
    ("halves of minus infinity", &[0, 0xfc]),
    ("infinite singles", &[0, 0, 0x80, 0x7f]),
];
