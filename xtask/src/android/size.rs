//! Which crate a library's bytes come from, by the names of its symbols.

use anyhow::Result;
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};
use std::collections::BTreeMap;

/// Bytes by crate, and by section what no symbol claims; the largest first.
pub struct Shares {
    /// Code and data under the name of a crate, generic code under that of the crate that defines it.
    pub crates: Vec<(String, u64)>,
    /// Sections without symbols of their own: texts, tables for unwinding, relocations.
    pub sections: Vec<(String, u64)>,
}

/// Reads the symbols of a library that was not stripped.
///
/// # Errors
/// It is no library that can be read.
pub fn shares(file: &[u8]) -> Result<Shares> {
    let object = object::File::parse(file)?;
    let mut crates = BTreeMap::<String, u64>::new();
    let mut claimed = BTreeMap::<usize, u64>::new();
    for symbol in object.symbols() {
        let is_sized = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data);
        if let (true, Some(section)) = (is_sized, symbol.section_index()) {
            *crates.entry(crate_of(symbol.name()?)).or_default() += symbol.size();
            *claimed.entry(section.0).or_default() += symbol.size();
        }
    }
    let mut sections = Vec::new();
    for section in object.sections() {
        let is_loaded = !matches!(
            section.kind(),
            SectionKind::UninitializedData
                | SectionKind::Other
                | SectionKind::Debug
                | SectionKind::OtherString
        ) && section.address() != 0;
        let known = claimed.get(&section.index().0).copied().unwrap_or(0);
        let rest = section.size().saturating_sub(known);
        if is_loaded && rest > 0 {
            sections.push((section.name()?.to_owned(), rest));
        }
    }
    let mut crates: Vec<_> = crates.into_iter().collect();
    crates.sort_by_key(|&(_, bytes)| std::cmp::Reverse(bytes));
    sections.sort_by_key(|&(_, bytes)| std::cmp::Reverse(bytes));
    Ok(Shares { crates, sections })
}

/// The crate that a symbol's first path names.
fn crate_of(symbol: &str) -> String {
    let Ok(name) = rustc_demangle::try_demangle(symbol) else {
        return "(not Rust)".into();
    };
    let name = format!("{name:#}");
    let path = name.trim_start_matches(['<', '&', '[', '(', '*']);
    let path = ["mut ", "const ", "dyn "]
        .iter()
        .fold(path, |path, word| path.strip_prefix(word).unwrap_or(path));
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let end = path.find(|c| !is_name(c)).unwrap_or(path.len());
    if path[end..].starts_with("::") {
        path[..end].to_owned()
    } else {
        // Implemented for a type of the language itself, such as a slice of bytes.
        "core".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_belongs_to_the_crate_of_its_first_path() {
        for (symbol, owner) in [
            (
                "_ZN9puna_core5model4Open4open17h0123456789abcdefE",
                "puna_core",
            ),
            (
                "_ZN63_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..clone..Clone$GT$5clone17h0123456789abcdefE",
                "alloc",
            ),
            (
                "_ZN42_$LT$$RF$T$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE",
                "core",
            ),
            ("memcpy", "(not Rust)"),
        ] {
            assert_eq!(crate_of(symbol), owner, "{symbol}");
        }
    }
}
