//! The deployment file as it is written; `config/deployment.toml` explains it.

use std::collections::BTreeMap;
use std::path::Path;

use blobstore::{Encryption, S3Credentials, S3Options};
use changelog::{KafkaOptions, KafkaSasl, KafkaTls};
use ingest::{RegistryAuth, RegistryOptions};
use registry::SharedCheckpoints;
use serde::Deserialize;
use toml::Spanned;

use super::deployment::{BlobPlace, Deployment, LogPlace};
use super::text::Text;
use crate::config::{self, ConfigFiles};
use crate::error::{Error, Result};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    directory: Option<Text>,
    log: Option<Spanned<Log>>,
    #[serde(default)]
    registry: Registry,
    blobs: Option<Spanned<Blobs>>,
    schemas: Option<Spanned<Schemas>>,
    datasets: Option<Datasets>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    kafka: Text,
    client_id: Option<Text>,
    budget_ms: Option<u64>,
    replication: Option<u16>,
    tls: Option<Tls>,
    sasl: Option<Sasl>,
    #[serde(default)]
    properties: BTreeMap<String, Text>,
    #[serde(default)]
    topic_config: BTreeMap<String, Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Tls {
    ca: Option<Text>,
    certificate: Option<Text>,
    key: Option<Text>,
    key_password: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sasl {
    mechanism: Text,
    username: Text,
    password: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Registry {
    checkpoint: Option<Text>,
    checkpoint_every: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Blobs {
    directory: Option<Text>,
    s3: Option<Text>,
    endpoint: Option<Text>,
    region: Option<Text>,
    path_style: Option<bool>,
    access_key: Option<Text>,
    secret_key: Option<Text>,
    session_token: Option<Text>,
    encryption: ServerSide,
    kms_key: Option<Text>,
    copies: Vec<Text>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ServerSide {
    #[default]
    BucketDefault,
    S3,
    Kms,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Schemas {
    registry: Text,
    user: Option<Text>,
    password: Option<Text>,
    token: Option<Text>,
    ca: Option<Text>,
    #[serde(default)]
    register: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Datasets {
    config: Text,
    schemas: Text,
    rules: Text,
}

impl File {
    /// What the file at `path` says; paths in it are relative to its directory.
    pub(super) fn deployment(self, path: &Path) -> Result<Deployment> {
        let base = path.parent().unwrap_or(Path::new(""));
        let at = |place: usize, message: String| Error::Config {
            path: path.to_owned(),
            line: config::line_of(path, place),
            message,
        };
        let log = match (self.log, self.directory) {
            (Some(log), None) => LogPlace::Kafka {
                options: Box::new(log.into_inner().options(base)),
                checkpoint: self.registry.checkpoint.map(|dir| dir.path(base)),
            },
            (None, Some(directory)) => LogPlace::Directory(directory.path(base)),
            (None, None) => Deployment::default().log,
            (Some(log), Some(_)) => {
                let message = "[log] and directory exclude each other: the log is on Kafka, or embedded in the directory";
                return Err(at(log.span().start, message.to_owned()));
            }
        };
        let blobs = match self.blobs {
            Some(blobs) => {
                let place = blobs.span().start;
                let blobs = blobs.into_inner().place(base);
                Some(blobs.map_err(|message| at(place, message))?)
            }
            None => None,
        };
        let schemas = match self.schemas {
            Some(schemas) => {
                let place = schemas.span().start;
                let options = schemas.into_inner().options(base);
                Some(options.map_err(|message| at(place, message))?)
            }
            None => None,
        };
        let checkpoint_every = match self.registry.checkpoint_every {
            Some(every) if !(100..=10_000_000).contains(every.get_ref()) => {
                let message = "checkpoint_every is a number of commands, 100 to 10000000";
                return Err(at(every.span().start, message.to_owned()));
            }
            Some(every) => every.into_inner(),
            None => SharedCheckpoints::EVERY,
        };
        Ok(Deployment {
            log,
            checkpoint_every,
            blobs,
            schemas,
            config: self.datasets.map(|datasets| ConfigFiles {
                datasets: datasets.config.path(base),
                schemas: datasets.schemas.path(base),
                rules: datasets.rules.path(base),
            }),
        })
    }
}

impl Log {
    fn options(self, base: &Path) -> KafkaOptions {
        let mut options = KafkaOptions::new(self.kafka.as_str());
        if let Some(client_id) = self.client_id {
            options.client_id = client_id.into();
        }
        if let Some(budget_ms) = self.budget_ms {
            options.budget_ms = budget_ms;
        }
        options.replication = self.replication;
        options.tls = self.tls.map(|tls| KafkaTls {
            ca: tls.ca.map(|file| file.path(base)),
            certificate: tls.certificate.map(|file| file.path(base)),
            key: tls.key.map(|file| file.path(base)),
            key_password: tls.key_password.map(String::from),
        });
        options.sasl = self.sasl.map(|sasl| KafkaSasl {
            mechanism: sasl.mechanism.into(),
            username: sasl.username.into(),
            password: sasl.password.into(),
        });
        options.properties = texts(self.properties);
        options.topic_config = texts(self.topic_config);
        options
    }
}

impl Schemas {
    fn options(self, base: &Path) -> std::result::Result<RegistryOptions, String> {
        let urls = self.registry.as_str().split(',').map(str::trim);
        let mut options = RegistryOptions::new(urls);
        options.auth = match (self.user, self.password, self.token) {
            (None, None, None) => RegistryAuth::None,
            (Some(user), Some(password), None) => RegistryAuth::Basic {
                user: user.into(),
                password: password.into(),
            },
            (None, None, Some(token)) => RegistryAuth::Bearer(token.into()),
            _ => return Err("either user and password, or token, or none of them".to_owned()),
        };
        options.ca_file = self.ca.map(|file| file.path(base));
        options.register = self.register;
        Ok(options)
    }
}

fn texts(texts: BTreeMap<String, Text>) -> BTreeMap<String, String> {
    texts
        .into_iter()
        .map(|(name, text)| (name, text.into()))
        .collect()
}

impl Blobs {
    fn place(self, base: &Path) -> std::result::Result<BlobPlace, String> {
        let url = match (&self.s3, &self.directory) {
            (Some(url), None) => url.as_str().to_owned(),
            (None, Some(directory)) => return Ok(BlobPlace::Directory(directory.path(base))),
            _ => return Err("[blobs] needs either s3 or directory".to_owned()),
        };
        let credentials = match (self.access_key, self.secret_key) {
            (Some(access_key), Some(secret_key)) if !access_key.as_str().is_empty() => {
                Some(S3Credentials {
                    access_key: access_key.into(),
                    secret_key: secret_key.into(),
                    session_token: self.session_token.map(String::from),
                })
            }
            (None, Some(_)) | (Some(_), None) => {
                return Err("access_key and secret_key go together".to_owned());
            }
            _ => None,
        };
        let encryption = match self.encryption {
            ServerSide::BucketDefault => Encryption::BucketDefault,
            ServerSide::S3 => Encryption::S3,
            ServerSide::Kms => Encryption::Kms {
                key_id: self.kms_key.map(String::from),
            },
        };
        let options = |url: &str| -> std::result::Result<S3Options, String> {
            let mut options = S3Options::from_url(url).map_err(|error| error.to_string())?;
            options.credentials.clone_from(&credentials);
            options.encryption.clone_from(&encryption);
            Ok(options)
        };
        let mut primary = options(&url)?;
        if let Some(endpoint) = self
            .endpoint
            .filter(|endpoint| !endpoint.as_str().is_empty())
        {
            primary.endpoint = Some(endpoint.into());
        }
        if let Some(region) = self.region {
            primary.region = Some(region.into());
        }
        primary.path_style = self.path_style.or(primary.path_style);
        primary.validate().map_err(|error| error.to_string())?;
        let copies = self.copies.iter().map(|url| options(url.as_str()));
        Ok(BlobPlace::S3 {
            primary: Box::new(primary),
            copies: copies.collect::<std::result::Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Deployment> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deployment.toml");
        std::fs::write(&path, text).unwrap();
        Deployment::load(&path)
    }

    #[test]
    fn a_deployment_on_servers() {
        let text = r#"
            [log]
            kafka = "${GREENLIGHT_TEST_UNSET:-kafka:9092}"
            replication = 3
            tls = { ca = "ca.pem" }
            sasl = { mechanism = "PLAIN", username = "u", password = "p" }
            properties = { "linger.ms" = "5" }
            [registry]
            checkpoint = "/var/lib/greenlight"
            checkpoint_every = 10000
            [blobs]
            s3 = "s3://states/prod"
            endpoint = "http://s3:8333"
            access_key = "id"
            secret_key = "hush"
            encryption = "kms"
            kms_key = "alias/states"
            copies = ["s3://states-eu/prod?region=eu-west-1"]
            [schemas]
            registry = "http://a:8081, http://b:8081"
            token = "hush"
            [datasets]
            config = "datasets.toml"
            schemas = "../schemas"
            rules = "/etc/rules.toml"
        "#;
        let deployment = load(text).unwrap();
        let LogPlace::Kafka {
            options,
            checkpoint,
        } = &deployment.log
        else {
            panic!("{deployment:?}");
        };
        assert_eq!(options.bootstrap, "kafka:9092");
        assert_eq!(options.properties["linger.ms"], "5");
        assert!(
            options
                .tls
                .as_ref()
                .unwrap()
                .ca
                .as_ref()
                .unwrap()
                .is_absolute()
        );
        assert_eq!(
            checkpoint.as_deref(),
            Some(Path::new("/var/lib/greenlight"))
        );
        assert_eq!(deployment.checkpoint_every, 10_000);
        let Ok(BlobPlace::S3 { primary, copies }) = deployment.blobs() else {
            panic!("{deployment:?}");
        };
        assert_eq!(primary.url(), "http://s3:8333/states/prod");
        assert_eq!(copies[0].url(), "s3://states-eu/prod");
        let key_id = Some("alias/states".to_owned());
        assert_eq!(copies[0].encryption, Encryption::Kms { key_id });
        let schemas = deployment.schemas.as_ref().unwrap();
        assert_eq!(schemas.urls, ["http://a:8081", "http://b:8081"]);
        let config = deployment.config.as_ref().unwrap();
        assert_eq!(config.rules, Path::new("/etc/rules.toml"));
        assert!(!format!("{deployment:?}").contains("hush"));
    }

    #[test]
    fn mistakes_are_refused_with_file_and_line() {
        for (text, line, words) in [
            ("directory = 1", 1, "string"),
            ("\nkafka = \"k:9092\"", 2, "unknown field `kafka`"),
            ("[datasets]\nconfig = \"d.toml\"\n", 1, "missing field"),
            (
                "# here\ndirectory = \"${GREENLIGHT_TEST_UNSET}\"",
                2,
                "is not set",
            ),
            (
                "directory = \"d\"\n[log]\nkafka = \"k:1\"",
                2,
                "exclude each other",
            ),
            (
                "[schemas]\nregistry = \"http://a\"\nuser = \"u\"",
                1,
                "user and password",
            ),
            ("[registry]\ncheckpoint_every = 5", 2, "100 to 10000000"),
            ("[blobs]\nregion = \"r\"", 1, "either s3 or directory"),
            ("[blobs]\ns3 = \"ftp://host/bucket\"", 1, "s3://"),
            (
                "[blobs]\ns3 = \"s3://b\"\nsecret_key = \"x\"",
                1,
                "go together",
            ),
            (
                "[blobs]\ns3 = \"s3://b\"\nencryption = \"rot13\"",
                3,
                "rot13",
            ),
        ] {
            match load(text) {
                Err(Error::Config {
                    line: Some(found),
                    message,
                    ..
                }) => assert!(
                    found == line && message.contains(words),
                    "{text}: {found}: {message}"
                ),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
