//! The code of the pages for app developers, as files that a compiler can read.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// Writes every block of a language of the pages into a file of its own below `into`. `head` is what each begins
/// with, given the file's name.
pub fn write(
    root: &Path,
    into: &Path,
    (language, extension): (&str, &str),
    head: impl Fn(&str) -> String,
) -> Result<usize> {
    if into.exists() {
        fs::remove_dir_all(into)?;
    }
    fs::create_dir_all(into)?;
    let mut count = 0;
    for page in pages(root)? {
        let text = fs::read_to_string(&page)?;
        let name = page.file_stem().and_then(|stem| stem.to_str());
        let name = name.context("a page has a name")?.to_lowercase();
        for (number, block) in blocks(&text, language).into_iter().enumerate() {
            let name = format!("{name}_{number}");
            let file = into.join(format!("{name}.{extension}"));
            fs::write(file, head(&name) + &block)?;
            count += 1;
        }
    }
    ensure!(count > 5, "the pages have {count} blocks of {language}");
    Ok(count)
}

fn pages(root: &Path) -> Result<Vec<PathBuf>> {
    let mut pages = vec![root.join("README.md")];
    for entry in fs::read_dir(root.join("docs/sdk"))? {
        let page = entry?.path();
        if page.extension().is_some_and(|e| e == "md") {
            // Two pages of one name: the packages are told apart by it.
            let is_readme = page.file_stem().is_some_and(|stem| stem == "README");
            if !is_readme {
                pages.push(page);
            }
        }
    }
    pages.sort();
    Ok(pages)
}

/// What stands between "```", with the language after it, and "```".
fn blocks(page: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}");
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in page.lines() {
        match &mut block {
            None if line == begin => block = Some(String::new()),
            None => {}
            Some(_) if line == "```" => blocks.extend(block.take()),
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_language_is_taken() {
        let page =
            "a\n```sh\nls\n```\n```kotlin\nval x = 1\nval y = 2\n```\nb\n```kotlin\nf()\n```\n";
        assert_eq!(blocks(page, "kotlin"), ["val x = 1\nval y = 2\n", "f()\n"]);
    }
}
