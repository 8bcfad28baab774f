//! No file, however it lies, costs more than an error of one line.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use peak_alloc::PeakAlloc;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use puna_core::gguf::{Gguf, GgufError, Value};
use puna_tests::hostile::{
    gguf::{cases, valid},
    least_time, most_time,
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Most bytes that the reader may allocate beyond the file itself.
const MOST_BYTES: usize = 6 << 20;

/// One test at a time, so that the memory measured is its own.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads a file and then all that it says.
fn read(bytes: Vec<u8>) -> Result<(), GgufError> {
    fn walk(value: Value<'_>) -> usize {
        match value {
            Value::Array(array) => array.iter().map(walk).sum::<usize>() + array.len(),
            Value::Str(text) => text.len(),
            _ => 1,
        }
    }
    let model = Gguf::from_bytes(bytes)?;
    let mut seen = 0;
    for (key, value) in model.keys() {
        seen += walk(value);
        // Whatever the types are, to ask for another one is an error and nothing worse.
        seen += usize::from(model.u32(key).is_ok()) + usize::from(model.f32(key).is_ok());
        seen += usize::from(model.bool(key).is_ok()) + usize::from(model.str(key).is_ok());
        if let Ok(Some(strings)) = model.strings(key) {
            seen += strings.map(str::len).sum::<usize>();
        }
        seen += model.f32s(key).ok().flatten().map_or(0, |v| v.len());
        seen += model.i32s(key).ok().flatten().map_or(0, |v| v.len());
    }
    for t in model.tensors() {
        let bytes = model.bytes(t);
        assert_eq!(bytes.len() as u64, t.n_rows() * t.row_bytes());
        seen += bytes.iter().map(|&b| usize::from(b)).sum::<usize>();
        assert_eq!(model.tensor(t.name()), Some(t));
    }
    std::hint::black_box(seen);
    Ok(())
}

#[test]
fn every_case_of_the_corpus_ends_as_it_must() {
    let _turn = alone();
    let mut table = String::new();
    let mut complaints = Vec::new();
    for case in cases() {
        let bytes = case.bytes.clone();
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let start = Instant::now();
        let result = Gguf::from_bytes(bytes).map(drop).map_err(|e| e.to_string());
        let time = start.elapsed();
        let memory = MEMORY.peak_usage().saturating_sub(before);
        let time = least_time(time, || drop(Gguf::from_bytes(case.bytes.clone())));

        let said = result.as_ref().map(|()| "loads").unwrap_or_else(|e| e);
        let kib = memory.div_ceil(1 << 10);
        let micros = time.as_micros();
        let _ = writeln!(table, "{:34} {micros:6} µs {kib:5} KiB  {said}", case.name);

        let mut wrong = Vec::from_iter(case.complaint(result.as_ref().copied().map_err(|e| &**e)));
        if time > most_time() {
            wrong.push(format!("took {time:?}"));
        }
        if memory > MOST_BYTES {
            wrong.push(format!("allocated {memory} bytes"));
        }
        if result.is_ok()
            && let Err(error) = read(case.bytes)
        {
            wrong.push(error.to_string());
        }
        complaints.extend(
            wrong
                .into_iter()
                .map(|wrong| format!("{}: {wrong}", case.name)),
        );
    }
    println!("{table}");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_beginning_of_a_file_is_refused() {
    let _turn = alone();
    let file = valid();
    assert!(read(file.clone()).is_ok());
    for len in 0..file.len() {
        let error = Gguf::from_bytes(file[..len].to_vec())
            .expect_err("cut")
            .to_string();
        assert!(!error.contains(char::is_control), "{len}: {error}");
    }
}

#[test]
fn every_byte_may_be_anything() {
    let _turn = alone();
    let file = valid();
    for at in 0..file.len() {
        for byte in [
            0,
            1,
            0x0a,
            0x7f,
            0x80,
            0xff,
            file[at] ^ 1,
            file[at].wrapping_add(1),
        ] {
            let mut mutant = file.clone();
            mutant[at] = byte;
            if let Err(error) = read(mutant) {
                let error = error.to_string();
                assert!(!error.contains(char::is_control), "{at} = {byte}: {error}");
            }
        }
    }
}

/// A change of a file.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Number(Index, u64),
    Cut(Index),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    Copy(Index, Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let number = prop_oneof![
        any::<u64>(),
        0..=64u64,
        (0..64u32).prop_map(|bit| 1 << bit),
        (0..64u32).prop_map(|bit| (1u64 << bit).wrapping_neg()),
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<Index>(), number).prop_map(|(at, n)| Change::Number(at, n)),
        any::<Index>().prop_map(Change::Cut),
        (any::<Index>(), 1..16usize).prop_map(|(at, n)| Change::Remove(at, n)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..16))
            .prop_map(|(at, new)| Change::Insert(at, new)),
        (any::<Index>(), any::<Index>(), 1..64usize)
            .prop_map(|(from, to, n)| Change::Copy(from, to, n)),
    ]
}

fn apply(file: &mut Vec<u8>, change: &Change) {
    if file.is_empty() {
        return;
    }
    let len = file.len();
    match change {
        Change::Set(at, byte) => file[at.index(len)] = *byte,
        Change::Number(at, n) => {
            let at = at.index(len);
            file[at..]
                .iter_mut()
                .zip(n.to_le_bytes())
                .for_each(|(old, new)| *old = new);
        }
        Change::Cut(at) => file.truncate(at.index(len)),
        Change::Remove(at, n) => {
            let at = at.index(len);
            file.drain(at..(at + n).min(len));
        }
        Change::Insert(at, new) => {
            let at = at.index(len);
            file.splice(at..at, new.iter().copied());
        }
        Change::Copy(from, to, n) => {
            let (from, to) = (from.index(len), to.index(len));
            let n = (*n).min(len - from).min(len - to);
            file.copy_within(from..from + n, to);
        }
    }
}

#[test]
fn mutants_never_panic() -> Result<(), Box<dyn Error>> {
    let _turn = alone();
    let config = ProptestConfig {
        cases: 10_000,
        failure_persistence: None,
        ..Default::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let file = valid();
    runner.run(&prop::collection::vec(change(), 1..4), |changes| {
        let mut mutant = file.clone();
        changes.iter().for_each(|change| apply(&mut mutant, change));
        if let Err(error) = read(mutant) {
            let error = error.to_string();
            prop_assert!(!error.contains(char::is_control), "{error}");
        }
        Ok(())
    })?;
    Ok(())
}

/// A download that replaces a file by renaming another over it leaves the open model as it was.
#[cfg(unix)]
#[test]
fn a_file_replaced_while_it_is_mapped_stays_what_it_was() -> Result<(), Box<dyn Error>> {
    let _turn = alone();
    let dir = tempfile::tempdir()?;
    let (path, other) = (dir.path().join("model.gguf"), dir.path().join("other.gguf"));
    fs::write(&path, valid())?;
    fs::write(&other, b"no model")?;
    let model = Gguf::open(&path)?;
    fs::rename(&other, &path)?;
    assert!(model.check().is_ok());
    assert_eq!(model.require_str("general.architecture")?, "llama");
    let t = model.tensor("token_embd.weight").ok_or("no tensor")?;
    assert_eq!(model.bytes(t), [3; 72]);
    Ok(())
}

/// Text that someone overwrites in a mapped file is checked again when it is read.
#[test]
fn a_file_rewritten_while_it_is_mapped_gives_no_broken_text() -> Result<(), Box<dyn Error>> {
    let _turn = alone();
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("model.gguf");
    let file = valid();
    fs::write(&path, &file)?;
    let model = Gguf::open(&path)?;
    // In place and of the same length: the mapping sees it.
    let mut broken = file.clone();
    broken[24..].fill(0xff);
    fs::write(&path, &broken)?;
    assert!(model.check().is_ok());
    for (_, value) in model.keys() {
        let Value::Array(array) = value else { continue };
        assert!(array.iter().count() <= file.len());
    }
    assert!(
        model
            .strings("tokenizer.ggml.tokens")?
            .is_none_or(|s| s.len() <= file.len())
    );
    assert_eq!(model.get("general.architecture"), None);
    Ok(())
}
