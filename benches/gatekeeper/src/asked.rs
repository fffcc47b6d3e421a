//! Questions to a running gatekeeper, as title operations ask them: of the product's own process, over HTTP, while its inputs
//! change and its cycles run.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use bench_ingest::quantile;
use dataset::load_state;
use gatekeeper::Input;

use crate::ours::{At, OUTPUT};
use crate::published::{Run, Size};
use crate::rows::{Report, copy, limit, reported};
use crate::{Error, Result, io};

/// Questions that count.
const QUESTIONS: usize = 10_000;
/// Questions between two changes of the inputs.
const EVERY: usize = 500;
const COUNTRIES: &[&str] = &["US", "JP", "DE", "BR", "IN", "FR", "MX", "KR"];
/// How long the process may take to its first verdicts.
const PATIENCE: Duration = Duration::from_secs(120);

/// Asks why, again and again.
///
/// # Errors
/// Where the process does not start or a question is not answered.
pub fn lines(sizes: &[usize], report: Report<'_>) -> Result<()> {
    for &videos in sizes {
        let size = Size::drawn(videos);
        let run = copy(size)?;
        run.pin(&run.contents().at(0, 0))?;
        let ids = videos_of(&run)?;
        let greenlight = Greenlight::start(&run)?;
        greenlight.wait(ids[0])?;
        let mut millis = Vec::with_capacity(QUESTIONS);
        for question in 0..QUESTIONS {
            if question % EVERY == 0 {
                let at = At::cycle(question / EVERY);
                run.pin(&run.contents().at(at.step, at.policies))?;
            }
            // A stride that shares no factor with the number of videos meets them in an order of no meaning.
            let video = ids[question * 7_919 % ids.len()];
            let start = Instant::now();
            greenlight.ask(video, COUNTRIES[question % COUNTRIES.len()])?;
            millis.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let name = size.name();
        let of = |share| quantile(millis.clone(), share);
        report(reported(format!("why, p50, {name}"), of(0.5), "ms"));
        report(limit(format!("why, p99, {name}"), of(0.99), 10.0, "ms"));
        report(reported(format!("why, the longest, {name}"), of(1.0), "ms"));
    }
    Ok(())
}

/// The ids of all videos.
fn videos_of(run: &Run) -> Result<Vec<i64>> {
    let input = Input::Titles;
    let versions = run.contents().at(0, 0).into_iter();
    let version = versions
        .filter(|(of, _)| *of == input)
        .map(|(_, v)| v)
        .next();
    let version = version.ok_or_else(|| Error::Wrong(format!("{input} has no version")))?;
    let name = format!("prod/{input}");
    let dataset = name
        .parse()
        .map_err(|_| Error::Wrong(format!("{name} is no dataset")))?;
    let state = load_state(run.store(), run.registry(), &dataset, version)?;
    let schema = crate::published::spec(input)?;
    let titles = state.type_state(schema.model.root_type());
    let titles = titles.ok_or_else(|| Error::Wrong(format!("{name} has no titles")))?;
    let ids = titles.ordinals().filter_map(|ordinal| {
        let record = titles.object(ordinal)?;
        record.long(0)
    });
    Ok(ids.collect())
}

/// `greenlight evaluate`, stopped when it is dropped.
struct Greenlight {
    child: Child,
    address: String,
    agent: ureq::Agent,
}

impl Greenlight {
    fn start(run: &Run) -> Result<Self> {
        let free = TcpListener::bind("127.0.0.1:0").map_err(io("find a free port"))?;
        let address = free.local_addr().map_err(io("find a free port"))?;
        drop(free);
        let config = run.directory().join("gatekeeper.toml");
        let text = format!(
            "output = \"{OUTPUT}\"\n[process]\nname = \"bench\"\nlisten = \"{address}\"\n[cycles]\nevery_ms = 1000\n"
        );
        std::fs::write(&config, text).map_err(io(format!("write {}", config.display())))?;
        let program = program()?;
        let log = run.directory().join("gatekeeper.log");
        let output = std::fs::File::create(&log).map_err(io(format!("make {}", log.display())))?;
        let child = Command::new(&program)
            .args(["evaluate", "--config"])
            .arg(&config)
            .arg("--dir")
            .arg(run.directory())
            .stderr(output)
            .spawn()
            .map_err(io(format!("run {}", program.display())))?;
        Ok(Self {
            child,
            address: address.to_string(),
            agent: ureq::Agent::new_with_defaults(),
        })
    }

    /// Waits for the first verdicts.
    fn wait(&self, video: i64) -> Result<()> {
        let start = Instant::now();
        loop {
            match self.ask(video, COUNTRIES[0]) {
                Ok(()) => return Ok(()),
                Err(error) if start.elapsed() > PATIENCE => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    fn ask(&self, video: i64, country: &str) -> Result<()> {
        let url = format!(
            "http://{}/why?video={video}&country={country}",
            self.address
        );
        let answer = self.agent.get(&url).call().and_then(|mut answer| {
            let answer = answer.body_mut().read_to_string()?;
            Ok(answer)
        });
        match answer {
            Ok(answer) if answer.contains("\"live\"") => Ok(()),
            Ok(answer) => Err(Error::Wrong(format!("{url}: {answer}"))),
            Err(error) => Err(Error::Wrong(format!("{url}: {error}"))),
        }
    }
}

impl Drop for Greenlight {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The product's program: beside this one, unless `GREENLIGHT_BENCH_GREENLIGHT` names another.
fn program() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("GREENLIGHT_BENCH_GREENLIGHT") {
        return Ok(path.into());
    }
    let this = std::env::current_exe().map_err(io("find this program"))?;
    Ok(this.with_file_name("greenlight"))
}
