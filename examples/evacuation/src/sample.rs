//! Made-up inputs: three services, two regions, a day. Evenings belong to TVs, and so does what an evacuation brings.

use evacuation::{Demand, Evacuation};

const REGIONS: [&str; 2] = ["us-east-1", "us-west-2"];

/// What a device type weighs for a service, in the morning and in the evening.
const WEIGHTS: [(&str, &str, f64, f64); 9] = [
    ("playback", "phone", 2.0, 1.0),
    ("playback", "tv", 4.0, 9.0),
    ("playback", "web", 1.0, 1.0),
    ("search", "phone", 3.0, 3.0),
    ("search", "tv", 2.0, 5.0),
    ("search", "web", 2.0, 1.0),
    ("signup", "phone", 1.0, 2.0),
    ("signup", "tv", 0.5, 1.0),
    ("signup", "web", 3.0, 3.0),
];

/// How much a device type's traffic grows, in the morning and in the evening.
const RATIOS: [(&str, f64, f64); 3] = [("phone", 1.2, 1.25), ("tv", 1.3, 1.5), ("web", 1.25, 1.2)];

/// The demand of all services.
pub(crate) fn demand() -> Vec<Demand> {
    let mut all = Vec::new();
    for (region, hour) in places() {
        for (service, device, morning, evening) in WEIGHTS {
            let weight =
                |morning: f64, evening: f64| if is_evening(hour) { evening } else { morning };
            let total: f64 = WEIGHTS
                .iter()
                .filter(|(other, ..)| *other == service)
                .map(|&(_, _, morning, evening)| weight(morning, evening))
                .sum();
            all.push(Demand {
                service: service.to_owned(),
                region: region.to_owned(),
                hour,
                device: device.to_owned(),
                share: weight(morning, evening) / total,
            });
        }
    }
    all
}

/// The evacuation ratios of all device types.
pub(crate) fn evacuations() -> Vec<Evacuation> {
    let mut all = Vec::new();
    for (region, hour) in places() {
        for (device, morning, evening) in RATIOS {
            all.push(Evacuation {
                region: region.to_owned(),
                hour,
                device: device.to_owned(),
                ratio: if is_evening(hour) { evening } else { morning },
            });
        }
    }
    all
}

/// TVs were underestimated in the west, in the evening.
pub(crate) fn correct(evacuations: &mut [Evacuation]) {
    for it in evacuations.iter_mut() {
        if it.region == "us-west-2" && it.device == "tv" && is_evening(it.hour) {
            it.ratio = 1.75;
        }
    }
}

/// At 20 h, a tenth of the playback in the west comes from consoles.
pub(crate) fn add_consoles(demand: &mut Vec<Demand>) {
    let is_there = |it: &&mut Demand| {
        (it.service.as_str(), it.region.as_str(), it.hour) == ("playback", "us-west-2", 20)
    };
    for it in demand.iter_mut().filter(is_there) {
        it.share *= 0.9;
    }
    demand.push(Demand {
        service: "playback".to_owned(),
        region: "us-west-2".to_owned(),
        hour: 20,
        device: "console".to_owned(),
        share: 0.1,
    });
}

/// How much the traffic of consoles grows.
pub(crate) fn add_console_ratios(evacuations: &mut Vec<Evacuation>) {
    for (region, hour) in places() {
        evacuations.push(Evacuation {
            region: region.to_owned(),
            hour,
            device: "console".to_owned(),
            ratio: 2.0,
        });
    }
}

fn places() -> impl Iterator<Item = (&'static str, i32)> {
    REGIONS
        .into_iter()
        .flat_map(|region| (0..24).map(move |hour| (region, hour)))
}

fn is_evening(hour: i32) -> bool {
    hour >= 18
}
