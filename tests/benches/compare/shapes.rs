//! Names that the options take: weight types, models and the shapes of their matrices. Plain data, which
//! `cargo xtask compare --help` shows before anything is built.

/// A matrix that turns vectors of `k` numbers into vectors of `rows`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub rows: usize,
    pub k: usize,
    /// Whether it is the last of a model, which prefill uses for its last token only.
    pub output: bool,
}

/// A model by its matrices, each shape once.
#[derive(Debug)]
pub struct Model {
    pub name: &'static str,
    pub shapes: &'static [Shape],
}

const fn inner(rows: usize, k: usize) -> Shape {
    let output = false;
    Shape { rows, k, output }
}

const fn output(rows: usize, k: usize) -> Shape {
    let output = true;
    Shape { rows, k, output }
}

/// The models, largest first.
pub const MODELS: [Model; 3] = [
    Model {
        name: "llama-2-7b",
        shapes: &[
            inner(4096, 4096),
            inner(11_008, 4096),
            inner(4096, 11_008),
            output(32_000, 4096),
        ],
    },
    Model {
        name: "tinyllama-1.1b",
        shapes: &[
            inner(2048, 2048),
            inner(256, 2048),
            inner(5632, 2048),
            inner(2048, 5632),
            output(32_000, 2048),
        ],
    },
    Model {
        name: "smollm2-135m",
        shapes: &[
            inner(576, 576),
            inner(192, 576),
            inner(1536, 576),
            inner(576, 1536),
            output(49_152, 576),
        ],
    },
];

/// What a matrix that no model was named for belongs to.
pub const OTHER: &str = "other";

/// Every weight type that Puna has kernels for.
pub const TYPES: [&str; 15] = [
    "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K",
    "Q6_K", "IQ4_NL", "IQ4_XS",
];

/// Vectors that a matrix meets at a time.
pub const COLUMNS: [usize; 7] = [1, 2, 4, 8, 32, 128, 512];

/// More vectors than this do not meet an output matrix.
pub const OUTPUT_COLUMNS: usize = 8;

/// What `--quick` takes.
pub const QUICK_TYPES: [&str; 4] = ["F16", "Q4_0", "Q8_0", "Q4_K"];
/// As above.
pub const QUICK_SHAPES: [(&str, Shape); 3] = [
    ("tinyllama-1.1b", inner(2048, 2048)),
    ("tinyllama-1.1b", inner(2048, 5632)),
    ("smollm2-135m", inner(576, 1536)),
];
/// As above.
pub const QUICK_COLUMNS: [usize; 3] = [1, 8, 512];

/// `ROWSxK`, such as `11008x4096`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_shape(text: &str) -> Result<Shape, String> {
    let number = |text: &str| text.parse::<usize>().ok().filter(|n| *n > 0);
    let parts = text.split_once('x');
    let shape = parts.and_then(|(rows, k)| Some((number(rows)?, number(k)?)));
    let (rows, k) = shape.ok_or("a shape is ROWSxLENGTH, such as 11008x4096")?;
    if !k.is_multiple_of(32) {
        return Err(format!("rows of {k} weights are not whole blocks of 32"));
    }
    Ok(inner(rows, k))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read_or_refused() {
        assert_eq!(parse_shape("192x576"), Ok(inner(192, 576)));
        for bad in ["", "x", "3", "0x32", "32x0", "-1x32", "4x4x4", "a x b"] {
            assert!(parse_shape(bad).is_err(), "{bad}");
        }
        assert!(parse_shape("8x33").unwrap_err().contains("32"));
    }
}
