//! How a Kafka cluster is reached, and how librdkafka is set up for each of the clients that this back end needs.

use crate::error::{Error, Result};
use crate::types::MAX_RECORD_BYTES;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Room for what Kafka puts around the largest record in a batch and in a request.
pub(super) const MAX_BATCH_BYTES: usize = MAX_RECORD_BYTES + (1 << 20);

/// How a Kafka cluster is reached. As a table of a config file: only `bootstrap` is required.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaOptions {
    /// The brokers to begin with: `HOST:PORT`, separated by commas.
    pub bootstrap: String,
    /// How this program calls itself in the brokers' logs and quotas.
    #[serde(default = "default_client_id")]
    pub client_id: String,
    /// How long a call goes on trying while brokers don't answer, in milliseconds, before it fails.
    #[serde(default = "default_budget_ms")]
    pub budget_ms: u64,
    /// Copies of each topic created here; without it as many as the brokers are set to make.
    #[serde(default)]
    pub replication: Option<u16>,
    /// Encrypts connections.
    #[serde(default)]
    pub tls: Option<KafkaTls>,
    /// Says who we are.
    #[serde(default)]
    pub sasl: Option<KafkaSasl>,
    /// Properties of librdkafka. They win over everything above and over this program's defaults, but for a few on which
    /// correctness rests; see `docs/kafka.md`.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    /// Configuration of topics that are created here (`segment.ms`, `min.insync.replicas`), over this program's own.
    #[serde(default)]
    pub topic_config: BTreeMap<String, String>,
}

/// TLS towards the brokers. Paths name PEM files.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaTls {
    /// The authorities that may sign a broker's certificate; without it those of the system.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Our own certificate, where brokers ask for one.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// Its private key.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// The private key's password.
    #[serde(default)]
    pub key_password: Option<String>,
}

/// SASL towards the brokers.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaSasl {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

// Written by hand, so that no password gets into a log.
impl fmt::Debug for KafkaTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaTls")
            .field("ca", &self.ca)
            .field("certificate", &self.certificate)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for KafkaSasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSasl")
            .field("mechanism", &self.mechanism)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

fn default_client_id() -> String {
    "greenlight".to_owned()
}

fn default_budget_ms() -> u64 {
    120_000
}

/// Properties on which the promises of this crate rest.
const FIXED: &[&str] = &[
    "acks",
    "auto.offset.reset",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "isolation.level",
    "request.required.acks",
    "transactional.id",
];

/// Defaults of the consumers, where ours differ from librdkafka's.
const CONSUMER: &[(&str, &str)] = &[
    ("auto.offset.reset", "error"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("enable.partition.eof", "true"),
    ("isolation.level", "read_committed"),
    // librdkafka assigns partitions only to members of a group. Nothing is committed to it and nobody joins it.
    ("group.id", "greenlight"),
    ("check.crcs", "true"),
    // A seek takes hold when the request that waits at the broker comes back.
    ("fetch.wait.max.ms", "100"),
    // What is read ahead per consumer; a response may pass it, by `fetch.max.bytes` at most.
    ("queued.max.messages.kbytes", "32768"),
    ("queued.min.messages", "100000"),
    // After a full queue librdkafka waits a second before it asks for more: far too long for one that drains in 50 ms.
    ("fetch.queue.backoff.ms", "5"),
];

/// Defaults of the producer.
const PRODUCER: &[(&str, &str)] = &[
    ("enable.idempotence", "true"),
    ("acks", "all"),
    // Calls wait for their records, so nothing is to be gained by waiting for more; batches form behind what is in flight.
    ("linger.ms", "0"),
    ("compression.type", "lz4"),
    ("queue.buffering.max.kbytes", "262144"),
];

impl KafkaOptions {
    /// The defaults, for the cluster that answers at `bootstrap`: plain text, and two minutes for outages.
    #[must_use]
    pub fn new(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            client_id: default_client_id(),
            budget_ms: default_budget_ms(),
            replication: None,
            tls: None,
            sasl: None,
            properties: BTreeMap::new(),
            topic_config: BTreeMap::new(),
        }
    }

    pub(super) fn budget(&self) -> Duration {
        Duration::from_millis(self.budget_ms)
    }

    /// Refuses what can't work, before anything is connected.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |property: &str, detail: &str| {
            Err(Error::KafkaOptions {
                property: property.to_owned(),
                detail: detail.to_owned(),
            })
        };
        if self.bootstrap.trim().is_empty() {
            return wrong("bootstrap", "it is empty; name at least one HOST:PORT");
        }
        if self.budget_ms == 0 || self.budget_ms > 2_000_000_000 {
            return wrong(
                "budget_ms",
                "an outage's budget is 1 ms to 2000000000 ms (23 days)",
            );
        }
        if let Some(fixed) = FIXED
            .iter()
            .find(|name| self.properties.contains_key(**name))
        {
            return wrong(
                fixed,
                "that records are neither lost nor folded twice rests on this property; leave it out",
            );
        }
        Ok(())
    }

    /// For a consumer that reads partitions.
    pub(super) fn consumer(&self) -> ClientConfig {
        self.client(CONSUMER)
    }

    /// For a client that only asks. Without a group it serves as soon as it is made, and no fetch that waits at the broker
    /// holds up its answers.
    pub(super) fn asking(&self) -> ClientConfig {
        let mut config = self.client(CONSUMER);
        config.remove("group.id");
        config
    }

    /// For the producer.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.base();
        set(&mut config, PRODUCER);
        config.set("message.timeout.ms", self.budget_ms.to_string());
        self.overlay(&mut config);
        config
    }

    /// For the admin client, which nobody polls: what it would log would pile up.
    pub(super) fn admin(&self) -> ClientConfig {
        let mut config = self.base();
        self.overlay(&mut config);
        config.set_log_level(RDKafkaLogLevel::Emerg);
        config
    }

    fn client(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = self.base();
        set(&mut config, defaults);
        self.overlay(&mut config);
        config
    }

    fn base(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", &self.client_id)
            .set("message.max.bytes", MAX_BATCH_BYTES.to_string())
            .set("fetch.max.bytes", MAX_BATCH_BYTES.to_string())
            .set(
                "receive.message.max.bytes",
                (2 * MAX_BATCH_BYTES).to_string(),
            )
            .set("socket.keepalive.enable", "true")
            .set("socket.nagle.disable", "true")
            .set("reconnect.backoff.max.ms", "2000");
        config.set_log_level(RDKafkaLogLevel::Info);
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            let files = [
                ("ssl.ca.location", &tls.ca),
                ("ssl.certificate.location", &tls.certificate),
                ("ssl.key.location", &tls.key),
            ];
            for (property, path) in files {
                if let Some(path) = path {
                    config.set(property, path.to_string_lossy());
                }
            }
            if let Some(password) = &tls.key_password {
                config.set("ssl.key.password", password);
            }
        }
        if let Some(sasl) = &self.sasl {
            config
                .set("sasl.mechanisms", &sasl.mechanism)
                .set("sasl.username", &sasl.username)
                .set("sasl.password", &sasl.password);
        }
        config
    }

    fn overlay(&self, config: &mut ClientConfig) {
        for (property, value) in &self.properties {
            config.set(property, value);
        }
    }
}

fn set(config: &mut ClientConfig, defaults: &[(&str, &str)]) {
    for (property, value) in defaults {
        config.set(*property, *value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_win_but_for_those_that_promises_rest_on() {
        let mut options = KafkaOptions::new("kafka:9092");
        options.properties = [("fetch.wait.max.ms", "7"), ("linger.ms", "20")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into();
        options.check().unwrap();
        assert_eq!(options.consumer().get("fetch.wait.max.ms"), Some("7"));
        assert_eq!(options.producer().get("linger.ms"), Some("20"));
        assert_eq!(options.asking().get("group.id"), None);
        for fixed in FIXED {
            let mut options = options.clone();
            options
                .properties
                .insert((*fixed).to_owned(), "x".to_owned());
            let error = options.check().unwrap_err().to_string();
            assert!(error.contains(fixed), "{error}");
        }
    }

    #[test]
    fn security_follows_from_what_is_given_and_passwords_are_not_shown() {
        let mut options = KafkaOptions::new("kafka:9092");
        assert_eq!(
            options.producer().get("security.protocol"),
            Some("plaintext")
        );
        options.sasl = Some(KafkaSasl {
            mechanism: "SCRAM-SHA-512".to_owned(),
            username: "producer".to_owned(),
            password: "s3cret".to_owned(),
        });
        options.tls = Some(KafkaTls {
            ca: Some("/etc/ca.pem".into()),
            key_password: Some("s3cret".to_owned()),
            ..KafkaTls::default()
        });
        let config = options.admin();
        assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
        assert_eq!(config.get("ssl.ca.location"), Some("/etc/ca.pem"));
        assert_eq!(config.get("sasl.password"), Some("s3cret"));
        assert!(!format!("{options:?}").contains("s3cret"));
    }
}
