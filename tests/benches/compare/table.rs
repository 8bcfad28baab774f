//! Tables as plain text, and the same as Markdown.

use super::report::{Case, Report};
use super::stats::{geometric_mean, spread};

/// Names of columns, and rows of as many cells.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// In columns: the first to the left, numbers to the right.
    pub fn text(&self) -> String {
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| all().map(|row| row[column].chars().count()).max();
        let widths: Vec<_> = (0..self.head.len()).filter_map(width).collect();
        let mut text = String::new();
        for row in all() {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let gap = if column == 0 { "" } else { "  " };
                line += &match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{gap}{cell:>width$}"),
                };
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }

    /// As Markdown has it.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule = format!("|{}\n", "---|".repeat(self.head.len()));
        let rows = self.rows.iter().map(|row| line(row));
        line(&self.head) + &rule + &rows.collect::<String>()
    }
}

fn strings(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// A billion a second.
fn billions(rate: f64) -> String {
    format!("{:.1}", rate / 1e9)
}

/// Every case with its speeds; ratios above 1 are ours.
pub fn cases<'a>(report: &Report, cases: impl IntoIterator<Item = &'a Case>) -> Table {
    let head = strings(&[
        "type", "rows x k", "columns", "threads", "buffer", "GB/s", "ggml", "GMAC/s", "ggml",
        "% read", "ggml", "% int8", "ggml", "ratio", "quarters",
    ]);
    let per_cent = |part: Option<f64>| part.map_or("?".to_owned(), |part| format!("{part:.0}"));
    let row = |case: &Case| {
        let (ours, theirs, ratio) = (case.ours(), case.theirs(), case.ratio());
        let [read, int8] = report.fractions(case, ours);
        let [their_read, their_int8] = report.fractions(case, theirs);
        vec![
            case.ty.to_owned(),
            format!("{}x{}", case.rows, case.k),
            case.columns.to_string(),
            case.threads.to_string(),
            case.buffer.clone(),
            billions(ours.bytes),
            billions(theirs.bytes),
            billions(ours.macs),
            billions(theirs.macs),
            per_cent(read),
            per_cent(their_read),
            per_cent(int8),
            per_cent(their_int8),
            format!("{:.2}", ratio.median),
            format!("{:.2}-{:.2}", ratio.low, ratio.high),
        ]
    };
    let rows = cases.into_iter().map(row).collect();
    Table { head, rows }
}

/// For each type and number of columns the mean ratio over the matrices, and the least and the most.
pub fn summary(report: &Report, threads: usize) -> Table {
    let [columns, _] = report.columns_and_threads();
    let mut head = vec!["type".to_owned()];
    head.extend(columns.iter().map(|n| format!("n={n}")));
    let row = |ty: &&'static str| {
        let cell = |n: &usize| {
            let of = |case: &&Case| (case.ty, case.columns, case.threads) == (*ty, *n, threads);
            let cases = report.cases.iter().filter(of);
            let ratios: Vec<_> = cases.map(|case| case.ratio().median).collect();
            if ratios.is_empty() {
                return "-".to_owned();
            }
            let (mean, all) = (geometric_mean(ratios.iter().copied()), spread(ratios));
            format!("{mean:.2} ({:.2}-{:.2})", all.least, all.most)
        };
        std::iter::once((*ty).to_owned())
            .chain(columns.iter().map(cell))
            .collect()
    };
    let rows = report.types().iter().map(row).collect();
    Table { head, rows }
}

/// So many threads, in words.
pub fn threads(n: usize) -> String {
    format!("{n} thread{}", if n == 1 { "" } else { "s" })
}

/// One sentence: in how many cases with these columns and threads ours is faster, and where it is furthest
/// behind. `None` without cases.
pub fn verdict(report: &Report, columns: usize, n_threads: usize) -> Option<String> {
    let of = |case: &&Case| case.columns == columns && case.threads == n_threads;
    let cases: Vec<_> = report.cases.iter().filter(of).collect();
    let by_ratio = |a: &&&Case, b: &&&Case| a.ratio().median.total_cmp(&b.ratio().median);
    let (worst, best) = (
        cases.iter().min_by(by_ratio)?,
        cases.iter().max_by(by_ratio)?,
    );
    let ratios: Vec<_> = cases.iter().map(|case| case.ratio().median).collect();
    let [won, lost] = [
        ratios.iter().filter(|ratio| **ratio > 1.02).count(),
        ratios.iter().filter(|ratio| **ratio < 0.98).count(),
    ];
    let name = |case: &Case| format!("{} {}x{}", case.ty, case.rows, case.k);
    let mean = geometric_mean(ratios.iter().copied());
    Some(format!(
        "n = {columns}, {}: of {} cases Puna is faster in {won}, ggml in {lost}, and {} are \
         within 2 %; the mean ratio is {mean:.2}; from {:.2} ({}) to {:.2} ({}).",
        threads(n_threads),
        cases.len(),
        cases.len() - won - lost,
        worst.ratio().median,
        name(worst),
        best.ratio().median,
        name(best),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::example;
    use super::*;

    #[test]
    fn numbers_stand_to_the_right() {
        let table = Table {
            head: strings(&["type", "n"]),
            rows: vec![strings(&["Q4_0", "1"]), strings(&["F32", "512"])],
        };
        assert_eq!(table.text(), "type    n\nQ4_0    1\nF32   512\n");
        let want = "| type | n |\n|---|---|\n| Q4_0 | 1 |\n| F32 | 512 |\n";
        assert_eq!(table.markdown(), want);
    }

    #[test]
    fn a_case_is_a_row() {
        let report = example();
        let table = cases(&report, &report.cases);
        assert_eq!(table.rows.len(), 8);
        let want = [
            "Q4_0",
            "100x64",
            "1",
            "1",
            "CPU_REPACK",
            "20.0",
            "40.0",
            "32.0",
            "64.0",
            "25",
            "50",
            "25",
            "50",
            "0.50",
            "0.50-0.50",
        ];
        assert_eq!(table.rows[0], want);
        assert!(table.rows.iter().all(|row| row.len() == table.head.len()));
    }

    #[test]
    fn the_summary_has_types_and_columns() {
        let table = summary(&example(), 2);
        assert_eq!(table.head, ["type", "n=1", "n=512"]);
        assert_eq!(
            table.rows[0],
            ["Q4_0", "0.50 (0.50-0.50)", "0.25 (0.25-0.25)"]
        );
    }

    #[test]
    fn the_verdict_counts_both_sides() {
        let report = example();
        let text = verdict(&report, 1, 2).unwrap();
        assert!(
            text.contains("of 2 cases Puna is faster in 1, ggml in 1"),
            "{text}"
        );
        assert!(
            text.contains("mean ratio is 1.00; from 0.50 (Q4_0 100x64) to 2.00"),
            "{text}"
        );
        assert_eq!(verdict(&report, 3, 2), None);
    }
}
