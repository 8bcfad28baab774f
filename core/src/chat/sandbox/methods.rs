//! Python's methods of strings and dicts.

use minijinja::value::{ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::meter::{Meter, Stop, Touch};

/// Whitespace as Python's `str.strip` sees it: Unicode's, and four separators of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// Calls `value.name(args)`, paid for by what it reads and what it makes.
pub(super) fn call(
    meter: &Meter,
    state: &mut State,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let mut read = meter.pay(value, Touch::Spine)?;
    for arg in args {
        read += meter.pay_print(arg)?;
    }
    let made = match value.as_str() {
        Some(text) => string_method(meter, state, text, value, name, args, read)?,
        None => unknown_method_callback(state, value, name, args)?,
    };
    finish(meter, made)
}

/// Pays for a result that is text; a lazy one is made a list, so laziness cannot pile up.
pub(super) fn finish(meter: &Meter, made: Value) -> Result<Value, Error> {
    match made.kind() {
        ValueKind::Iterable => {
            meter.pay(&made, Touch::Spine)?;
            Ok(made.try_iter()?.collect())
        }
        ValueKind::String => meter.pay(&made, Touch::Spine).map(|_| made),
        _ => Ok(made),
    }
}

fn string_method(
    meter: &Meter,
    state: &mut State,
    text: &str,
    value: &Value,
    name: &str,
    args: &[Value],
    read: u64,
) -> Result<Value, Error> {
    let set = |args: &[Value]| -> Result<Option<Vec<char>>, Error> {
        let (chars,): (Option<&str>,) = from_args(args)?;
        Ok(chars.map(|chars| chars.chars().collect()))
    };
    match name {
        "strip" | "lstrip" | "rstrip" => {
            let chars = set(args)?;
            let out = |c: char| chars.as_ref().map_or(is_space(c), |set| set.contains(&c));
            let text = match name {
                "rstrip" => text,
                _ => text.trim_start_matches(out),
            };
            Ok(Value::from(match name {
                "lstrip" => text,
                _ => text.trim_end_matches(out),
            }))
        }
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Ok(Value::from(text.strip_prefix(prefix).unwrap_or(text)))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Ok(Value::from(text.strip_suffix(suffix).unwrap_or(text)))
        }
        "replace" => {
            if let [from, to, ..] = args {
                replacing(meter, text, from, to)?;
            }
            unknown_method_callback(state, value, name, args)
        }
        "split" => {
            let pieces = match args.first().and_then(Value::as_str) {
                Some("") => 0,
                Some(separator) => text.matches(separator).count(),
                None => text.split_whitespace().count(),
            };
            meter.charge(64 * pieces as u64)?;
            unknown_method_callback(state, value, name, args)
        }
        "rsplit" => rsplit(meter, text, args),
        "splitlines" => {
            meter.charge(64 * text.matches('\n').count() as u64)?;
            unknown_method_callback(state, value, name, args)
        }
        "join" => {
            let items = args.first().and_then(Value::len).unwrap_or(0);
            meter.charge((items as u64).saturating_mul(text.len() as u64))?;
            unknown_method_callback(state, value, name, args)
        }
        "format" => {
            formatting(meter, text, read)?;
            unknown_method_callback(state, value, name, args)
        }
        _ => unknown_method_callback(state, value, name, args),
    }
}

/// Pays for `text.replace(from, to)`.
pub(super) fn replacing(meter: &Meter, text: &str, from: &Value, to: &Value) -> Result<(), Error> {
    let (Some(from), Some(to)) = (from.as_str(), to.as_str()) else {
        return Ok(());
    };
    let times = text.matches(from).count() as u64;
    meter.charge(times.saturating_mul(to.len() as u64))
}

/// Pays for formatting `format` with arguments of `read` bytes: every field could print all of them,
/// and widths have at most three digits.
pub(super) fn formatting(meter: &Meter, format: &str, read: u64) -> Result<(), Error> {
    let fields = format.matches(['{', '%']).count() as u64;
    let mut digits = 0;
    for c in format.chars() {
        digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
        if digits > 3 || c == '*' {
            return Err(Stop::Work.into());
        }
    }
    meter.charge(fields.saturating_mul(read.saturating_add(1000)))
}

fn rsplit(meter: &Meter, text: &str, args: &[Value]) -> Result<Value, Error> {
    let (separator, most): (Option<&str>, Option<i64>) = from_args(args)?;
    let most = most.and_then(|most| usize::try_from(most).ok());
    let mut pieces: Vec<&str> = match separator {
        Some("") => {
            return Err(Error::new(ErrorKind::InvalidOperation, "empty separator"));
        }
        Some(separator) => {
            meter.charge(64 * text.matches(separator).count() as u64)?;
            match most {
                Some(most) => text.rsplitn(most.saturating_add(1), separator).collect(),
                None => text.rsplit(separator).collect(),
            }
        }
        None => {
            meter.charge(64 * text.split_whitespace().count() as u64)?;
            let mut left = text.trim_end_matches(is_space);
            let mut pieces = Vec::new();
            while !left.is_empty() && most.is_none_or(|most| pieces.len() < most) {
                let cut = left.rfind(is_space);
                let (rest, piece) =
                    match cut.and_then(|at| left[at..].chars().next().map(|c| (at, c))) {
                        Some((at, c)) => (&left[..at], &left[at + c.len_utf8()..]),
                        None => ("", left),
                    };
                pieces.push(piece);
                left = rest.trim_end_matches(is_space);
            }
            if !left.is_empty() {
                pieces.push(left);
            }
            pieces
        }
    };
    pieces.reverse();
    Ok(pieces.into_iter().map(Value::from).collect())
}
