//! docs/SECURITY.md lists the lies that a file may tell and the cases that tell them; this is how its list is kept true.

use std::{fs, path::Path};

use puna_tests::hostile::{Case, Outcome, gguf, model, template};

/// The name of a lie, how it ends, and the names of its cases.
type Row = (String, String, Vec<String>);

/// The rows of the list. A name may have `|` in it, as it stands between backticks.
fn rows(page: &str) -> Vec<Row> {
    let (_, section) = page
        .split_once("\n## Hostile files\n")
        .expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.splitn(3, " | ");
        let (lie, ends, cases) = (cells.next()?, cells.next()?, cells.next()?);
        let cases = cases.split('`').skip(1).step_by(2).map(str::to_owned);
        Some((lie.to_owned(), ends.to_owned(), cases.collect()))
    };
    section.lines().filter_map(row).skip(1).collect()
}

/// Whether `name` is what `pattern` says, in which `*` stands for anything.
fn is(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    rest.is_empty() || last.is_some_and(|last| rest.ends_with(last))
}

/// The functions of the tests: those of files that change while they are mapped are no cases of a table.
fn tests() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = fs::read_dir(folder).expect("tests").flatten();
    files
        .filter_map(|file| fs::read_to_string(file.path()).ok())
        .collect()
}

const fn ends(case: &Case) -> &'static str {
    match case.outcome {
        Outcome::Refused(_) => "refused",
        Outcome::Loads => "loads",
        Outcome::Survives => "survives",
    }
}

#[test]
fn the_list_of_hostile_files_is_true() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("docs/SECURITY.md");
    let rows = rows(&fs::read_to_string(page).expect("docs/SECURITY.md"));
    let cases = [gguf::cases(), model::cases(), template::cases()].concat();
    let tests = tests();
    let mut wrong = Vec::new();
    for (lie, wanted, names) in &rows {
        if names.is_empty() {
            wrong.push(format!("{lie}: no case"));
        }
        let mut n_cases = 0;
        for name in names {
            let found: Vec<&Case> = cases.iter().filter(|case| is(name, &case.name)).collect();
            if found.is_empty() && !tests.contains(&format!("fn {name}()")) {
                wrong.push(format!("{lie}: there is no case {name:?}"));
            }
            let other = found.iter().filter(|case| ends(case) != wanted);
            wrong.extend(other.map(|case| format!("{lie}: {:?} {}", case.name, ends(case))));
            n_cases += found.len();
        }
        println!("{n_cases:4} {wanted:8} {lie}");
    }
    assert!(rows.len() > 40, "{} rows", rows.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_star_stands_for_anything() {
    for (pattern, name, wanted) in [
        ("a b", "a b", true),
        ("a b", "a b c", false),
        ("a *", "a b", true),
        ("*: NaN", "Q4_0 output: NaN", true),
        ("*: NaN", "Q4_0 output: NaN in halves", false),
        ("a*b*", "axbx", true),
        ("a*b", "axc", false),
    ] {
        assert_eq!(is(pattern, name), wanted, "{pattern} {name}");
    }
}
