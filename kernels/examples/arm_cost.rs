//! The guest of `cargo xtask arm-cost`: one matrix product, marked for the plugin that counts.
//!
//! `arm_cost` lists the weight types; `arm_cost TIER TYPE ROWS K VECTORS` computes once. What a kernel
//! executes does not depend on the numbers, so any will do.

use puna_kernels::{Activations, Kernels, TileMut, WeightType};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tier, ty, sizes @ ..] = arguments.as_slice() else {
        WeightType::ALL.iter().for_each(|ty| println!("{ty}"));
        return;
    };
    let sizes: Vec<usize> = sizes
        .iter()
        .map(|size| size.parse().expect("a size"))
        .collect();
    let [rows, k, vectors] = sizes[..] else {
        panic!("wants TIER TYPE ROWS K VECTORS");
    };
    let ty = WeightType::ALL.into_iter().find(|t| t.name() == ty);
    let ty = ty.expect("a weight type");
    let kernels = Kernels::named(tier).expect("a tier of this CPU");

    let w = vec![1_u8; rows * ty.row_bytes(k)];
    let x: Vec<f32> = (0..vectors * k).map(|i| (i % 17) as f32 - 8.0).collect();
    let mut activations = Activations::default();
    let x = activations.quantize(&kernels, ty.act_type(), &x, k);
    let mut y = vec![0.0; vectors * rows];
    mark::<96>();
    kernels.matmul(ty, &w, x, &mut TileMut::new(&mut y, rows));
    mark::<97>();
    std::hint::black_box(y);
}

/// A hint that no CPU acts on, for the plugin to see.
fn mark<const N: u8>() {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: hints without a meaning do nothing.
    unsafe {
        std::arch::asm!("hint #{}", const N);
    }
}
