//! PCG32, the generator behind every draw.

/// PCG-XSH-RR 64/32 (O'Neill 2014, pcg-random.org): 64 bits of state, 32 of output, period 2⁶⁴.
///
/// Written out here, 20 lines, so that no dependency's update can change what a seed gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pcg32 {
    state: u64,
}

const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
/// The stream is fixed: the reference implementation's `initseq` 54, doubled plus one.
const INCREMENT: u64 = (54 << 1) | 1;

impl Pcg32 {
    /// Seeded as the reference implementation's `pcg32_srandom(seed, 54)`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        let state = INCREMENT.wrapping_add(seed);
        Self {
            state: state.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT),
        }
    }

    /// Continues from a saved [`state`](Self::state).
    #[must_use]
    pub const fn from_state(state: u64) -> Self {
        Self { state }
    }

    /// The state word.
    #[must_use]
    pub const fn state(&self) -> u64 {
        self.state
    }

    /// The next 32 bits.
    pub const fn next_u32(&mut self) -> u32 {
        let old = self.state;
        self.state = old.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        let xorshifted = (((old >> 18) ^ old) >> 27) as u32;
        xorshifted.rotate_right((old >> 59) as u32)
    }

    /// Uniform in `[0, 1)`: 53 bits, high word first.
    pub const fn next_f64(&mut self) -> f64 {
        let high = (self.next_u32() >> 5) as u64;
        let low = (self.next_u32() >> 6) as u64;
        ((high << 26) | low) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence_of_seed_42_stream_54() {
        let mut rng = Pcg32::new(42);
        let first: [u32; 6] = std::array::from_fn(|_| rng.next_u32());
        assert_eq!(
            first,
            [
                0xa15c_02b7,
                0x7b47_f409,
                0xba1d_3330,
                0x83d2_f293,
                0xbfa4_784b,
                0xcbed_606e
            ]
        );
    }

    #[test]
    fn unit_draws_fill_the_interval() {
        let mut rng = Pcg32::new(7);
        let mut bins = [0u32; 16];
        for _ in 0..16_000 {
            let u = rng.next_f64();
            assert!((0.0..1.0).contains(&u));
            bins[(u * 16.0) as usize] += 1;
        }
        // 1000 expected in each, σ ≈ 31.
        assert!(bins.iter().all(|n| (850..1150).contains(n)), "{bins:?}");
    }
}
