//! What is measured: which matrices, with how many copies, how many products a sample.

use super::args::Args;
use super::shapes::{self, MODELS, OTHER, OUTPUT_COLUMNS, Shape};
use puna_kernels::WeightType;

/// A matrix of one type, and the numbers of vectors that it meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    pub model: &'static str,
    pub ty: WeightType,
    pub shape: Shape,
    pub columns: Vec<usize>,
}

impl Matrix {
    /// Bytes of one copy.
    pub const fn bytes(&self) -> usize {
        self.shape.rows * self.ty.row_bytes(self.shape.k)
    }

    /// Copies that together are twice what the last cache holds, so that a copy has left it when its turn
    /// comes again.
    pub const fn copies(&self, cache: usize) -> usize {
        (2 * cache + SAMPLE_BYTES).div_ceil(self.bytes())
    }

    /// Products in a sample: so many that waking up does not count.
    pub fn products(&self, columns: usize) -> usize {
        let macs = self.shape.rows * self.shape.k * columns;
        (SAMPLE_BYTES / self.bytes()).min(SAMPLE_MACS / macs).max(1)
    }
}

/// Bytes of weights in a sample, at most, unless one product has more: a few milliseconds of reading.
const SAMPLE_BYTES: usize = 24 << 20;
/// Multiplications in a sample, likewise.
const SAMPLE_MACS: usize = 400_000_000;

/// Whether the options choose everything.
pub fn is_full(args: &Args) -> bool {
    let all = args.types.is_empty() && args.models.is_empty() && args.shapes.is_empty();
    let all = all && args.columns.is_empty() && args.threads.is_empty();
    all && !args.quick && args.isa.is_none()
}

/// The numbers of vectors that the options choose.
fn columns(args: &Args) -> Vec<usize> {
    let mut columns = match (args.columns.is_empty(), args.quick) {
        (false, _) => args.columns.clone(),
        (true, true) => shapes::QUICK_COLUMNS.to_vec(),
        (true, false) => shapes::COLUMNS.to_vec(),
    };
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// The matrices that the options choose, type by type.
pub fn matrices(args: &Args) -> Vec<Matrix> {
    let names = match (args.types.is_empty(), args.quick) {
        (false, _) => args.types.iter().map(String::as_str).collect(),
        (true, true) => shapes::QUICK_TYPES.to_vec(),
        (true, false) => shapes::TYPES.to_vec(),
    };
    let chosen = |ty: &WeightType| {
        names
            .iter()
            .any(|name| name.eq_ignore_ascii_case(ty.name()))
    };
    let columns = columns(args);
    let mut matrices = Vec::new();
    for ty in WeightType::ALL.into_iter().filter(chosen) {
        for (model, shape) in places(args) {
            let most = if shape.output {
                OUTPUT_COLUMNS
            } else {
                usize::MAX
            };
            let fits = |n: &usize| *n <= most;
            let columns: Vec<_> = columns.iter().copied().filter(fits).collect();
            if shape.k.is_multiple_of(ty.block_len()) && !columns.is_empty() {
                matrices.push(Matrix {
                    model,
                    ty,
                    shape,
                    columns,
                });
            }
        }
    }
    matrices
}

/// The shapes that the options choose, with the model that each is of.
fn places(args: &Args) -> Vec<(&'static str, Shape)> {
    if !args.shapes.is_empty() {
        return args.shapes.iter().map(|shape| (OTHER, *shape)).collect();
    }
    if args.quick && args.models.is_empty() {
        return shapes::QUICK_SHAPES.to_vec();
    }
    let wanted = |name: &str| args.models.is_empty() || args.models.iter().any(|m| m == name);
    let models = MODELS.iter().filter(|model| wanted(model.name));
    let of = |model: &'static shapes::Model| model.shapes.iter().map(|s| (model.name, *s));
    models.flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn args(options: &str) -> Args {
        let words = std::iter::once("compare").chain(options.split_whitespace());
        Cli::try_parse_from(words).expect(options).args
    }

    fn plan(options: &str) -> Vec<Matrix> {
        matrices(&args(options))
    }

    #[test]
    fn types_are_those_with_kernels() {
        assert_eq!(shapes::TYPES, WeightType::ALL.map(WeightType::name));
    }

    #[test]
    fn a_full_run_has_every_matrix_that_its_type_can_store() {
        let all = plan("");
        // 14 shapes; of SmolLM2 only 576x1536 has rows of whole super-blocks.
        assert_eq!(all.len(), 9 * 14 + 6 * 10);
        for matrix in &all {
            let super_blocks = matrix.ty.block_len() == 256;
            assert!(!super_blocks || matrix.shape.k != 576, "{matrix:?}");
            let most = if matrix.shape.output { 8 } else { 512 };
            assert_eq!(matrix.columns.last(), Some(&most));
        }
        let cases: usize = all.iter().map(|matrix| matrix.columns.len()).sum();
        assert_eq!(cases, 9 * (11 * 7 + 3 * 4) + 6 * (8 * 7 + 2 * 4));
    }

    #[test]
    fn options_choose() {
        let some = plan("--types q4_0,F32 --models smollm2-135m --columns 512,1,1");
        assert_eq!(some.len(), 10);
        assert_eq!(some[0].columns, [1, 512]);
        assert_eq!(some[4].columns, [1], "the output matrix");
        let own = plan("--shapes 64x512,64x32 --types Q4_K,Q8_0");
        let named: Vec<_> = own.iter().map(|m| (m.ty.name(), m.shape.k)).collect();
        assert_eq!(named, [("Q8_0", 512), ("Q8_0", 32), ("Q4_K", 512)]);
        assert_eq!(plan("--quick").len(), 4 * 3);
        assert!(is_full(&args("")) && is_full(&args("--seconds 1")));
        assert!(!is_full(&args("--quick")) && !is_full(&args("--types F32")));
        for bad in [
            "--types Q9_9",
            "--models gpt",
            "--columns 0",
            "--shapes 3",
            "--seconds -1",
        ] {
            let words = std::iter::once("compare").chain(bad.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{bad}");
        }
    }

    #[test]
    fn copies_overflow_the_cache_and_samples_are_short() {
        let cache = 105 << 20;
        for matrix in plan("") {
            for n in &matrix.columns {
                let (copies, products) = (matrix.copies(cache), matrix.products(*n));
                let used = copies / products * products;
                assert!(used * matrix.bytes() >= 2 * cache, "{matrix:?} {n}");
                assert!(products == 1 || products * matrix.bytes() <= SAMPLE_BYTES);
            }
        }
    }
}
