//! The middle of some numbers and how far they lie apart.

use serde::Serialize;

/// Quantiles, between neighbours in proportion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub least: f64,
    pub low: f64,
    pub median: f64,
    pub high: f64,
    pub most: f64,
}

impl Spread {
    /// Of `values`; `None` if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let at = |part: f64| {
            let place = part * last as f64;
            let (below, above) = (place.floor() as usize, place.ceil() as usize);
            sorted[below] + (sorted[above] - sorted[below]) * place.fract()
        };
        Some(Self {
            least: at(0.0),
            low: at(0.25),
            median: at(0.5),
            high: at(0.75),
            most: at(1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let want = Spread {
            least: 1.0,
            low: 1.75,
            median: 2.5,
            high: 3.25,
            most: 4.0,
        };
        assert_eq!(Spread::of([4.0, 1.0, 3.0, 2.0]), Some(want));
        assert_eq!(Spread::of([7.0]).map(|s| s.low), Some(7.0));
        assert_eq!(Spread::of([]), None);
    }
}
