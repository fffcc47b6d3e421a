//! How far a microservice must scale where traffic of an evacuated region arrives.
//!
//! Two inputs: which device types a service's demand comes from, by region and hour, and how much a device type's traffic
//! grows there when another region is evacuated. One output: for every service, region and hour the sum of share × ratio. Pin,
//! publish, confirm, follow, replay and diff are the library's; what is here is all that the application has to say.

use std::collections::{BTreeMap, BTreeSet};

use dataset::BoxError;
use dataset::evaluate::{Application, InputSpec, Move, Outputs, Taken};
use hollow::typed::{self, HollowRecord};
use hollow::write::WriteState;
use hollow::{KeyValue, ReadState, Schema};

/// How much of a service's demand comes from a device type.
#[derive(HollowRecord, Clone, Debug, PartialEq)]
#[hollow(key("service", "region", "hour", "device"))]
pub struct Demand {
    /// The microservice.
    pub service: String,
    /// The region that serves it.
    pub region: String,
    /// The hour of the day, UTC.
    pub hour: i32,
    /// The device type.
    pub device: String,
    /// Its share; those of a service, region and hour add up to 1.
    pub share: f64,
}

/// How much a device type's traffic grows in a region when another one is evacuated.
#[derive(HollowRecord, Clone, Debug, PartialEq)]
#[hollow(key("region", "hour", "device"))]
pub struct Evacuation {
    /// The region where the traffic arrives.
    pub region: String,
    /// The hour of the day, UTC.
    pub hour: i32,
    /// The device type.
    pub device: String,
    /// Traffic with the evacuation over traffic without.
    pub ratio: f64,
}

/// How far a service must scale.
#[derive(HollowRecord, Clone, Debug, PartialEq)]
#[hollow(key("service", "region", "hour"))]
pub struct Scaling {
    /// The microservice.
    pub service: String,
    /// The region where the traffic arrives.
    pub region: String,
    /// The hour of the day, UTC.
    pub hour: i32,
    /// Instances with the evacuation over instances without; none where a ratio is missing: it must not count as nothing.
    pub ratio: Option<f64>,
    /// The device types without a ratio.
    pub unknown: BTreeSet<String>,
}

/// The names of the inputs and of the output.
pub mod name {
    /// The demand of services.
    pub const DEMAND: &str = "demand";
    /// The evacuation ratios of device types.
    pub const EVACUATIONS: &str = "evacuations";
    /// The output.
    pub const SCALING: &str = "scaling";
}

/// Service, region and hour.
type Place = (String, String, i32);

/// The application: what it has taken from both inputs.
#[derive(Default)]
pub struct Evacuating {
    shares: BTreeMap<Place, BTreeMap<String, f64>>,
    ratios: BTreeMap<(String, i32, String), f64>,
}

impl Application for Evacuating {
    type Key = Place;
    type Output = Scaling;

    fn inputs(&self) -> Vec<InputSpec> {
        vec![
            InputSpec::new(name::DEMAND),
            InputSpec::new(name::EVACUATIONS),
        ]
    }

    fn schemas(&self) -> Vec<Schema> {
        // A derived schema is wrong only where the struct is.
        typed::schemas::<Scaling>().unwrap_or_default()
    }

    fn fresh(&self) -> Result<Self, BoxError> {
        Ok(Self::default())
    }

    /// An input that moved is read anew: it is small. `Move::steps` would tell the records that changed.
    fn take(&mut self, moves: impl Iterator<Item = Move>) -> Result<Taken, BoxError> {
        let mut taken = Taken::default();
        for moved in moves {
            let state = moved.after.state();
            if moved.input == name::DEMAND {
                self.shares.clear();
                for demand in all::<Demand>(state)? {
                    let place = (demand.service, demand.region, demand.hour);
                    let shares = self.shares.entry(place).or_default();
                    shares.insert(demand.device, demand.share);
                    taken.records += 1;
                }
            } else {
                self.ratios.clear();
                for evacuation in all::<Evacuation>(state)? {
                    let key = (evacuation.region, evacuation.hour, evacuation.device);
                    self.ratios.insert(key, evacuation.ratio);
                    taken.records += 1;
                }
            }
        }
        Ok(taken)
    }

    fn evaluate(&mut self, _now_ms: i64) -> Result<Outputs<Self>, BoxError> {
        let scaling = |(place, shares): (&Place, &BTreeMap<String, f64>)| {
            let (service, region, hour) = place.clone();
            let (mut sum, mut unknown) = (0.0, BTreeSet::new());
            for (device, share) in shares {
                match self.ratios.get(&(region.clone(), hour, device.clone())) {
                    Some(ratio) => sum += share * ratio,
                    None => drop(unknown.insert(device.clone())),
                }
            }
            let scaling = Scaling {
                service,
                region,
                hour,
                ratio: unknown.is_empty().then_some(sum),
                unknown,
            };
            (place.clone(), scaling)
        };
        Ok(self.shares.iter().map(scaling).collect())
    }

    fn is_equal(before: &Scaling, after: &Scaling) -> bool {
        before == after
    }

    fn read(&self, state: &ReadState) -> Result<Outputs<Self>, BoxError> {
        let place = |it: &Scaling| (it.service.clone(), it.region.clone(), it.hour);
        let all = all::<Scaling>(state)?.into_iter();
        let mut outputs: Outputs<Self> = all.map(|scaling| (place(&scaling), scaling)).collect();
        outputs.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(outputs)
    }

    fn write<'a>(
        &mut self,
        write: &mut WriteState,
        removed: &[Place],
        changed: impl Iterator<Item = &'a (Place, Scaling)>,
    ) -> Result<(), BoxError> {
        if let Some(ty) = write.type_id("Scaling") {
            for (service, region, hour) in removed.iter().cloned() {
                let key = [
                    KeyValue::String(service),
                    KeyValue::String(region),
                    KeyValue::Int(hour),
                ];
                write.delete(ty, &key)?;
            }
        }
        let mut writer = typed::Writer::<Scaling>::new();
        for (_, scaling) in changed {
            writer.upsert(write, scaling)?;
        }
        Ok(())
    }
}

/// All records of a type.
///
/// # Errors
/// Those of reading them.
pub fn all<R: HollowRecord>(state: &ReadState) -> hollow::Result<Vec<R>> {
    let reader = typed::Reader::<R>::new(state);
    reader.iter().map(|(at, _)| reader.read(at)).collect()
}
