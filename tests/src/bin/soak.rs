//! Opens a model, chats, and closes it, many times: `soak CYCLES [MODEL.gguf]`, without a file on a tiny model. Fails
//! if anything is left.

use std::{path::PathBuf, process::ExitCode};

use peak_alloc::PeakAlloc;
use puna_tests::soak::{self, Soak};

/// Counts what is allocated and not freed.
#[global_allocator]
static ALLOC: PeakAlloc = PeakAlloc;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let cycles = args.next().and_then(|n| n.to_str()?.parse().ok());
    let path = args.next().map(PathBuf::from);
    let (Some(cycles), None) = (cycles, args.next()) else {
        eprintln!("usage: soak CYCLES [MODEL.gguf]");
        return ExitCode::from(2);
    };
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let path = path.unwrap_or_else(|| soak::tiny_model(folder.path()));
    let soak = Soak::run(
        &path,
        cycles,
        || ALLOC.current_usage(),
        |i, left| {
            if i % 50 == 0 {
                println!("cycle {i}: {left:?}");
            }
        },
    );
    println!("before: {:?}\nafter:  {:?}", soak.before, soak.after);
    match soak.check() {
        Ok(()) => {
            println!("{cycles} cycles: nothing is left");
            ExitCode::SUCCESS
        }
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}
