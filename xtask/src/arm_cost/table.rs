//! The results as tables and as JSON.

use super::plan::{BLOCK, Op, TIERS, Tier};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What 32 weights of a row cost for each vector.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// Executed.
    pub instructions: f64,
    /// By CPU model.
    pub cycles: BTreeMap<String, f64>,
}

/// One type on one tier.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub tier: &'static str,
    /// Our tier that runs there.
    pub ours_tier: &'static str,
    #[serde(rename = "type")]
    pub ty: String,
    pub op: &'static str,
    pub vectors: u64,
    pub ours: Cost,
    /// By form; see `ggml_takes`.
    pub ggml: BTreeMap<&'static str, Cost>,
    /// The form that ggml prefers.
    pub ggml_takes: Option<&'static str>,
}

/// A figure of a cost: instructions, or cycles of a CPU model.
type Figure<'a> = Option<&'a str>;

impl Cost {
    fn get(&self, figure: Figure<'_>) -> Option<f64> {
        match figure {
            None => Some(self.instructions),
            Some(core) => self.cycles.get(core).copied(),
        }
    }
}

impl Row {
    /// Ours over that which ggml takes: below 1, ours is cheaper.
    pub fn ratio(&self, figure: Figure<'_>) -> Option<f64> {
        let peer = self.ggml.get(self.ggml_takes?)?;
        Some(self.ours.get(figure)? / peer.get(figure)?)
    }
}

/// Instructions first, then the tier's CPU models.
fn figures(tier: &Tier) -> Vec<Figure<'static>> {
    let cores = tier.cores.iter().map(|core| Some(*core));
    std::iter::once(None).chain(cores).collect()
}

fn heading(figure: Figure<'_>) -> &str {
    figure.map_or("instr.", |core| core.trim_start_matches("neoverse-"))
}

/// All tables in Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = summary(rows);
    for tier in &TIERS {
        for op in Op::ALL {
            let here = |row: &&Row| row.tier == tier.name && row.op == op.name();
            let rows: Vec<&Row> = rows.iter().filter(here).collect();
            if rows.is_empty() {
                continue;
            }
            let title = match op {
                Op::Gemv => "GEMV, one vector: instructions and cycles of 32 weights",
                Op::Gemm => "GEMM, 64 vectors: instructions of 32 weights and a vector; MAC/cycle",
                Op::Wide => "GEMM, 512 vectors: the same",
            };
            let (name, ours) = (tier.name, tier.ours);
            let ours = if name == ours {
                String::new()
            } else {
                format!(", where we run `{ours}`")
            };
            text += &format!("\n## `{name}`{ours}: {title}\n\n");
            text += &match op {
                Op::Gemv => gemv(tier, &rows),
                Op::Gemm | Op::Wide => gemm(tier, &rows),
            };
        }
    }
    text
}

/// Types that are not quantized. ggml's `vec_dot` of BF16 is plain C on ARM: a mean with it would flatter.
const FLOATS: [&str; 3] = ["F32", "F16", "BF16"];

/// How many quantized types are cheaper with ours, and the geometric mean of the ratios.
fn summary(rows: &[Row]) -> String {
    let mut lines = vec![cells(&[
        "tier",
        "op",
        "instr.: cheaper",
        "mean",
        "v2: cheaper",
        "mean",
        "n2: cheaper",
        "mean",
    ])];
    for tier in &TIERS {
        for op in Op::GUARDED {
            let mut line = vec![tier.name.to_owned(), op.name().to_uppercase()];
            for figure in [None, Some("neoverse-v2"), Some("neoverse-n2")] {
                let here = |row: &&Row| {
                    let quantized = !FLOATS.contains(&row.ty.as_str());
                    quantized && row.tier == tier.name && row.op == op.name()
                };
                let ratios = rows.iter().filter(here).filter_map(|row| row.ratio(figure));
                let ratios: Vec<f64> = ratios.collect();
                if ratios.is_empty() {
                    continue;
                }
                let cheaper = ratios.iter().filter(|ratio| **ratio < 1.0).count();
                let mean = ratios.iter().map(|r| r.ln()).sum::<f64>() / ratios.len() as f64;
                line.push(format!("{cheaper} of {}", ratios.len()));
                line.push(format!("{:.2}", mean.exp()));
            }
            if line.len() > 2 {
                lines.push(cells(&line));
            }
        }
    }
    with_rule(lines)
}

fn gemv(tier: &Tier, rows: &[&Row]) -> String {
    let figures = figures(tier);
    let mut head = vec!["type".to_owned()];
    for figure in &figures {
        head.push(format!("{} ours", heading(*figure)));
        head.extend(["vec_dot", "repacked", "ratio"].map(str::to_owned));
    }
    let mut lines = vec![cells(&head)];
    for row in rows {
        let mut line = vec![row.ty.clone()];
        for figure in &figures {
            line.push(number(row.ours.get(*figure)));
            for form in ["vec_dot", "repacked"] {
                line.push(number(row.ggml.get(form).and_then(|c| c.get(*figure))));
            }
            line.push(number(row.ratio(*figure)));
        }
        lines.push(cells(&line));
    }
    with_rule(lines)
}

fn gemm(tier: &Tier, rows: &[&Row]) -> String {
    let figures = figures(tier);
    let mut head = vec!["type".to_owned(), "ggml by".to_owned()];
    for figure in &figures {
        head.push(format!("{} ours", heading(*figure)));
        head.extend(["ggml", "ratio"].map(str::to_owned));
    }
    let mut lines = vec![cells(&head)];
    for row in rows {
        let takes = row.ggml_takes.unwrap_or("–");
        let peer = row.ggml.get(takes);
        let mut line = vec![row.ty.clone(), takes.to_owned()];
        for figure in &figures {
            // Work for a cycle reads better than cycles for work where many fit into one.
            let shown = |cost: &Cost| {
                let cost = cost.get(*figure)?;
                Some(match figure {
                    None => cost,
                    Some(_) => BLOCK as f64 / cost,
                })
            };
            line.push(number(shown(&row.ours)));
            line.push(number(peer.and_then(shown)));
            line.push(number(row.ratio(*figure)));
        }
        lines.push(cells(&line));
    }
    with_rule(lines)
}

fn number(n: Option<f64>) -> String {
    n.map_or_else(|| "–".to_owned(), |n| format!("{n:.2}"))
}

fn cells(cells: &[impl AsRef<str>]) -> String {
    cells.iter().fold("|".to_owned(), |mut line, cell| {
        let _ = write!(line, " {} |", cell.as_ref());
        line
    })
}

/// Lines of cells, with Markdown's rule below the first.
fn with_rule(mut lines: Vec<String>) -> String {
    let columns = lines[0].matches('|').count() - 1;
    lines.insert(1, format!("|---|{}", "--:|".repeat(columns - 1)));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(instructions: f64, v2: f64) -> Cost {
        let cycles = [
            ("neoverse-v2".to_owned(), v2),
            ("neoverse-n2".to_owned(), 2.0 * v2),
        ];
        Cost {
            instructions,
            cycles: cycles.into(),
        }
    }

    fn row(op: Op, ours: Cost, ggml: &[(&'static str, Cost)]) -> Row {
        Row {
            tier: "dotprod",
            ours_tier: "dotprod",
            ty: "Q4_0".to_owned(),
            op: op.name(),
            vectors: op.vectors(),
            ours,
            ggml: ggml.iter().cloned().collect(),
            ggml_takes: ggml.first().map(|(form, _)| *form),
        }
    }

    #[test]
    fn a_ratio_is_ours_over_what_ggml_takes() {
        let forms = [("repacked", cost(8.0, 2.0)), ("vec_dot", cost(20.0, 6.0))];
        let rows = [row(Op::Gemv, cost(12.0, 3.0), &forms)];
        assert_eq!(rows[0].ratio(None), Some(1.5));
        let text = markdown(&rows);
        let line = "| Q4_0 | 12.00 | 20.00 | 8.00 | 1.50 | 3.00 | 6.00 | 2.00 | 1.50 |";
        assert!(text.contains(line), "{text}");
        assert!(
            text.contains("| dotprod | GEMV | 0 of 1 | 1.50 | 0 of 1 | 1.50 |"),
            "{text}"
        );
    }

    #[test]
    fn a_gemm_shows_work_for_a_cycle_but_the_ratio_of_costs() {
        let rows = [row(Op::Gemm, cost(6.0, 1.0), &[("sgemm", cost(12.0, 4.0))])];
        let text = markdown(&rows);
        let line = "| Q4_0 | sgemm | 6.00 | 12.00 | 0.50 | 32.00 | 8.00 | 0.25 |";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn without_a_peer_or_a_model_there_is_a_dash() {
        let rows = [row(Op::Gemv, cost(6.0, 1.0), &[])];
        let text = markdown(&rows);
        // dotprod has a third model, which `cost` leaves out.
        assert!(
            text.contains("| 6.00 | – | – | – | 1.00 | – | – | – |"),
            "{text}"
        );
        assert!(text.trim_end().ends_with("| – | – | – | – |"), "{text}");
    }
}
