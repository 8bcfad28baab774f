//! Progress on stderr, where that is a terminal; nothing elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `total` bytes.
pub fn bytes(total: u64, what: &'static str) -> ProgressBar {
    let template = "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}";
    bar(ProgressBar::new(total), template, what)
}

/// A bar over `total` steps.
pub fn steps(total: usize, what: &'static str) -> ProgressBar {
    bar(
        ProgressBar::new(total as u64),
        "{msg} {wide_bar} {pos}/{len}, {eta} left",
        what,
    )
}

/// A sign of life while no end is known.
pub fn spinner(what: &'static str) -> ProgressBar {
    let spinner = bar(ProgressBar::new_spinner(), "{spinner} {msg}", what);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

fn bar(bar: ProgressBar, template: &str, what: &'static str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style).with_message(what),
        Err(_) => bar,
    }
}
