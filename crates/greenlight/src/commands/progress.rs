//! Progress bars on a terminal, nothing elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar for `len` records; hidden where standard error is no terminal.
pub(crate) fn records(what: &str, len: u64) -> ProgressBar {
    let bar = bar(len);
    if let Ok(style) = ProgressStyle::with_template(
        "{msg:<28} {wide_bar} {human_pos} of {human_len} records, {per_sec}, {eta} left",
    ) {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// A bar for steps of different length.
pub(crate) fn steps(what: &str, len: u64) -> ProgressBar {
    let bar = bar(len);
    if let Ok(style) =
        ProgressStyle::with_template("{msg:<28} {wide_bar} {pos} of {len}, {elapsed}")
    {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// A bar for the bytes of an input; without end where its length is not known.
pub(crate) fn bytes(what: &str, len: Option<u64>) -> ProgressBar {
    let bar = bar(len.unwrap_or(0));
    let template = match len {
        Some(_) => "{msg:<28} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        None => "{msg:<28} {spinner} {bytes}, {bytes_per_sec}, {elapsed}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

fn bar(len: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    ProgressBar::with_draw_target(Some(len), target)
}
