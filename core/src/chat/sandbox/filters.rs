//! The filters and tests a template may use: those of Jinja2 that chat templates need, each paid for.

use std::sync::Arc;

use minijinja::value::{Kwargs, Rest, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value, filters, tests};

use super::json;
use super::meter::{Meter, Touch};
use super::methods::{self, is_space};

/// What a filter pays besides its arguments.
type Extra = fn(&Meter, &[Value]) -> Result<(), Error>;

const NOTHING: Extra = |_, _| Ok(());

/// Adds the filters and tests to `env`.
pub(super) fn install(env: &mut Environment<'_>, meter: &Arc<Meter>) {
    let mut add = |names: &[&'static str], touch, extra: Extra, filter: Value| {
        for name in names {
            let (meter, filter) = (Arc::clone(meter), filter.clone());
            env.add_filter(
                *name,
                move |state: &mut State, args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
                    let args = args.into_values();
                    meter.pay_all(&args, touch)?;
                    extra(&meter, &args)?;
                    methods::finish(&meter, filter.call(state, &args)?)
                },
            );
        }
    };
    let make = |value| value;
    macro_rules! filter {
        ($names:expr, $touch:ident, $filter:expr) => {
            filter!($names, $touch, $filter, NOTHING)
        };
        ($names:expr, $touch:ident, $filter:expr, $extra:expr) => {
            add(
                &$names,
                Touch::$touch,
                $extra,
                make(Value::from_function($filter)),
            )
        };
    }
    filter!(["length", "count"], Head, filters::length);
    filter!(["first"], Head, filters::first);
    filter!(["last"], Head, filters::last);
    filter!(["default", "d"], Head, filters::default);
    filter!(["items"], Spine, filters::items);
    filter!(["reverse"], Spine, filters::reverse);
    filter!(["attr"], Head, filters::attr);
    filter!(["safe"], All, filters::safe);
    filter!(["list"], Spine, filters::list, letters);
    filter!(["upper"], All, filters::upper);
    filter!(["lower"], All, filters::lower);
    filter!(["title"], All, filters::title);
    filter!(["capitalize"], All, filters::capitalize);
    filter!(["trim"], All, trim);
    filter!(["string"], Spine, filters::string, printing);
    filter!(["int"], All, filters::int);
    filter!(["float"], All, filters::float);
    filter!(["bool"], All, filters::bool);
    filter!(["abs"], All, filters::abs);
    filter!(["round"], All, filters::round);
    filter!(["sum"], All, filters::sum);
    filter!(["min"], All, filters::min);
    filter!(["max"], All, filters::max);
    filter!(["sort"], All, filters::sort, sixteenfold);
    filter!(["unique"], All, filters::unique, sixteenfold);
    filter!(["dictsort"], All, filters::dictsort, sixteenfold);
    filter!(["map"], Spine, filters::map);
    filter!(["select"], Spine, filters::select);
    filter!(["reject"], Spine, filters::reject);
    filter!(["selectattr"], Spine, filters::selectattr);
    filter!(["rejectattr"], Spine, filters::rejectattr);
    filter!(["escape", "e"], Spine, filters::escape, sixteenfold);
    filter!(["tojson"], Spine, tojson, printing);
    filter!(["join"], Spine, filters::join, |meter, args| {
        printing(meter, args)?;
        let items = args.first().and_then(Value::len).unwrap_or(0) as u64;
        let glue = args.get(1).and_then(Value::as_str).map_or(0, str::len) as u64;
        meter.charge(items.saturating_mul(glue))
    });
    filter!(["replace"], All, filters::replace, |meter, args| {
        match args {
            [text, from, to, ..] => {
                let text = text.to_str().unwrap_or_default();
                methods::replacing(meter, &text, from, to)
            }
            _ => Ok(()),
        }
    });
    filter!(["indent"], All, filters::indent, |meter, args| {
        let lines = args
            .first()
            .and_then(Value::as_str)
            .map_or(0, |text| text.matches('\n').count() as u64 + 1);
        let widest = args
            .iter()
            .filter_map(|arg| arg.as_usize().or(arg.get_attr("width").ok()?.as_usize()))
            .max()
            .unwrap_or(4) as u64;
        meter.charge(lines.saturating_mul(widest))
    });
    filter!(["format"], All, filters::format, |meter, args| {
        let mut read = 0;
        for arg in args {
            read += meter.pay_print(arg)?;
        }
        match args.first().and_then(Value::as_str) {
            Some(format) => methods::formatting(meter, format, read),
            None => Ok(()),
        }
    });
    install_tests(env, meter);
}

fn install_tests(env: &mut Environment<'_>, meter: &Arc<Meter>) {
    macro_rules! cheap {
        ($($name:literal => $test:path),* $(,)?) => {
            $(env.add_test($name, $test);)*
        };
    }
    cheap!(
        "defined" => tests::is_defined,
        "undefined" => tests::is_undefined,
        "none" => tests::is_none,
        "boolean" => tests::is_boolean,
        "true" => tests::is_true,
        "false" => tests::is_false,
        "number" => tests::is_number,
        "integer" => tests::is_integer,
        "float" => tests::is_float,
        "string" => tests::is_string,
        "sequence" => is_sequence,
        "iterable" => is_iterable,
        "mapping" => tests::is_mapping,
        "odd" => tests::is_odd,
        "even" => tests::is_even,
        "divisibleby" => tests::is_divisibleby,
        "filter" => tests::is_filter,
        "test" => tests::is_test,
    );
    let mut add = |names: &[&'static str], test: Value| {
        for name in names {
            let (meter, test) = (Arc::clone(meter), test.clone());
            env.add_test(
                *name,
                move |state: &mut State, args: Rest<ValueOrKwargs>| -> Result<bool, Error> {
                    let args = args.into_values();
                    meter.pay_all(&args, Touch::All)?;
                    Ok(test.call(state, &args)?.is_true())
                },
            );
        }
    };
    add(&["eq", "==", "equalto"], Value::from_function(tests::is_eq));
    add(&["ne", "!="], Value::from_function(tests::is_ne));
    add(&["lt", "<", "lessthan"], Value::from_function(tests::is_lt));
    add(&["le", "<="], Value::from_function(tests::is_le));
    add(
        &["gt", ">", "greaterthan"],
        Value::from_function(tests::is_gt),
    );
    add(&["ge", ">="], Value::from_function(tests::is_ge));
    add(&["in"], Value::from_function(tests::is_in));
    add(&["sameas"], Value::from_function(tests::is_sameas));
    add(&["lower"], Value::from_function(tests::is_lower));
    add(&["upper"], Value::from_function(tests::is_upper));
}

/// As Jinja2 has it: whatever has a length and items.
fn is_sequence(value: &Value) -> bool {
    value.is_undefined() || value.len().is_some()
}

/// As Jinja2 has it; the engine counts `none` among them.
fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

/// A list of letters takes a value for each.
fn letters(meter: &Meter, args: &[Value]) -> Result<(), Error> {
    match args.first().and_then(Value::as_str) {
        Some(text) => meter.charge(64 * text.len() as u64),
        None => Ok(()),
    }
}

/// For filters that write their argument out.
fn printing(meter: &Meter, args: &[Value]) -> Result<(), Error> {
    args.first()
        .map_or(Ok(()), |value| meter.pay_print(value).map(drop))
}

/// For filters that compare or lengthen: log n, or `<` to `&lt;`.
fn sixteenfold(meter: &Meter, args: &[Value]) -> Result<(), Error> {
    for _ in 0..16 {
        meter.pay_all(args, Touch::All)?;
    }
    Ok(())
}

fn trim(text: std::borrow::Cow<'_, str>, chars: Option<std::borrow::Cow<'_, str>>) -> String {
    match chars {
        Some(chars) => text.trim_matches(|c| chars.contains(c)).to_owned(),
        None => text.trim_matches(is_space).to_owned(),
    }
}

fn tojson(value: &Value, indent: Option<usize>, options: Kwargs) -> Result<String, Error> {
    json::tojson(value, indent, &options)
}
