//! The payments before operators, the slices, and the functions a template may call.

use std::sync::Arc;

use minijinja::value::{Rest, Tuple, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, Value, functions};

use super::meter::{Meter, Stop, Touch};
use super::{clock, methods};

// Names no template can spell, so none can shadow them.
pub(super) const JOIN: &str = "(join)";
pub(super) const ADD: &str = "(add)";
pub(super) const SETTLE: &str = "(settle)";
pub(super) const REPEAT: &str = "(repeat)";
pub(super) const COMPARE: &str = "(compare)";
pub(super) const CONTAIN: &str = "(contain)";
pub(super) const INDEX: &str = "(index)";
pub(super) const CHANGED: &str = "(changed)";
pub(super) const SLICE: &str = "(slice)";

/// Adds the payments and the functions to `env`. `now` is what `strftime_now` tells, in Unix seconds.
pub(super) fn install(env: &mut Environment<'_>, meter: &Arc<Meter>, now: i64) {
    let mut payment = |name, pay: fn(&Meter, &[Value]) -> Result<(), Error>| {
        let meter = Arc::clone(meter);
        env.add_function(name, move |operands: Value| -> Result<Value, Error> {
            let mut operands: Vec<Value> = operands.try_iter()?.collect();
            pay(&meter, &operands)?;
            // Unpacking pushes the first item last.
            operands.reverse();
            Ok(Value::from(Tuple::from(operands)))
        });
    };
    payment(ADD, |meter, operands| {
        meter.pay_all(operands, Touch::Spine).map(drop)
    });
    payment(JOIN, |meter, operands| {
        operands
            .iter()
            .try_for_each(|o| meter.pay_print(o).map(drop))
    });
    payment(COMPARE, |meter, operands| {
        meter.pay_all(operands, Touch::All).map(drop)
    });
    payment(CONTAIN, |meter, operands| {
        meter.pay_all(operands, Touch::Nodes).map(drop)
    });
    payment(CHANGED, |meter, operands| {
        meter
            .pay_all(operands.get(1..).unwrap_or_default(), Touch::All)
            .map(drop)
    });
    payment(REPEAT, repeat);
    payment(INDEX, index);

    let pay = Arc::clone(meter);
    env.add_function(SETTLE, move |sum: Value| methods::finish(&pay, sum));
    let pay = Arc::clone(meter);
    env.add_function(
        SLICE,
        move |text: Value, start: Value, stop: Value, step: Value| {
            pay.pay(&text, Touch::Spine)?;
            slice(&text, &start, &stop, &step)
        },
    );
    call(env, meter, "range", Value::from_function(functions::range));
    call(env, meter, "dict", Value::from_function(functions::dict));
    call(
        env,
        meter,
        "namespace",
        Value::from_function(functions::namespace),
    );
    env.add_function(
        "raise_exception",
        |reason: String| -> Result<Value, Error> { Err(Stop::Raised(reason).into()) },
    );
    let pay = Arc::clone(meter);
    env.add_function(
        "strftime_now",
        move |format: &str| -> Result<String, Error> {
            pay.charge(format.len() as u64 * 64)?;
            Ok(clock::strftime(now, format))
        },
    );
}

/// Adds a function of the engine, paid for by its arguments and its result.
fn call(env: &mut Environment<'_>, meter: &Arc<Meter>, name: &'static str, function: Value) {
    let meter = Arc::clone(meter);
    env.add_function(
        name,
        move |state: &mut minijinja::State, args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
            let args = args.into_values();
            meter.pay_all(&args, Touch::Nodes)?;
            let made = function.call(state, &args)?;
            meter.pay(&made, Touch::Spine)?;
            Ok(made)
        },
    );
}

/// `text * n` pays for every copy; lists are not repeated, since the engine does it lazily, copy in copy.
fn repeat(meter: &Meter, operands: &[Value]) -> Result<(), Error> {
    let mut cost = 1_u64;
    for operand in operands {
        cost = match operand.kind() {
            ValueKind::Number => cost.saturating_mul(operand.as_usize().unwrap_or(1).max(1) as u64),
            ValueKind::String => cost.saturating_mul(meter.pay(operand, Touch::Spine)?),
            ValueKind::Bool | ValueKind::Undefined | ValueKind::None => cost,
            _ => {
                return Err(Error::new(
                    ErrorKind::InvalidOperation,
                    "lists are not repeated",
                ));
            }
        };
    }
    match operands.iter().any(|o| o.kind() == ValueKind::String) {
        true => meter.charge(cost),
        false => Ok(()),
    }
}

/// A key is hashed; a lazy sequence is walked to the item, a list is not.
fn index(meter: &Meter, operands: &[Value]) -> Result<(), Error> {
    let [container, key] = operands else {
        return Ok(());
    };
    if container.kind() == ValueKind::Iterable {
        meter.pay(container, Touch::Spine)?;
    }
    meter.pay(key, Touch::All).map(drop)
}

/// Python's `value[start:stop:step]` of a string or a sequence, as a new one.
fn slice(value: &Value, start: &Value, stop: &Value, step: &Value) -> Result<Value, Error> {
    let bound = |value: &Value| -> Result<Option<i64>, Error> {
        match value.is_none() {
            true => Ok(None),
            false => i64::try_from(value.clone()).map(Some),
        }
    };
    let step = bound(step)?.unwrap_or(1);
    if step == 0 {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "slice step cannot be zero",
        ));
    }
    let (start, stop) = (bound(start)?, bound(stop)?);
    if let Some(text) = value.as_str() {
        let chars: Vec<char> = text.chars().collect();
        let picked = positions(chars.len(), start, stop, step).map(|at| chars[at]);
        return Ok(Value::from(picked.collect::<String>()));
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Vec<Value> = value.try_iter()?.collect();
            let picked = positions(items.len(), start, stop, step).map(|at| items[at].clone());
            Ok(match value.is_tuple() {
                true => Value::from(Tuple::from(picked.collect::<Vec<_>>())),
                false => Value::from(picked.collect::<Vec<_>>()),
            })
        }
        kind => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("a value of type {kind} cannot be sliced"),
        )),
    }
}

/// `range(*slice(start, stop, step).indices(len))`.
fn positions(
    len: usize,
    start: Option<i64>,
    stop: Option<i64>,
    step: i64,
) -> impl Iterator<Item = usize> {
    let len = len as i64;
    let (lowest, highest) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp = |bound: i64| {
        let bound = if bound < 0 {
            bound.saturating_add(len)
        } else {
            bound
        };
        bound.clamp(lowest, highest)
    };
    let (first, end) = match step > 0 {
        true => (start.map_or(0, clamp), stop.map_or(len, clamp)),
        false => (start.map_or(highest, clamp), stop.map_or(-1, clamp)),
    };
    let mut at = first;
    std::iter::from_fn(move || {
        let here = at;
        if (step > 0 && here >= end) || (step < 0 && here <= end) {
            return None;
        }
        at = at.saturating_add(step);
        usize::try_from(here).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from Python: `list(range(5))[a:b:c]`.
    #[test]
    fn slices_are_pythons() {
        for (start, stop, step, expected) in [
            (None, None, 1, &[0, 1, 2, 3, 4][..]),
            (Some(1), None, 1, &[1, 2, 3, 4]),
            (None, None, -1, &[4, 3, 2, 1, 0]),
            (Some(-2), None, 1, &[3, 4]),
            (Some(-9), Some(9), 2, &[0, 2, 4]),
            (Some(3), Some(0), -1, &[3, 2, 1]),
            (Some(9), Some(-9), -2, &[4, 2, 0]),
            (Some(3), Some(1), 1, &[]),
            (Some(i64::MAX), None, i64::MIN, &[4]),
            (Some(0), None, i64::MAX, &[0]),
        ] {
            let got: Vec<usize> = positions(5, start, stop, step).collect();
            assert_eq!(got, expected, "[{start:?}:{stop:?}:{step}]");
        }
        assert_eq!(positions(0, None, None, -1).count(), 0);
    }
}
