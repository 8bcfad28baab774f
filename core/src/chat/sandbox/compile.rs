//! From source to instructions that pay before they work.

use minijinja::Value;
use minijinja::machinery::{CodeGenerator, Instruction, Instructions, parse};

use super::operations::{ADD, CHANGED, COMPARE, CONTAIN, INDEX, JOIN, REPEAT, SETTLE, SLICE};
use super::{folding, source, syntax_error};
use crate::chat::ChatError;

/// Parses `text`, compiles it, and puts a payment before every operation whose cost grows with its
/// operands.
///
/// # Errors
/// [`ChatError::Syntax`], or [`ChatError::Unsupported`].
pub(super) fn compile(text: &str) -> Result<Instructions<'_>, ChatError> {
    let tree =
        parse(text, "chat_template", source::syntax()?).map_err(|error| syntax_error(&error))?;
    folding::check(&tree)?;
    let mut generator = CodeGenerator::new("chat_template", text);
    generator.compile_stmt(&tree);
    metered(&generator.finish().0)
}

/// What stands before an instruction of the compiled template.
enum Toll {
    /// Nothing: its cost is bounded.
    Free,
    /// `meter(operands)` pays for the top `n` values of the stack and leaves them.
    Pay { meter: &'static str, n: usize },
    /// `ADD` pays for the top two values, and a list that is their sum is made at once: the engine would
    /// only note its parts, and walk through all the notes for each item.
    Add,
    /// The instruction becomes a call of `function` with `n` arguments.
    Call { function: &'static str, n: u16 },
    /// The instruction becomes a constant that is emitted as values are.
    Emit(Value),
}

fn toll(instruction: &Instruction<'_>) -> Result<Toll, &'static str> {
    let pay = |meter, n| Ok(Toll::Pay { meter, n });
    match instruction {
        Instruction::EmitRaw(text) => Ok(Toll::Emit(Value::from(*text))),
        Instruction::Slice => Ok(Toll::Call {
            function: SLICE,
            n: 4,
        }),
        Instruction::Add => Ok(Toll::Add),
        Instruction::StringConcat => pay(JOIN, 2),
        Instruction::Mul => pay(REPEAT, 2),
        Instruction::GetItem => pay(INDEX, 2),
        Instruction::Eq
        | Instruction::Ne
        | Instruction::Gt
        | Instruction::Gte
        | Instruction::Lt
        | Instruction::Lte
        | Instruction::In
        | Instruction::CompareAndPreserve(_) => pay(COMPARE, 2),
        Instruction::BuildList(Some(n)) | Instruction::BuildTuple(Some(n)) if *n > 0 => {
            pay(CONTAIN, *n)
        }
        Instruction::BuildMap(n) | Instruction::BuildKwargs(n) if *n > 0 => pay(CONTAIN, n * 2),
        Instruction::CallMethod("changed", Some(n)) => pay(CHANGED, usize::from(*n)),
        Instruction::UnpackLists(_)
        | Instruction::MergeKwargs(_)
        | Instruction::BuildTuple(None)
        | Instruction::ApplyFilter(_, None, _)
        | Instruction::PerformTest(_, None, _)
        | Instruction::CallFunction(_, None)
        | Instruction::CallMethod(_, None)
        | Instruction::CallObject(None) => Err("unpacking arguments by `*`"),
        _ => Ok(Toll::Free),
    }
}

fn metered<'s>(plain: &Instructions<'s>) -> Result<Instructions<'s>, ChatError> {
    let mut tolls = Vec::new();
    let mut moved = vec![0];
    let mut at = 0;
    while let Some(instruction) = plain.get(tolls.len() as u32) {
        let line = plain.get_line(tolls.len() as u32).unwrap_or(0);
        let toll = toll(instruction).map_err(|what| ChatError::Unsupported { line, what })?;
        at += match toll {
            Toll::Free | Toll::Call { .. } => 1,
            Toll::Emit(_) => 2,
            Toll::Pay { .. } => 4,
            Toll::Add => 5,
        };
        moved.push(at);
        tolls.push((toll, line));
    }
    // A jump leads to the payment of the instruction it led to; one past the end stays there.
    let target = |old: u32| moved.get(old as usize).copied().unwrap_or(at);

    let mut out = Instructions::new(plain.name(), plain.source());
    for (index, (toll, line)) in (0..).zip(tolls) {
        let Some(instruction) = plain.get(index) else {
            break;
        };
        let line = u16::try_from(line).unwrap_or(u16::MAX);
        let mut add = |instruction| out.add_with_line(instruction, line);
        match toll {
            Toll::Call { function, n } => {
                add(Instruction::CallFunction(function, Some(n)));
                continue;
            }
            Toll::Emit(text) => {
                add(Instruction::LoadConst(text));
                add(Instruction::Emit);
                continue;
            }
            Toll::Pay { meter, n } => {
                add(Instruction::BuildTuple(Some(n)));
                add(Instruction::CallFunction(meter, Some(1)));
                add(Instruction::UnpackList(n));
            }
            Toll::Add => {
                add(Instruction::BuildTuple(Some(2)));
                add(Instruction::CallFunction(ADD, Some(1)));
                add(Instruction::UnpackList(2));
                add(Instruction::Add);
                add(Instruction::CallFunction(SETTLE, Some(1)));
                continue;
            }
            Toll::Free => {}
        }
        add(match instruction {
            Instruction::Iterate(to) => Instruction::Iterate(target(*to)),
            Instruction::Jump(to) => Instruction::Jump(target(*to)),
            Instruction::JumpIfFalse(to) => Instruction::JumpIfFalse(target(*to)),
            Instruction::JumpIfFalseOrPop(to) => Instruction::JumpIfFalseOrPop(target(*to)),
            Instruction::JumpIfTrueOrPop(to) => Instruction::JumpIfTrueOrPop(target(*to)),
            Instruction::BuildMacro(name, body, flags) => {
                Instruction::BuildMacro(name, target(*body), *flags)
            }
            other => other.clone(),
        });
    }
    Ok(out)
}
