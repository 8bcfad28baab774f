//! Writes a model of random weights: `synth SHAPE FILE`. `cargo xtask synth` starts it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

use puna_tests::synth::{SHAPES, write};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let shape = args
        .first()
        .and_then(|name| SHAPES.iter().find(|shape| shape.name == name));
    let (Some(shape), [_, path]) = (shape, args.as_slice()) else {
        let names: Vec<&str> = SHAPES.iter().map(|shape| shape.name).collect();
        eprintln!("synth SHAPE FILE, of the shapes {}", names.join(", "));
        return ExitCode::from(2);
    };
    let written = File::create(path).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(shape, &mut out)?;
        out.flush()
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}
