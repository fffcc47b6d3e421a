//! `greenlight sample`.

use crate::cli::Sample;
use crate::error::Result;
use crate::output;

/// Builds the scenario and prints what is in it.
pub(crate) fn run(command: &Sample) -> Result<()> {
    let Sample::Build { data, out } = command;
    let summary = greenlight::sample::build(data, out)?;
    output::print_line(&format!("{summary:#?}"))
}
