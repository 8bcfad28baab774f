//! The page of a run.

use super::report::{Case, Limits, Report};
use super::table;

/// The page in Markdown; `plot` and `json` are the names of the files beside it.
pub fn page(report: &Report, plot: &str, json: &str) -> String {
    let [columns, threads] = report.columns_and_threads();
    let mut page = format!("# Puna's kernels beside ggml's: {}\n\n", report.head.date);
    page += &format!("![Speed relative to ggml, by weight type]({plot})\n\n");
    page += "Speed relative to ggml: above 1 Puna is faster. How it is measured: [README.md](README.md). ";
    page += &format!("All times of all pairs: [{json}]({json}).\n\n");
    let most = threads.last().copied().unwrap_or(1);
    for n in [columns.first(), columns.last()].into_iter().flatten() {
        page +=
            &table::verdict(report, *n, most).map_or(String::new(), |text| format!("- {text}\n"));
    }
    page += "\n## Where and what\n\n";
    page += &head(report);
    for threads in threads {
        let name = table::threads(threads);
        page += &format!("\n## {name}: mean ratio over the matrices (least-most)\n\n");
        page += &table::summary(report, threads).markdown();
    }
    for (n, what) in [(columns.first(), "decode"), (columns.last(), "prefill")] {
        let Some(n) = n else { continue };
        let name = table::threads(most);
        page += &format!("\n## Every matrix: n = {n} ({what}), {name}\n\n");
        let of = |case: &&Case| case.columns == *n && case.threads == most;
        page += &table::cases(report, report.cases.iter().filter(of)).markdown();
    }
    page
}

/// The machine and both programs, a line each.
fn head(report: &Report) -> String {
    let head = &report.head;
    let load = |load: Option<[f64; 3]>| {
        load.map_or("unknown".to_owned(), |load| {
            load.map(|l| format!("{l:.2}")).join(", ")
        })
    };
    let busy = |busy: Option<f64>| {
        busy.map_or("unknown".to_owned(), |busy| {
            format!("{:.0} %", 100.0 * busy)
        })
    };
    let mut text = format!(
        "- {}; {} cores; last cache {} MiB; {}\n- load average {} at the start, {} at the end; used by others: {} \
         and {}; {:.0} s in all, {} s a case\n- Puna at {}, tier `{}`\n- ggml {} ({}); {}\n",
        head.machine.cpu,
        head.machine.cores,
        head.machine.last_cache_bytes >> 20,
        head.machine.flags.join(" "),
        load(head.load_at_start),
        load(head.load_at_end),
        busy(head.busy_at_start),
        busy(head.busy_at_end),
        head.seconds,
        head.seconds_a_case,
        head.commit,
        head.tier,
        head.ggml_version,
        head.ggml_origin,
        head.ggml_features.join(" "),
    );
    for limits in &report.limits {
        text += &format!("- {}\n", limits_line(limits));
    }
    text
}

/// What the machine can do with some threads.
pub fn limits_line(limits: &Limits) -> String {
    let int8 = match (limits.int8_macs, limits.int8_instruction) {
        (Some(macs), Some(instruction)) => {
            format!("{:.0} GMAC/s of bytes by `{instruction}`", macs / 1e9)
        }
        _ => "products of bytes not measured".to_owned(),
    };
    format!(
        "{}: memory reads {:.1} GB/s{}, {int8}",
        table::threads(limits.threads),
        limits.read_at_start / 1e9,
        limits.read_at_end.map_or(String::new(), |read| format!(
            " (at the end {:.1})",
            read / 1e9
        ))
    )
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::example;

    #[test]
    fn the_page_says_where_what_and_how_fast() {
        let page = super::page(&example(), "a.svg", "a.json");
        for wanted in [
            "![Speed relative to ggml, by weight type](a.svg)",
            "A CPU; 2 cores; last cache 1 MiB; avx2",
            "load average 0.50, 0.25, 0.00 at the start, unknown at the end",
            "used by others: 1 % and unknown; 61 s in all, 0.1 s a case",
            "2 threads: memory reads 80.0 GB/s (at the end 40.0), 128 GMAC/s of bytes by `add`",
            "## 1 thread: mean ratio",
            "| Q8_0 | 2.00 (2.00-2.00) | 1.00 (1.00-1.00) |",
            "## Every matrix: n = 512 (prefill), 2 threads",
        ] {
            assert!(page.contains(wanted), "{wanted} in\n{page}");
        }
    }
}
