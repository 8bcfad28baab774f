//! From raw times to the figures that are shown.

use std::time::Instant;

/// The time since then, at least 1.
pub fn nanoseconds(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).map_or(u64::MAX, |ns| ns.max(1))
}

/// The middle of some numbers, and the quarters around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub least: f64,
    pub low: f64,
    pub median: f64,
    pub high: f64,
    pub most: f64,
}

/// Quantiles of `values`, between neighbours in proportion.
///
/// # Panics
/// If there are none.
pub fn spread(values: impl IntoIterator<Item = f64>) -> Spread {
    let mut sorted: Vec<_> = values.into_iter().collect();
    assert!(!sorted.is_empty(), "nothing was measured");
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| {
        let place = part * (sorted.len() - 1) as f64;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        sorted[below] + (sorted[above] - sorted[below]) * place.fract()
    };
    Spread {
        least: at(0.0),
        low: at(0.25),
        median: at(0.5),
        high: at(0.75),
        most: at(1.0),
    }
}

/// The mean of ratios: twice and half make one.
///
/// # Panics
/// If there are none.
pub fn geometric_mean(ratios: impl IntoIterator<Item = f64>) -> f64 {
    let logs: Vec<_> = ratios.into_iter().map(f64::ln).collect();
    assert!(!logs.is_empty(), "nothing was measured");
    (logs.iter().sum::<f64>() / logs.len() as f64).exp()
}

/// `part` of `whole` in per cent; nothing where the whole was not measured.
pub fn percent(part: f64, whole: Option<f64>) -> Option<f64> {
    whole
        .filter(|whole| *whole > 0.0)
        .map(|whole| 100.0 * part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let of_four = spread([4.0, 1.0, 3.0, 2.0]);
        let want = Spread {
            least: 1.0,
            low: 1.75,
            median: 2.5,
            high: 3.25,
            most: 4.0,
        };
        assert_eq!(of_four, want);
        assert_eq!(spread([5.0, 1.0, 9.0]).median, 5.0);
        assert_eq!(spread([7.0]).low, 7.0);
    }

    #[test]
    fn ratios_multiply() {
        assert!((geometric_mean([0.5, 2.0]) - 1.0).abs() < 1e-12);
        assert!((geometric_mean([1.0, 8.0, 1.0]) - 2.0).abs() < 1e-12);
    }

    #[test]
    fn fractions_of_the_unknown_are_unknown() {
        assert_eq!(percent(3.0, Some(12.0)), Some(25.0));
        assert_eq!(percent(3.0, None), None);
        assert_eq!(percent(3.0, Some(0.0)), None);
    }
}
