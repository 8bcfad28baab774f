//! `tojson` as Hugging Face defines it: Python's `json.dumps(value, ensure_ascii=False)`.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};

/// Formats `value`; by keyword `indent`, `separators` and `sort_keys`, as in Python.
pub(super) fn tojson(
    value: &Value,
    indent: Option<usize>,
    options: &Kwargs,
) -> Result<String, Error> {
    let indent = indent.or(options.get::<Option<usize>>("indent")?);
    let separators: Option<Vec<String>> = options.get("separators")?;
    let (item, key) = match separators.as_deref() {
        Some([item, key]) => (item.as_str(), key.as_str()),
        _ if indent.is_some() => (",", ": "),
        _ => (", ", ": "),
    };
    let style = Style {
        indent: indent.map(|width| width.min(16)),
        item,
        key,
        sorted: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
    };
    options.get::<Option<bool>>("ensure_ascii")?;
    options.assert_all_used()?;
    let mut out = String::new();
    style.value(&mut out, value, 0)?;
    Ok(out)
}

struct Style<'a> {
    indent: Option<usize>,
    item: &'a str,
    key: &'a str,
    sorted: bool,
}

impl Style<'_> {
    fn value(&self, out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => out.push_str(&value.to_string()),
            ValueKind::String => string(out, value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                let mut items = value.try_iter()?;
                self.group(out, ['[', ']'], depth, |out| {
                    let Some(item) = items.next() else {
                        return Ok(false);
                    };
                    self.value(out, &item, depth + 1).map(|()| true)
                })?;
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sorted {
                    keys.sort();
                }
                let mut keys = keys.into_iter();
                self.group(out, ['{', '}'], depth, |out| {
                    let Some(key) = keys.next() else {
                        return Ok(false);
                    };
                    string(out, &key.to_string());
                    out.push_str(self.key);
                    self.value(out, &value.get_item(&key)?, depth + 1)
                        .map(|()| true)
                })?;
            }
            kind => {
                return Err(Error::new(
                    ErrorKind::BadSerialization,
                    format!("a value of type {kind} is not JSON"),
                ));
            }
        }
        Ok(())
    }

    /// Writes `[…]` or `{…}`; `next` writes one item and tells whether there was one.
    fn group(
        &self,
        out: &mut String,
        [open, close]: [char; 2],
        depth: usize,
        mut next: impl FnMut(&mut String) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        out.push(open);
        let mut empty = true;
        loop {
            let before = out.len();
            if !empty {
                out.push_str(self.item);
            }
            self.line(out, depth + 1);
            if !next(out)? {
                out.truncate(before);
                break;
            }
            empty = false;
        }
        if !empty {
            self.line(out, depth);
        }
        out.push(close);
        Ok(())
    }

    fn line(&self, out: &mut String, depth: usize) {
        if let Some(width) = self.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', width * depth));
        }
    }
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
