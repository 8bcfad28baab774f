//! Typed questions to the metadata.

use super::error::{GgufError, shown};
use super::metadata::{Metadata, Pair};
use super::value::{ArrayView, Strings, Value};
use super::{Gguf, Kind, ValueType};

/// The integer of `key`, of any integer type, if it fits `T`, which messages call `wanted`.
pub(super) fn integer<T: TryFrom<i128>>(
    metadata: &Metadata,
    file: &[u8],
    key: &str,
    wanted: &'static str,
) -> Result<Option<T>, GgufError> {
    let Some((pair, value)) = find(metadata, file, key) else {
        return Ok(None);
    };
    let had = value
        .integer()
        .ok_or_else(|| wrong_type(pair, value, wanted))?;
    let fits = T::try_from(had).map_err(|_| GgufError::Range {
        key: shown(key),
        at: pair.at as u64,
        wanted,
        had,
    })?;
    Ok(Some(fits))
}

fn find<'a, 'm>(
    metadata: &'m Metadata,
    file: &'a [u8],
    key: &str,
) -> Option<(&'m Pair, Value<'a>)> {
    let pair = metadata.pair(key)?;
    Some((pair, pair.value(file)?))
}

fn wrong_type(pair: &Pair, had: Value<'_>, wanted: &'static str) -> GgufError {
    GgufError::WrongType {
        key: shown(&pair.key),
        at: pair.at as u64,
        wanted,
        had: had.kind(),
    }
}

/// A value that must be there.
fn required<T>(value: Option<T>, key: &str) -> Result<T, GgufError> {
    value.ok_or_else(|| GgufError::Missing { key: shown(key) })
}

/// # Typed metadata
///
/// Each answers `Ok(None)` if the key is absent. Integers may be of any integer type that fits,
/// floats of either. The `require_*` ones make an absent key an error.
///
/// # Errors
/// All of them: [`GgufError::WrongType`] if the value is of another type, [`GgufError::Range`] if
/// an integer does not fit; `require_*` also [`GgufError::Missing`].
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
impl Gguf {
    fn find(&self, key: &str) -> Option<(&Pair, Value<'_>)> {
        let first = self.first();
        find(&first.metadata, &first.map, key)
    }

    fn one<'a, T>(
        &'a self,
        key: &str,
        wanted: &'static str,
        take: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, GgufError> {
        let Some((pair, value)) = self.find(key) else {
            return Ok(None);
        };
        take(value)
            .map(Some)
            .ok_or_else(|| wrong_type(pair, value, wanted))
    }

    fn array<'a>(
        &'a self,
        key: &str,
        wanted: &'static str,
        fits: impl FnOnce(ValueType) -> bool,
    ) -> Result<Option<(&'a Pair, ArrayView<'a>)>, GgufError> {
        match self.find(key) {
            None => Ok(None),
            Some((pair, Value::Array(array))) if fits(array.element_type()) => {
                Ok(Some((pair, array)))
            }
            Some((pair, value)) => Err(wrong_type(pair, value, wanted)),
        }
    }

    fn integers<T: TryFrom<i128>>(
        &self,
        key: &str,
        wanted: &'static str,
        element: &'static str,
    ) -> Result<Option<Vec<T>>, GgufError> {
        let Some((pair, array)) = self.array(key, wanted, ValueType::is_integer)? else {
            return Ok(None);
        };
        let elements = array.iter().filter_map(|v| v.integer()).enumerate();
        let fits = elements.map(|(i, had)| {
            T::try_from(had).map_err(|_| GgufError::Range {
                key: format!("{}[{i}]", shown(key)),
                at: pair.at as u64,
                wanted: element,
                had,
            })
        });
        fits.collect::<Result<_, _>>().map(Some)
    }

    /// An integer from 0 to 2³²−1.
    pub fn u32(&self, key: &str) -> Result<Option<u32>, GgufError> {
        let first = self.first();
        integer(&first.metadata, &first.map, key, "u32")
    }

    /// An integer from 0 to 2⁶⁴−1.
    pub fn u64(&self, key: &str) -> Result<Option<u64>, GgufError> {
        let first = self.first();
        integer(&first.metadata, &first.map, key, "u64")
    }

    /// A float; a double is rounded.
    pub fn f32(&self, key: &str) -> Result<Option<f32>, GgufError> {
        self.one(key, "f32", |v| v.float())
    }

    /// A boolean.
    pub fn bool(&self, key: &str) -> Result<Option<bool>, GgufError> {
        self.one(key, "bool", |v| {
            if let Value::Bool(v) = v {
                Some(v)
            } else {
                None
            }
        })
    }

    /// A string, borrowed from the file.
    pub fn str(&self, key: &str) -> Result<Option<&str>, GgufError> {
        self.one(key, "str", |v| {
            if let Value::Str(v) = v { Some(v) } else { None }
        })
    }

    /// An array of strings, borrowed from the file.
    pub fn strings(&self, key: &str) -> Result<Option<Strings<'_>>, GgufError> {
        let wanted = "array of str";
        self.one(key, wanted, |v| {
            if let Value::Array(a) = v {
                a.strings()
            } else {
                None
            }
        })
    }

    /// An array of floats; doubles are rounded.
    pub fn f32s(&self, key: &str) -> Result<Option<Vec<f32>>, GgufError> {
        let float = |ty| matches!(ty, ValueType::F32 | ValueType::F64);
        let array = self.array(key, "array of f32", float)?;
        Ok(array.map(|(_, array)| array.iter().filter_map(|v| v.float()).collect()))
    }

    /// An array of integers from −2³¹ to 2³¹−1.
    pub fn i32s(&self, key: &str) -> Result<Option<Vec<i32>>, GgufError> {
        self.integers(key, "array of i32", "i32")
    }

    /// An array of integers from 0 to 2³²−1.
    pub fn u32s(&self, key: &str) -> Result<Option<Vec<u32>>, GgufError> {
        self.integers(key, "array of u32", "u32")
    }

    /// [`u32`](Self::u32), required.
    pub fn require_u32(&self, key: &str) -> Result<u32, GgufError> {
        required(self.u32(key)?, key)
    }

    /// [`f32`](Self::f32), required.
    pub fn require_f32(&self, key: &str) -> Result<f32, GgufError> {
        required(self.f32(key)?, key)
    }

    /// [`str`](Self::str), required.
    pub fn require_str(&self, key: &str) -> Result<&str, GgufError> {
        required(self.str(key)?, key)
    }

    /// [`strings`](Self::strings), required.
    pub fn require_strings(&self, key: &str) -> Result<Strings<'_>, GgufError> {
        required(self.strings(key)?, key)
    }

    /// The type of a key's value; `None` if it is absent.
    #[must_use]
    pub fn kind(&self, key: &str) -> Option<Kind> {
        self.find(key).map(|(_, value)| value.kind())
    }
}
