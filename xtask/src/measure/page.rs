//! The page of a run.

use super::cases::{Case, Kind, cases};
use super::record::{Measured, Record, Spread};

/// The page in Markdown. `base` begins the names of the files beside it; `plots` are the models that have one.
pub fn page(record: &Record, base: &str, plots: &[&str]) -> String {
    let head = &record.head;
    let cases = cases(record);
    let mut page = format!("# Whole models beside llama.cpp: {}\n\n", head.date);
    page += &format!("![Speed and memory relative to llama.cpp]({base}.svg)\n\n");
    page += "Made by `cargo xtask measure`: llama-bench and `puna bench` in turn, every sample a process of its own, \
             the ratio round by round against the best of llama-bench's settings \
             ([how](../commands.md#bench-beside-another-program)). Above 1 Puna is ahead, **bold** it is behind. ";
    page += &format!("All samples: [{base}.json]({base}.json).\n\n");
    page += &bars(record, &cases);
    page += &verdict(&cases);
    page += "\n## Where and what\n\n";
    page += &where_and_what(record);
    for model in record.models() {
        page += &format!("\n## {model}\n\n");
        if plots.contains(&model) {
            page += &format!("![{model}: tokens a second]({base}-{model}.svg)\n\n");
        }
        page += &tables(record, model);
    }
    if !record.failed.is_empty() {
        page += "\n## Not measured\n\n";
        for (step, why) in &record.failed {
            page += &format!("- {step}: {why}\n");
        }
    }
    page
}

/// A row a model: the ratios of each kind from least to most.
fn bars(record: &Record, cases: &[Case]) -> String {
    let mut text = "| model |".to_owned();
    for kind in Kind::ALL {
        text += &format!(" {} |", kind.name());
    }
    text += "\n|---|---:|---:|---:|---:|\n";
    for model in record.models() {
        text += &format!("| {model} |");
        for kind in Kind::ALL {
            let of = |case: &&Case| case.model == model && case.kind == kind;
            let mut some: Vec<&Case> = cases.iter().filter(of).collect();
            some.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
            let cell = match some.as_slice() {
                [] => "–".to_owned(),
                [one] => ratio(one),
                [least, .., most] => format!("{} to {}", ratio(least), ratio(most)),
            };
            text += &format!(" {cell} |");
        }
        text += "\n";
    }
    text
}

/// How many were won and lost, and every loss.
fn verdict(cases: &[Case]) -> String {
    let losses = cases.iter().filter(|case| case.is_loss()).count();
    let wins = cases.iter().filter(|case| case.is_win()).count();
    let mut text = format!(
        "\nOf {} cases Puna is ahead in {wins}, llama.cpp in {losses}, and {} are within 2 %.\n",
        cases.len(),
        cases.len() - wins - losses
    );
    let mut lost: Vec<&Case> = cases.iter().filter(|case| case.is_loss()).collect();
    lost.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
    if !lost.is_empty() {
        text += "\nWhere Puna is behind, the worst first:\n\n";
        for case in lost {
            let quarters = case.quarters.map_or(String::new(), |(low, high)| {
                format!(" (quarters {low:.2}-{high:.2})")
            });
            text += &format!(
                "- {}: {}: {}{quarters}\n",
                case.model,
                case.what,
                ratio(case)
            );
        }
    }
    text
}

/// Bold where it is a loss.
fn ratio(case: &Case) -> String {
    bold(format!("{:.2}x", case.ratio), case.is_loss())
}

fn bold(text: String, bold: bool) -> String {
    if bold { format!("**{text}**") } else { text }
}

fn where_and_what(record: &Record) -> String {
    let head = &record.head;
    let busy = |busy: Option<f64>| {
        busy.map_or("unknown".to_owned(), |busy| {
            format!("{:.0} %", 100.0 * busy)
        })
    };
    let mut text = format!(
        "- {}; {} cores; {}\n- used by others: {} at the start, {} at the end\n- {}, commit {}\n",
        head.cpu,
        head.cores,
        head.flags.join(" "),
        busy(head.busy_at_start),
        busy(head.busy_at_end),
        head.program,
        head.commit
    );
    if let Some((_, any)) = record.steps.first() {
        let peer = &any.peer;
        text += &format!(
            "- llama-bench of llama.cpp {} (build {}); our tier `{}`\n",
            peer.build_commit, peer.build_number, any.isa
        );
    }
    for model in record.models() {
        if let Some(first) = record.of(model).next() {
            text += &format!(
                "- {model}: {}, {}, {:.0} MB\n",
                first.model_file,
                first.model_type,
                first.file_bytes as f64 / 1e6
            );
        }
    }
    text
}

/// All that was measured of a model.
fn tables(record: &Record, model: &str) -> String {
    let mut text =
        "| test | threads | rounds | puna t/s | llama-bench t/s | its best setting | ratio | \
                    puna MB | llama-bench MB |\n|---|---:|---:|---:|---:|---|---:|---:|---:|\n"
            .to_owned();
    for measured in record.of(model) {
        for test in &measured.tests {
            let theirs = test.theirs();
            text += &format!(
                "| {} | {} | {} | {} | {} | `{}` | {} | {} | {} |\n",
                test.test,
                measured.n_threads,
                measured.rounds,
                range(&test.puna_ts, 1),
                theirs.map_or("–".to_owned(), |t| range(&t.ts, 1)),
                theirs.map_or("–", |t| &t.setting),
                quarters(&test.ratio),
                megabytes(test.puna.peak_rss()),
                megabytes(theirs.and_then(|t| t.series.peak_rss())),
            );
        }
    }
    text += &starts(record.of(model));
    text
}

fn starts<'a>(steps: impl Iterator<Item = &'a Measured>) -> String {
    let mut text = String::new();
    for measured in steps {
        if !measured.start.is_empty() {
            text += "\n| start to end, 16 + 1 tokens | threads | rounds | puna s | llama-bench s | ratio | puna MB | \
                     llama-bench MB |\n|---|---:|---:|---:|---:|---:|---:|---:|\n";
        }
        for start in &measured.start {
            text += &format!(
                "| {} cache | {} | {} | {} | {} | {} | {} | {} |\n",
                start.cache,
                measured.n_threads,
                measured.rounds,
                range(&start.puna_s, 2),
                range(&start.peer_s, 2),
                quarters(&start.ratio),
                megabytes(start.puna.peak_rss()),
                megabytes(start.peer.peak_rss()),
            );
        }
        if let Some(why) = &measured.not_dropped {
            text += &format!("\nNo start with a cold cache: {why}.\n");
        }
    }
    text
}

fn range(s: &Spread, digits: usize) -> String {
    let (median, least, most) = (s.median, s.least, s.most);
    format!("{median:.digits$} ({least:.digits$}-{most:.digits$})")
}

fn quarters(s: &Spread) -> String {
    let loss = s.median < 1.0 - super::cases::LEVEL;
    let ratio = bold(format!("{:.2}x", s.median), loss);
    format!("{ratio} ({:.2}-{:.2})", s.low, s.high)
}

fn megabytes(bytes: Option<u64>) -> String {
    bytes.map_or("–".to_owned(), |bytes| {
        format!("{:.0}", bytes as f64 / 1e6)
    })
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::example;

    #[test]
    fn losses_are_told_first_and_in_bold() {
        let record = example();
        let page = super::page(&record, "day", &["small"]);
        for wanted in [
            "![Speed and memory relative to llama.cpp](day.svg)",
            "| small | 2.00x | **0.50x** | **0.80x** to 1.60x | 2.50x |",
            "Of 5 cases Puna is ahead in 3, llama.cpp in 2, and 0 are within 2 %.",
            "- small: tg16 @ d64, 2 threads: **0.50x** (quarters 0.40-0.60)\n- small: start, cold cache: **0.80x**",
            "![small: tokens a second](day-small.svg)",
            "| pp64 | 2 | 3 | 200.0 (190.0-210.0) | 100.0 (95.0-105.0) | `-fa 1` | 2.00x (1.60-2.40) | 100 | 250 |",
            "| warm cache | 2 | 3 | ",
            "- small, 1 threads, prompts 8, 3 rounds: llama-bench failed",
            "llama.cpp abc (build 7); our tier `avx2`",
        ] {
            assert!(page.contains(wanted), "{wanted} in\n{page}");
        }
    }
}
