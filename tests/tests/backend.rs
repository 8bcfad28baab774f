//! What a build says of a backend, and of weights, that it has not.

use puna_core::{
    gguf::GgmlType,
    model::{Backend, ModelError},
};
use puna_kernels::WeightType;
use puna_tests::tiny::{Shape, Tiny};

/// A model of which one matrix has another type, with any bytes.
fn with_a_matrix_of(ty: GgmlType) -> Tiny {
    let mut tiny = Tiny::new(Shape::of(WeightType::Q4_K));
    let tensor = tiny.tensor_mut("blk.1.ffn_up.weight");
    let bytes = ty.bytes_of(tensor.dims.iter().product()).expect("blocks");
    (tensor.ty, tensor.bytes) = (ty, vec![0; bytes as usize]);
    tiny
}

#[test]
fn a_backend_that_was_left_out_of_the_build_is_an_error() {
    let opened = Tiny::new(Shape::of(WeightType::Q4_1)).open_with(Backend::Ggml);
    if Backend::Ggml.is_available() {
        assert_eq!(opened.expect("it is there").backend(), Backend::Ggml);
        return;
    }
    let error = opened.expect_err("it was left out");
    let wanted = Backend::Ggml;
    assert!(matches!(error, ModelError::NoBackend { backend } if backend == wanted));
    let said = error.to_string();
    assert!(
        said.contains("cargo build --release --features ggml"),
        "{said}"
    );
}

#[test]
fn types_without_kernels_are_refused_and_the_error_says_what_helps() {
    for ty in GgmlType::ALL {
        let ours = WeightType::ALL.iter().any(|t| t.name() == ty.name());
        let opened = with_a_matrix_of(*ty).open();
        if ours {
            assert!(opened.is_ok(), "{ty}");
            continue;
        }
        let error = opened.expect_err("no kernels");
        let said = error.to_string();
        let ModelError::TensorType { name, ty: had, by } = error else {
            panic!("{ty}: {said}");
        };
        assert_eq!((&*name, had), ("blk.1.ffn_up.weight", *ty));
        let only_for_activations = matches!(ty, GgmlType::Q8_1 | GgmlType::Q8_K);
        let integers_or_doubles = ty.number() >= 24 && ty.number() <= 28;
        let hopeless = only_for_activations || integers_or_doubles;
        assert_eq!(by.is_none(), hopeless, "{ty}");
        assert_eq!(said.contains("--backend ggml"), !hopeless, "{said}");
    }
}

#[test]
fn norms_are_small_floats_whatever_the_backend() {
    let mut tiny = Tiny::new(Shape::of(WeightType::Q4_K));
    let norm = tiny.tensor_mut("output_norm.weight");
    (norm.ty, norm.bytes) = (GgmlType::Q8_0, vec![0; 256 / 32 * 34]);
    let error = tiny.open().expect_err("a quantized norm");
    assert!(matches!(error, ModelError::TensorType { by: None, .. }));
}
