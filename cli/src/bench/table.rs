//! What was measured in rounds, for people.

use anyhow::Result;
use indicatif::DecimalBytes;

use super::{
    ours,
    rounds::{Compared, Comparison},
    spread::Spread,
};
use crate::output::Out;

/// What is measured where, and the first lines of the table of tests.
pub fn heading(out: &mut Out, c: &Comparison) -> Result<()> {
    out.line(&format!(
        "{}: {}, {}; {} threads; puna {} ({}, kv {}){}",
        c.model_file,
        c.model_type,
        DecimalBytes(c.file_bytes),
        c.n_threads,
        c.puna_version,
        c.isa,
        c.type_kv,
        c.peer.as_ref().map_or(String::new(), |peer| format!(
            "; {} of llama.cpp {} (build {})",
            peer.name, peer.build_commit, peer.build_number
        ))
    ))?;
    out.line("")?;
    let peer = c.peer.as_ref().map_or("other", |peer| peer.name);
    let puna = ours::NAME;
    out.line(&format!(
        "| test | {puna} t/s | {peer} t/s | its best setting | ratio | {puna} memory | {peer} memory |"
    ))?;
    out.line("|---|---:|---:|---|---:|---:|---:|")?;
    out.flush()
}

/// A test.
pub fn row(out: &mut Out, c: &Compared) -> Result<()> {
    let best = c.best.map(|best| &c.peer[best]);
    out.line(&format!(
        "| {} | {} | {} | {} | {} | {} | {} |",
        c.test,
        range(c.puna_ts, 2),
        range(best.and_then(|best| best.ts), 2),
        best.map_or("–", |best| &best.setting),
        quarters(c.ratio),
        bytes(c.puna.peak_rss()),
        bytes(best.and_then(|best| best.series.peak_rss())),
    ))?;
    out.flush()
}

/// The starts.
pub fn starts(out: &mut Out, c: &Comparison) -> Result<()> {
    out.line("")?;
    let peer = c.peer.as_ref().map_or("other", |peer| peer.name);
    let puna = ours::NAME;
    out.line(&format!(
        "| start | {puna} s | {peer} s | ratio | {puna} memory | {peer} memory |"
    ))?;
    out.line("|---|---:|---:|---:|---:|---:|")?;
    for start in &c.start {
        out.line(&format!(
            "| {} cache, {} + {} tokens | {} | {} | {} | {} | {} |",
            start.cache,
            start.n_prompt,
            start.n_gen,
            range(start.puna_s, 3),
            range(start.peer_s, 3),
            quarters(start.ratio),
            bytes(start.puna.peak_rss()),
            bytes(
                start
                    .peer
                    .as_ref()
                    .and_then(super::rounds::Series::peak_rss)
            ),
        ))?;
    }
    out.line("\n| start after 256 tokens | computed s | prewarmed s | ratio | computed memory | prewarmed memory |")?;
    out.line("|---|---:|---:|---:|---:|---:|")?;
    for start in &c.prewarm {
        out.line(&format!(
            "| {} cache, {} tokens | {} | {} | {} | {} | {} |",
            start.cache,
            start.n_prompt,
            range(start.computed_s, 3),
            range(start.prewarmed_s, 3),
            quarters(start.ratio),
            bytes(start.computed.peak_rss()),
            bytes(start.prewarmed.peak_rss()),
        ))?;
    }
    if let Some(why) = &c.not_dropped {
        out.line(&format!("\nno start with a cold cache: {why}"))?;
    }
    out.flush()
}

/// How to read it.
pub fn foot(out: &mut Out, c: &Comparison) -> Result<()> {
    out.line(&format!(
        "\nmedian (least-most) of {} rounds; ratio: median (quarters), above 1 {} is faster; memory: peak",
        c.rounds,
        ours::NAME
    ))
}

fn range(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or("–".to_owned(), |s| {
        let (median, least, most) = (s.median, s.least, s.most);
        format!("{median:.digits$} ({least:.digits$}-{most:.digits$})")
    })
}

fn quarters(spread: Option<Spread>) -> String {
    spread.map_or("–".to_owned(), |s| {
        format!("{:.2} ({:.2}-{:.2})", s.median, s.low, s.high)
    })
}

fn bytes(bytes: Option<u64>) -> String {
    bytes.map_or("–".to_owned(), |bytes| DecimalBytes(bytes).to_string())
}
