//! How fast memory can be read here.

use super::together::best_rate;
use std::hint::black_box;

/// Bytes a second that `threads` threads read from a buffer of at least four times the last cache, each
/// its part of it, as one stream or as several side by side, whichever is faster.
pub fn read_rate(threads: usize, cache: usize) -> f64 {
    let words = (4 * cache).max(256 << 20) / 8;
    // Not zeroes, which the system might keep once for all pages.
    let buffer: Vec<u64> = (0..words as u64).collect();
    let parts: Vec<_> = buffer.chunks(words.div_ceil(threads)).collect();
    let rates = [1, 4, 8].map(|streams| {
        best_rate(threads, |thread| {
            let part = parts[thread];
            black_box(sum(part, streams));
            size_of_val(part) as f64
        })
    });
    rates.into_iter().fold(0.0, f64::max)
}

/// The sum of `words`, read at as many places in turn, a line of the cache at each.
fn sum(words: &[u64], streams: usize) -> u64 {
    let part = words.len() / streams;
    let lines: [&[[u64; 8]]; 8] = std::array::from_fn(|stream| {
        let start = (stream % streams) * part;
        words[start..start + part].as_chunks().0
    });
    let mut sums = [0_u64; 8];
    for i in 0..lines[0].len() {
        for stream in &lines[..streams] {
            for (sum, word) in sums.iter_mut().zip(stream[i]) {
                *sum = sum.wrapping_add(word);
            }
        }
    }
    sums.iter().fold(0, |all, sum| all.wrapping_add(*sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_once() {
        let words: Vec<u64> = (0..8 * 64).collect();
        for streams in [1, 4, 8] {
            assert_eq!(sum(&words, streams), words.iter().sum::<u64>());
        }
    }
}
