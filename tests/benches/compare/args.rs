//! The command line, of the bench and of `cargo xtask compare` alike.

use super::shapes::{MODELS, Shape, TYPES, parse_shape};
use clap::builder::PossibleValuesParser;
use std::path::PathBuf;

/// Puna's kernels beside ggml's, on the same bytes, in one process
///
/// Every product is timed in pairs, ours and ggml's, with the first turn alternating; weights come from
/// memory, not from a cache. Without options everything is measured, in about 20 minutes on 2 idle cores,
/// and written to docs/benchmarks/; a part of it is written to target/compare/.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A few types, shapes and columns, one number of threads: about a minute
    #[arg(long)]
    pub quick: bool,
    /// Weight types [default: all]
    #[arg(long, value_name = "TYPE", value_delimiter = ',', ignore_case = true,
        value_parser = PossibleValuesParser::new(TYPES))]
    pub types: Vec<String>,
    /// Models whose matrices are taken [default: all]
    #[arg(long, value_name = "MODEL", value_delimiter = ',', conflicts_with = "shapes",
        value_parser = PossibleValuesParser::new(MODELS.map(|model| model.name)))]
    pub models: Vec<String>,
    /// Matrices instead of a model's: rows, and weights in a row, such as 11008x4096
    #[arg(long, value_name = "ROWSxLENGTH", value_delimiter = ',', value_parser = parse_shape)]
    pub shapes: Vec<Shape>,
    /// Vectors that a matrix meets at a time: 1 is decode [default: 1,2,4,8,32,128,512]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = positive)]
    pub columns: Vec<usize>,
    /// Numbers of threads [default: 1 and all performance cores, at most 2]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = positive)]
    pub threads: Vec<usize>,
    /// Time for each case; three pairs are timed in any case
    #[arg(long, value_name = "SECONDS", default_value = "0.25", value_parser = seconds)]
    pub seconds: f64,
    /// Our instruction set, as PUNA_ISA [default: the best of this CPU]
    #[arg(long, value_name = "TIER")]
    pub isa: Option<String>,
    /// Folder of the JSON, the page and the plots
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    pub bench: bool,
}

fn positive(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| (1..=4096).contains(n));
    number.ok_or_else(|| "a whole number from 1 to 4096".to_owned())
}

fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|s| (0.0..=600.0).contains(s));
    number.ok_or_else(|| "seconds from 0 to 600".to_owned())
}
