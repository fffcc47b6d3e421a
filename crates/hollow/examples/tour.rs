//! A tour of the crate: produce a chain, follow it, look records up, compare two states, and ask what became of a key.
//!
//! Run it with `cargo run -p hollow --example tour`.

use hollow::diff::diff;
use hollow::history::{Segment, SegmentBuilder, history};
use hollow::index::{HashIndex, PrimaryKeyIndex};
use hollow::sums::Digest;
use hollow::typed::{self, HollowRecord};
use hollow::write::{WriteOptions, WriteState};
use hollow::{Filter, KeyValue, ReadState};
use std::collections::{BTreeMap, BTreeSet};

/// A record type, as in Java: `Title @PrimaryKey(id) { long id; string name; SetOfString countries; }`.
#[derive(HollowRecord, Debug, Clone)]
#[hollow(key("id"))]
struct Title {
    id: i64,
    name: Option<String>,
    countries: BTreeSet<String>,
}

fn title(id: i64, name: &str, countries: &[&str]) -> Title {
    Title {
        id,
        name: Some(name.to_owned()),
        countries: countries.iter().map(|&code| code.to_owned()).collect(),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Produce the first state: everything is added, and a snapshot is written. The random tag is the caller's, as is
    // every clock: nothing here reads one.
    let mut state = WriteState::new(typed::schemas::<Title>()?, WriteOptions::default())?;
    let mut titles = typed::Writer::<Title>::new();
    state.begin_total();
    titles.add(&mut state, &title(1, "The Matrix", &["AU", "US"]))?;
    titles.add(&mut state, &title(2, "Memento", &["US"]))?;
    let mut snapshot = Vec::new();
    state
        .seal(1 << 33, BTreeMap::new())?
        .write_snapshot(None, &mut snapshot)?;
    state.commit()?;

    // Produce the next one: only what changes is said, and a delta and a reverse delta are written.
    state.begin_incremental();
    titles.upsert(&mut state, &title(1, "The Matrix", &["AU", "DE", "US"]))?;
    let (mut delta, mut reverse) = (Vec::new(), Vec::new());
    let sealed = state.seal(2 << 33, BTreeMap::new())?;
    sealed.write_delta(None, &mut delta)?;
    sealed.write_reverse_delta(None, &mut reverse)?;
    state.commit()?;

    // Consume: load the snapshot, then follow the delta. The first state stays readable, and both share what is equal.
    let first = ReadState::from_snapshot(&snapshot, &Filter::all())?;
    let (second, changes) = first.apply(&delta)?;
    let reader = typed::Reader::<Title>::new(&second);
    for (ordinal, view) in reader.iter() {
        let countries = view.countries().map_or(0, |countries| countries.len());
        println!(
            "record {ordinal}: title {:?} in {countries} countries",
            view.id()
        );
    }

    // Index, and keep the index up over the delta.
    let by_id = PrimaryKeyIndex::build(&first, "Title", None)?;
    let by_id = by_id.updated(&first, &second, &changes)?;
    let ordinal = by_id.get_long(1).ok_or("title 1 is there")?;
    println!("{:?}", reader.read(ordinal)?);
    let by_country = HashIndex::build(&second, "Title", &["countries.element.value"], "")?;
    println!("in the US: {:?}", by_country.get(&["US".into()]));

    // Compare two states, of this chain or of two.
    for record in diff(&first, &second, "Title")?.changed {
        for field in record.fields() {
            println!("title {:?}: {field}", record.key);
        }
    }

    // A history is made of the same steps, taken forward or back, and read from its bytes.
    let (back, reverse_changes) = second.apply(&reverse)?;
    let mut builder = SegmentBuilder::new(1, 2);
    builder.record(&back, &second, &reverse_changes.reversed(), "Title")?;
    let mut bytes = Vec::new();
    builder.write(&mut bytes)?;
    for change in history([&Segment::open(&bytes)?], "Title", &[KeyValue::Long(1)])? {
        println!(
            "version {} to {}: {:?}",
            change.from,
            change.to,
            change.after.map(|after| after.to_string())
        );
    }

    // Whichever way a state is reached, its digest is the same.
    assert_eq!(Digest::of(&back)?, Digest::of(&first)?);
    assert_ne!(Digest::of(&second)?, Digest::of(&first)?);
    Ok(())
}
