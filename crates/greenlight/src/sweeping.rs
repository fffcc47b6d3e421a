//! What is swept, and how: the file `sweeper.toml`, for the role and for `greenlight sweep`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ingest::DatasetSpec;
use ingest::sweep::{
    Clock, Source, SourceConfig, SweepInfo, SweepOptions, Sweeper, sweeps_of_tags,
};
use jiff::SignedDuration;
use registry::{DatasetInfo, DatasetName};
use serde::Deserialize;
use toml::Spanned;

use crate::config;
use crate::connect::{Connected, Text, wall_clock_ms};
use crate::error::{Error, Result};

/// A source of a dataset, and how often it is swept.
#[derive(Clone, Debug)]
pub(crate) struct Swept {
    pub(crate) spec: DatasetSpec,
    pub(crate) source: SourceConfig,
    pub(crate) every: Duration,
    pub(crate) rows_per_second: Option<f64>,
    /// Where it is remembered how far a sweep has come.
    pub(crate) state_dir: PathBuf,
}

/// The entries of a file, before a deployment is known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    dataset: Spanned<String>,
    every: Spanned<String>,
    rows_per_second: Option<f64>,
    source: SourceConfig,
}

/// A sweep every day where nothing else is said.
pub(crate) const EVERY: Duration = Duration::from_secs(86_400);

/// Where sweepers remember in a deployment.
pub(crate) fn state_dir(connected: &Connected) -> PathBuf {
    connected.local.join("sweeper")
}

/// Checks the entries of the file at `path` against the deployment.
pub(crate) fn check(
    entries: &[Entry],
    path: &Path,
    state_dir: &Path,
    connected: &Connected,
) -> Result<Vec<Swept>> {
    let base = path.parent().unwrap_or(Path::new(""));
    let wrong = |at: usize, message: String| Error::Config {
        path: path.to_owned(),
        line: config::line_of(path, at),
        message,
    };
    let mut swept: Vec<Swept> = Vec::new();
    for entry in entries {
        let at = entry.dataset.span().start;
        let name: DatasetName = entry.dataset.get_ref().parse()?;
        let spec = connected.spec(&name).ok_or_else(|| {
            wrong(
                at,
                format!("there is no dataset {name} that is folded from topics"),
            )
        })?;
        if swept.iter().any(|known| known.spec.name == name) {
            return Err(wrong(at, format!("{name} has another source already")));
        }
        let at = entry.every.span().start;
        let every = duration(entry.every.get_ref()).map_err(|message| wrong(at, message))?;
        let interval_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        if spec.delete_retention_ms < interval_ms.saturating_mul(2) {
            return Err(wrong(
                at,
                format!(
                    "{name} keeps deletes for {} ms (delete_retention_ms), which must be at least twice the time between sweeps",
                    spec.delete_retention_ms
                ),
            ));
        }
        swept.push(Swept {
            spec: spec.clone(),
            source: located(&entry.source, base).map_err(|message| wrong(at, message))?,
            every,
            rows_per_second: entry.rows_per_second,
            state_dir: state_dir.to_owned(),
        });
    }
    Ok(swept)
}

/// Replaces variables in texts that may be secrets or differ by machine, and takes paths from `base`.
fn located(source: &SourceConfig, base: &Path) -> std::result::Result<SourceConfig, String> {
    let mut source = source.clone();
    if let Some(file) = &mut source.file {
        let text = Text::replaced(&file.path.to_string_lossy())?;
        file.path = text.path(base);
    }
    if let Some(postgres) = &mut source.postgres {
        postgres.url = Text::replaced(&postgres.url)?.as_str().to_owned();
        if let Some(path) = &mut postgres.ca_file {
            *path = base.join(&path);
        }
    }
    Ok(source)
}

fn duration(text: &str) -> std::result::Result<Duration, String> {
    let parsed: Option<SignedDuration> = text.parse().ok();
    parsed
        .and_then(|duration| Duration::try_from(duration).ok())
        .filter(|duration| *duration >= Duration::from_secs(1))
        .ok_or_else(|| format!("{text:?} is no time such as 30m, 6h or 24h, of at least a second"))
}

impl Swept {
    pub(crate) fn open(&self, connected: &Connected) -> Result<Box<dyn Source>> {
        Ok(self.source.open(&self.spec, &*connected.schemas)?)
    }

    pub(crate) fn sweeper(
        &self,
        connected: &Connected,
        anew: bool,
        stop: &Arc<AtomicBool>,
    ) -> Result<Sweeper> {
        let clock: Clock = Arc::new(wall_clock_ms);
        let options = SweepOptions {
            rows_per_second: self.rows_per_second,
            filtered: self.source.is_filtered(),
            state_dir: Some(self.state_dir.clone()),
            anew,
            stop: Arc::clone(stop),
            ..SweepOptions::new(clock)
        };
        let log = Arc::clone(&connected.log);
        Ok(Sweeper::new(self.spec.clone(), log, options)?)
    }
}

/// The sweeps of a dataset that are not done with, as its producer last told.
pub(crate) fn open_sweeps(connected: &Connected, info: &DatasetInfo) -> Result<Vec<SweepInfo>> {
    if let Some(confirmation) = &info.confirmation {
        return Ok(sweeps_of_tags(&confirmation.tags));
    }
    let Some(head) = info.head else {
        return Ok(Vec::new());
    };
    let version = connected.registry.version(&info.name, head)?;
    Ok(version.map_or_else(Vec::new, |version| sweeps_of_tags(&version.metadata)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(duration("6h"), Ok(Duration::from_secs(6 * 3600)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        for wrong in ["", "6", "0s", "-1h", "soon"] {
            assert!(duration(wrong).unwrap_err().contains("6h"), "{wrong}");
        }
    }
}
