//! Builds the recorded scenario `replay/catalogue/` from the public sources:
//! `cargo run --example sample_build -- ../shared/data replay/catalogue`.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(data), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("usage: sample_build DATA OUT".into());
    };
    println!("{:#?}", greenlight::sample::build(&data, &out)?);
    Ok(())
}
