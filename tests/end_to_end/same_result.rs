//! The demo on Kafka and S3 decides what the embedded one decides.

use crate::scenario;
use crate::support::Demo;

#[test]
fn kafka_and_s3_give_the_same_cycles_and_digests_as_a_directory() {
    let scenario = scenario::small();
    let embedded = Demo::on(scenario.path(), None);
    let real = Demo::new(scenario.path());
    assert_eq!(real.outcomes(), embedded.outcomes());
    let datasets = embedded.json(&["datasets"]);
    let datasets = datasets["datasets"].as_array().unwrap();
    assert_eq!(datasets.len(), 12);
    for entry in datasets {
        let name = entry["dataset"].as_str().unwrap();
        assert_eq!(real.digest(name), entry["digest"], "{name}");
    }
}
