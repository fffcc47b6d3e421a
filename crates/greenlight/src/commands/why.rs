//! `greenlight why`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use gatekeeper::{Answer, Explainer, When, Why};
use liveness::{Country, TrackVerdict};
use registry::{DatasetName, Version};
use serde::Deserialize;

use crate::cli::Globals;
use crate::connect::Connected;
use crate::error::{Error, Result};
use crate::origins::{self, Origins};
use crate::output::{self, Instant};
use crate::titles::one_video;

/// Arguments of `greenlight why`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight why 80057281 DE
  greenlight why 'Stranger Things' DE --json
  greenlight why 80057281 DE --at 2021-04-01T00:00:00Z      as it will be if nothing but time passes
  greenlight why 80057281 DE --dataset preprod/liveness     under the rules of a follower
  greenlight why 80057281 DE --ask localhost:9102           answered by the running gatekeeper
Exit code 0: live; 1: not live; 2: the command failed.")]
pub(crate) struct Arguments {
    /// The video: its id, or its title.
    pub(crate) video: String,

    /// The country, ISO 3166-1 alpha-2.
    pub(crate) country: String,

    /// The version to explain; default: the newest.
    #[arg(long, value_name = "V")]
    pub(crate) version: Option<Version>,

    /// An instant (RFC 3339), past or future: the states of then by the clock of then, or the newest ones by a later clock.
    #[arg(long, value_name = "T", conflicts_with = "version")]
    pub(crate) at: Option<Instant>,

    /// The output whose verdict it is: also that of a follower.
    #[arg(long, value_name = "NAME", default_value = gatekeeper::output::NAME)]
    pub(crate) dataset: String,

    /// Ask a running gatekeeper by the address of its health pages, and load nothing: in milliseconds, but without the change
    /// records behind the input records.
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["version", "at", "dataset"])]
    pub(crate) ask: Option<String>,
}

/// Explains a verdict; the exit code says it too.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<ExitCode> {
    let country = Country::from_code(&arguments.country)
        .ok_or_else(|| Error::UnknownCountry(arguments.country.clone()))?;
    if let Some(address) = &arguments.ask {
        let answer = ask(address, &arguments.video, country)?;
        if globals.json {
            output::print_json(&answer)?;
        } else {
            print(&answer.why)?;
            if !answer.published {
                output::print_line(
                    &"  on newer inputs than what is published; a cycle is under way",
                )?;
            }
        }
        return Ok(ExitCode::from(u8::from(!answer.why.live)));
    }
    let connected = globals.connect()?;
    let liveness: DatasetName = arguments.dataset.parse()?;
    connected.version(&liveness, arguments.version)?;
    let when = match (arguments.version, arguments.at) {
        (Some(version), _) => When::Version(version),
        (None, Some(at)) => When::At(at.0),
        (None, None) => When::Newest,
    };
    let mut explainer = Explainer::new(&liveness, &connected.store, &connected.registry)?;
    let (_, basis) = explainer.go(when)?;
    let environment = basis.environment(&liveness);
    let video = video(&explainer, &arguments.video)?;
    let mut why = explainer.why(video, country, when)?;
    trace(&connected, environment, &mut why)?;
    if globals.json {
        output::print_json(&why)?;
    } else {
        print(&why)?;
    }
    Ok(ExitCode::from(u8::from(!why.live)))
}

/// The answer of a running gatekeeper.
fn ask(address: &str, video: &str, country: Country) -> Result<Answer> {
    let failed = |source| Error::Ask {
        address: address.to_owned(),
        source: Box::new(source),
    };
    let mut response = ureq::get(format!("http://{address}/why"))
        .config()
        .http_status_as_error(false)
        .timeout_global(Some(ASK_TIMEOUT))
        .build()
        .query("video", video)
        .query("country", country.code())
        .call()
        .map_err(failed)?;
    let is_answer = response.status().is_success();
    let body = response.body_mut();
    if is_answer {
        return body.read_json().map_err(failed);
    }
    let refusal: Refusal = body.read_json().map_err(failed)?;
    Err(Error::Unanswered(refusal.error))
}

/// Why a gatekeeper gives no answer.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// How long to wait for the answer of a running gatekeeper.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// The video of an id or a title.
fn video(explainer: &Explainer, text: &str) -> Result<i64> {
    if let Ok(id) = text.parse::<i64>()
        && explainer.title(id).is_some()
    {
        return Ok(id);
    }
    one_video(text, &explainer.videos_titled(text))
}

/// Adds to each input record where it came from.
fn trace(connected: &Connected, environment: &str, why: &mut Why) -> Result<()> {
    let mut known: BTreeMap<(String, i64), Origins> = BTreeMap::new();
    for input in why
        .blockers
        .iter_mut()
        .flat_map(|blocker| &mut blocker.inputs)
    {
        let place = (input.dataset.clone(), input.version);
        if !known.contains_key(&place) {
            let name: DatasetName = format!("{environment}/{}", input.dataset).parse()?;
            known.insert(
                place.clone(),
                Origins::at(connected, &name, Version(input.version))?,
            );
        }
        if let Some(origins) = known.get(&place) {
            let key = origins::key_values(&input.key);
            input.origin = origins.origin(&key);
            input.dead_letter = origins.dead_letter(&key);
        }
    }
    Ok(())
}

fn print(why: &Why) -> Result<()> {
    let verdict = if why.live { "live" } else { "not live" };
    output::print_line(&format!(
        "{} ({}) is {verdict} in {} at {} (liveness {})",
        why.title, why.video, why.country, why.at, why.version
    ))?;
    for blocker in &why.blockers {
        output::print_line(&format!("\n  {}  {}", blocker.code, blocker.message))?;
        output::print_line(&format!(
            "      {} can fix it: {}",
            blocker.owner, blocker.fix
        ))?;
        for input in &blocker.inputs {
            let key = serde_json::to_string(&input.key).map_err(Error::Json)?;
            let presence = if input.present {
                ""
            } else {
                "  (no such record)"
            };
            output::print_line(&format!(
                "      {} {key} at version {}{presence}",
                input.dataset, input.version
            ))?;
            if let Some(origin) = &input.origin {
                output::print_line(&format!("        {}", origins::describe(origin)))?;
            }
            if let Some(dead) = &input.dead_letter {
                output::print_line(&format!("        {}", origins::describe_dead(dead)))?;
            }
        }
    }
    print_tracks(why)?;
    let Some(change) = &why.next_change else {
        return output::print_line(&"\n  no change by itself");
    };
    let becomes = match (why.live, change.live) {
        (true, true) => "live with other tracks",
        (_, true) => "live",
        (_, false) => "not live any more",
    };
    output::print_line(&format!("\n  by itself {becomes} at {}", change.at))?;
    let come = named(
        change
            .tracks_added
            .iter()
            .map(|it| (&it.kind, &it.language)),
    );
    let gone = named(
        change
            .tracks_removed
            .iter()
            .map(|it| (&it.kind, &it.language)),
    );
    for (tracks, verb) in [(come, "then with"), (gone, "then without")] {
        for (kind, languages) in tracks {
            output::print_line(&format!("      {verb} {kind} {}", languages.join(", ")))?;
        }
    }
    Ok(())
}

/// The tracks that are live, by kind, and what keeps the others from it.
fn print_tracks(why: &Why) -> Result<()> {
    if why.tracks.is_empty() {
        return output::print_line(&"\n  no tracks are live");
    }
    let live = why.tracks.iter().filter(|track| track.live).count();
    output::print_line(&format!("\n  tracks: {live} of {} live", why.tracks.len()))?;
    let mut alike: BTreeMap<(bool, &[String]), Vec<&TrackVerdict>> = BTreeMap::new();
    for track in &why.tracks {
        let tracks = alike.entry((!track.live, &track.obstacles));
        tracks.or_default().push(track);
    }
    for ((is_dark, obstacles), tracks) in alike {
        let verdict = match (is_dark, obstacles.is_empty()) {
            (false, _) => "live".to_owned(),
            (true, true) => "live as soon as the video is".to_owned(),
            (true, false) => obstacles.join(", "),
        };
        for (kind, languages) in named(tracks.iter().map(|it| (&it.kind, &it.language))) {
            output::print_line(&format!("      {kind} {}: {verdict}", languages.join(", ")))?;
        }
    }
    Ok(())
}

/// Languages by kind.
fn named<'a>(
    tracks: impl Iterator<Item = (&'a String, &'a String)>,
) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (kind, language) in tracks {
        named.entry(kind).or_default().push(language);
    }
    named
}
