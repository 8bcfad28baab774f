//! The fast Walsh-Hadamard transform (Fino and Algazi 1976).

/// `x = H x`, `H` the symmetric Hadamard matrix divided by the square root of its size, so that `H H x = x`: every
/// number becomes a sum of all, each with one sign or the other.
///
/// `x` is a power of two long. Sums of neighbours come first, then of pairs, and so on; the scale is last.
#[inline]
pub fn hadamard(x: &mut [f32]) {
    let n = x.len();
    narrow::<1>(x);
    narrow::<2>(x);
    narrow::<4>(x);
    let mut half = 8;
    while half < n {
        for pair in x.chunks_exact_mut(2 * half) {
            let (a, b) = pair.split_at_mut(half);
            butterflies(a, b);
        }
        half *= 2;
    }
    let scale = (1.0 / (n as f64).sqrt()) as f32;
    x.iter_mut().for_each(|x| *x *= scale);
}

/// A pass whose halves are `H` long: known, so that the compiler can shuffle registers.
#[inline]
fn narrow<const H: usize>(x: &mut [f32]) {
    for pair in x.chunks_exact_mut(2 * H) {
        let (a, b) = pair.split_at_mut(H);
        let (a, _) = a.as_chunks_mut::<H>();
        let (b, _) = b.as_chunks_mut::<H>();
        butterflies(&mut a[0], &mut b[0]);
    }
}

#[inline]
fn butterflies(a: &mut [f32], b: &mut [f32]) {
    for (a, b) in a.iter_mut().zip(b) {
        (*a, *b) = (*a + *b, *a - *b);
    }
}
