//! Publishes two small inputs, evaluates the scaling ratios from them, corrects an input, and shows what changed; then proves
//! that every version comes out again.

mod sample;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use blobstore::{BlobStore, DirectoryStore};
use dataset::evaluate::{Evaluator, EvaluatorOptions, Replayer};
use dataset::{Cycle, CycleKind, Populated, Publisher, PublisherOptions, Snapshots, load_state};
use evacuation::{Evacuating, Scaling, all, name};
use hollow::typed::{self, HollowRecord};
use insight::Comparison;
use insight::diff::DiffReport;
use registry::embedded::{self, Home};
use registry::{DatasetName, Version, Versions};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// 2021-03-08T00:00:00Z; each step is a minute later, so that two runs tell the same.
const START_MS: i64 = 1_615_161_600_000;

fn main() -> Result<()> {
    let dir = std::env::args().nth(1);
    let Some(dir) = dir else {
        return Err("name a new directory: evacuation DIR".into());
    };
    let mut place = Place::open(Path::new(&dir))?;
    let (mut demand, mut evacuations) = (sample::demand(), sample::evacuations());
    place.publish(name::DEMAND, &demand)?;
    place.publish(name::EVACUATIONS, &evacuations)?;
    place.evaluate("both inputs are there")?;

    sample::correct(&mut evacuations);
    place.publish(name::EVACUATIONS, &evacuations)?;
    place.evaluate("evacuation ratios of TVs in the evening were too low")?;

    sample::add_consoles(&mut demand);
    place.publish(name::DEMAND, &demand)?;
    place.evaluate("a device type appears that nobody has a ratio for")?;

    sample::add_console_ratios(&mut evacuations);
    place.publish(name::EVACUATIONS, &evacuations)?;
    place.evaluate("its ratios arrive")?;

    place.evaluate("nothing changed")?;
    place.replay()
}

/// A directory with inputs and output.
struct Place {
    home: Home,
    store: Arc<dyn BlobStore>,
    evaluator: Evaluator<Evacuating>,
    output: DatasetName,
    now_ms: i64,
}

impl Place {
    fn open(dir: &Path) -> Result<Self> {
        let home = embedded::open(dir)?;
        let store: Arc<dyn BlobStore> = Arc::new(DirectoryStore::open(home.blobs_dir())?);
        let output: DatasetName = name::SCALING.parse()?;
        let options = EvaluatorOptions {
            output: output.clone(),
            follow: None,
            publisher: publisher_options(),
        };
        let application = Evacuating::default();
        let evaluator = Evaluator::open(application, options, &store, home.registry(), START_MS)?;
        Ok(Self {
            home,
            store,
            evaluator,
            output,
            now_ms: START_MS,
        })
    }

    /// Publishes an input, as its producer would.
    fn publish<R: HollowRecord>(&self, input: &str, records: &[R]) -> Result<()> {
        let mut publisher = Publisher::open(
            input.parse()?,
            Arc::clone(&self.store),
            Arc::clone(self.home.registry()),
            typed::schemas::<R>()?,
            publisher_options(),
            self.now_ms,
        )?;
        let cycle = Cycle {
            now_ms: self.now_ms,
            kind: CycleKind::Total,
        };
        let mut writer = typed::Writer::<R>::new();
        publisher.cycle(cycle, |write| {
            for record in records {
                writer.add(write, record)?;
            }
            Ok(Populated::default())
        })?;
        Ok(())
    }

    /// Runs a cycle and tells what came of it.
    fn evaluate(&mut self, what: &str) -> Result<()> {
        let before = self.evaluator.version();
        let evaluated = self.evaluator.cycle(self.now_ms)?;
        self.now_ms += 60_000;
        let Some(version) = evaluated.version else {
            return Ok(());
        };
        println!(
            "{what}:\n  {:?}, version {version}: {} of {} ratios changed",
            evaluated.outcome, evaluated.records_changed, evaluated.keys
        );
        if Some(version) == before {
            return Ok(());
        }
        let after = self.load(version)?;
        match before {
            None => {
                let all = all::<Scaling>(&after)?;
                for scaling in all
                    .iter()
                    .filter(|it| it.hour == 20 && it.region == "us-west-2")
                {
                    let ratio = scaling.ratio.unwrap_or(f64::NAN);
                    let Scaling {
                        service,
                        region,
                        hour,
                        ..
                    } = scaling;
                    println!("    {service} in {region} at {hour} h: × {ratio:.3}");
                }
            }
            Some(before) => {
                let before = self.load(before)?;
                let comparison = Comparison::new(&before, &after)?;
                for record in DiffReport::of(&comparison, 2, |_| true)?.records {
                    println!("    {}", record.key);
                    for field in record.fields {
                        println!("      {}: {} -> {}", field.path, field.before, field.after);
                    }
                }
            }
        }
        Ok(())
    }

    /// Evaluates every version again, from the versions of the inputs in its header tags.
    fn replay(&self) -> Result<()> {
        let (store, registry) = (&self.store, self.home.registry());
        let mut replayer = Replayer::new(&self.output, Evacuating::default(), store, registry)?;
        for info in registry.versions(&self.output, &Versions::all())? {
            let replayed = replayer.replay(info.version)?;
            let is_identical = replayed.is_identical();
            println!("replay of {}: identical: {is_identical}", info.version);
        }
        Ok(())
    }

    fn load(&self, version: Version) -> Result<hollow::ReadState> {
        let registry = self.home.registry();
        Ok(load_state(&self.store, registry, &self.output, version)?)
    }
}

fn publisher_options() -> PublisherOptions {
    PublisherOptions {
        snapshots: Snapshots::Inline,
        ..PublisherOptions::new("evacuation")
    }
}
