//! A client of any schema registry that speaks Confluent's HTTP API.
//!
//! A registry that is down must never make a record a dead letter: what can't be asked now is an error, by which the cycle
//! is rolled back and tried again. Only a registry that answers, in its own format, that there is no such schema counts as
//! saying so; a proxy's bare 404 does not.

use super::{SchemaSource, SchemaVersion};
use crate::avro::AvroSchema;
use crate::error::{Error, Result};
use dashmap::DashMap;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// How the registry knows who asks.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum RegistryAuth {
    /// It does not ask.
    #[default]
    None,
    /// A user and a password (HTTP Basic).
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A token.
    Bearer(String),
}

impl fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic",
            Self::Bearer(_) => "Bearer",
        })
    }
}

/// Where a schema registry is, and how to ask it.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// Base URLs of the instances, such as `http://registry:8081`. The one that answered last is asked first.
    pub urls: Vec<String>,
    /// Who asks.
    pub auth: RegistryAuth,
    /// Certificates (PEM) of the authorities that sign the registry's; the system's where there are none.
    pub ca_file: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How often all instances are tried before the registry counts as down, at least 1.
    pub rounds: u32,
    /// The pause after the first round; it doubles with each.
    pub pause: Duration,
    /// Whether [`SchemaSource::id_of`] may register a schema that the registry does not know.
    pub register: bool,
    /// For how long an id that the registry does not know is not asked for again.
    pub unknown_for: Duration,
}

impl RegistryOptions {
    /// The defaults: 5 s a request, 3 rounds 200 ms apart, nothing is registered, an unknown id is asked for again after a
    /// second.
    #[must_use]
    pub fn new(urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            urls: urls.into_iter().map(Into::into).collect(),
            auth: RegistryAuth::None,
            ca_file: None,
            timeout: Duration::from_secs(5),
            rounds: 3,
            pause: Duration::from_millis(200),
            register: false,
            unknown_for: Duration::from_secs(1),
        }
    }
}

/// The schemas of a registry, each fetched once.
pub struct RegistrySchemas {
    agent: Agent,
    options: RegistryOptions,
    authorization: Option<String>,
    /// The index of the instance to ask first.
    preferred: AtomicUsize,
    by_id: DashMap<u32, Arc<AvroSchema>>,
    unknown: DashMap<u32, Instant>,
}

impl RegistrySchemas {
    /// A client. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::SchemaRegistry`] for options that can't work, [`Error::Read`] for the file of certificates.
    pub fn new(mut options: RegistryOptions) -> Result<Self> {
        let wrong = |url: &str, reason: &str| Error::SchemaRegistry {
            url: url.to_owned(),
            asked: "open it".to_owned(),
            reason: reason.to_owned(),
        };
        if options.urls.is_empty() {
            return Err(wrong("", "no URL is given"));
        }
        for url in &mut options.urls {
            url.truncate(url.trim_end_matches('/').len());
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(wrong(
                    url,
                    "expected a URL that begins with http:// or https://",
                ));
            }
        }
        let mut roots = RootCerts::PlatformVerifier;
        if let Some(path) = &options.ca_file {
            let pem = std::fs::read(path).map_err(|source| Error::Read {
                path: path.clone(),
                source,
            })?;
            let items = ureq::tls::parse_pem(&pem).filter_map(|item| match item {
                Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            });
            let certificates: Vec<Certificate<'static>> = items.collect();
            if certificates.is_empty() {
                let url = options.urls[0].clone();
                return Err(wrong(
                    &url,
                    &format!("{} has no certificate", path.display()),
                ));
            }
            roots = RootCerts::new_with_certs(&certificates);
        }
        let tls = TlsConfig::builder()
            .provider(TlsProvider::NativeTls)
            .root_certs(roots)
            .build();
        let agent = Agent::config_builder()
            .timeout_global(Some(options.timeout))
            .http_status_as_error(false)
            .tls_config(tls)
            .build()
            .into();
        let authorization = match &options.auth {
            RegistryAuth::None => None,
            RegistryAuth::Basic { user, password } => {
                let pair = format!("{user}:{password}");
                Some(format!(
                    "Basic {}",
                    openssl::base64::encode_block(pair.as_bytes())
                ))
            }
            RegistryAuth::Bearer(token) => Some(format!("Bearer {token}")),
        };
        Ok(Self {
            agent,
            options,
            authorization,
            preferred: AtomicUsize::new(0),
            by_id: DashMap::new(),
            unknown: DashMap::new(),
        })
    }

    /// Registers `schema` as the next version of `subject`, and returns its id; a schema that is there already keeps its
    /// own.
    ///
    /// # Errors
    /// [`Error::Incompatible`] where the subject's rules refuse it; [`Error::SchemaRegistry`].
    pub fn register(&self, subject: &str, schema: &AvroSchema) -> Result<u32> {
        let path = format!("/subjects/{}/versions", escaped(subject));
        match self.ask(&path, Some(&json!({"schema": schema.text()})))? {
            Answer::Found(found) => Ok(read::<Registered>(found, &path)?.id),
            Answer::NotFound(reason) | Answer::Refused(reason) => Err(Error::Incompatible {
                subject: subject.to_owned(),
                reason,
            }),
        }
    }

    /// The id of `schema` in `subject`, or `None` where it is not registered.
    ///
    /// # Errors
    /// [`Error::SchemaRegistry`].
    pub fn lookup(&self, subject: &str, schema: &AvroSchema) -> Result<Option<u32>> {
        let path = format!("/subjects/{}", escaped(subject));
        match self.ask(&path, Some(&json!({"schema": schema.text()})))? {
            Answer::Found(found) => Ok(Some(read::<Registered>(found, &path)?.id)),
            Answer::NotFound(_) => Ok(None),
            Answer::Refused(reason) => Err(self.failed(&path, reason)),
        }
    }

    /// A schema's text with those that it refers to, definitions first.
    fn with_references(&self, described: &Described, depth: u32) -> Result<Vec<String>> {
        const DEPTH: u32 = 16;
        let mut texts = Vec::new();
        if depth > DEPTH {
            let reason = format!("references of schemas are deeper than {DEPTH}");
            return Err(self.failed("/schemas", reason));
        }
        for Reference { subject, version } in &described.references {
            let path = format!("/subjects/{}/versions/{version}", escaped(subject));
            let inner: Described = match self.ask(&path, None)? {
                Answer::Found(found) => read(found, &path)?,
                Answer::NotFound(reason) | Answer::Refused(reason) => {
                    return Err(self.failed(&path, reason));
                }
            };
            for text in self.with_references(&inner, depth + 1)? {
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
        }
        texts.push(described.schema.clone());
        Ok(texts)
    }

    fn parsed(&self, described: &Described, id: u32, name: &str) -> Result<Arc<AvroSchema>> {
        if let Some(known) = self.by_id.get(&id) {
            return Ok(Arc::clone(&known));
        }
        if let Some(kind) = described
            .schema_type
            .as_deref()
            .filter(|kind| *kind != "AVRO")
        {
            return Err(Error::Schema {
                source_name: name.to_owned(),
                reason: format!("it is {kind}, and values of a dataset are Avro"),
            });
        }
        let mut texts = self.with_references(described, 0)?;
        let text = texts.pop().unwrap_or_default();
        let schema = AvroSchema::parse_with(&text, &texts, name)?.with_id(id);
        let schema = Arc::new(schema);
        self.by_id.insert(id, Arc::clone(&schema));
        Ok(schema)
    }

    fn failed(&self, path: &str, reason: String) -> Error {
        let at = self.preferred.load(Ordering::Relaxed);
        Error::SchemaRegistry {
            url: self.options.urls.get(at).cloned().unwrap_or_default(),
            asked: path.to_owned(),
            reason,
        }
    }

    /// Asks the instances in turn until one answers.
    fn ask(&self, path: &str, body: Option<&Value>) -> Result<Answer> {
        let count = self.options.urls.len();
        let first = self.preferred.load(Ordering::Relaxed);
        let mut pause = self.options.pause;
        let mut last = String::new();
        for round in 0..self.options.rounds.max(1) {
            if round > 0 {
                std::thread::sleep(pause);
                pause *= 2;
            }
            for at in (0..count).map(|i| (first + i) % count) {
                match self.ask_one(&self.options.urls[at], path, body) {
                    Ok(answer) => {
                        self.preferred.store(at, Ordering::Relaxed);
                        return Ok(answer);
                    }
                    Err(Trouble::Lasting(reason)) => return Err(self.failed(path, reason)),
                    Err(Trouble::Passing(reason)) => last = reason,
                }
            }
        }
        Err(self.failed(path, last))
    }

    fn ask_one(
        &self,
        url: &str,
        path: &str,
        body: Option<&Value>,
    ) -> std::result::Result<Answer, Trouble> {
        const TYPE: &str = "application/vnd.schemaregistry.v1+json";
        let passing = |error: ureq::Error| Trouble::Passing(error.to_string());
        let url = format!("{url}{path}");
        let authorization = self.authorization.as_deref();
        let answered = match body {
            None => {
                let mut request = self.agent.get(&url).header("Accept", TYPE);
                if let Some(authorization) = authorization {
                    request = request.header("Authorization", authorization);
                }
                request.call()
            }
            Some(body) => {
                let mut request = self.agent.post(&url);
                if let Some(authorization) = authorization {
                    request = request.header("Authorization", authorization);
                }
                let request = request.header("Accept", TYPE).header("Content-Type", TYPE);
                request.send(body.to_string())
            }
        };
        let mut answer = answered.map_err(passing)?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().map_err(passing)?;
        let json: Option<Value> = serde_json::from_str(&text).ok();
        let code = json
            .as_ref()
            .and_then(|json| json.get("error_code")?.as_i64());
        let message = json.as_ref().and_then(|json| json.get("message")?.as_str());
        let short: String = message.unwrap_or(&text).chars().take(500).collect();
        let said = format!("status {status}: {short}");
        match (status, json) {
            (200..=299, Some(json)) => Ok(Answer::Found(json)),
            // The registry's own codes; whoever else says 404 knows nothing about schemas.
            (404, _) if code.is_some_and(|code| (40401..=40403).contains(&code)) => {
                Ok(Answer::NotFound(said))
            }
            (409 | 422, _) => Ok(Answer::Refused(short)),
            (408 | 429 | 500..=599, _) => Err(Trouble::Passing(said)),
            (401 | 403, _) => Err(Trouble::Lasting(format!(
                "{said}; check user and password, or the token"
            ))),
            (404, _) => Err(Trouble::Lasting(format!(
                "{said}; this is no answer of a schema registry: check the base URL"
            ))),
            _ => Err(Trouble::Lasting(said)),
        }
    }
}

impl SchemaSource for RegistrySchemas {
    fn schema(&self, id: u32) -> Result<Option<Arc<AvroSchema>>> {
        if let Some(known) = self.by_id.get(&id) {
            return Ok(Some(Arc::clone(&known)));
        }
        let asked = self.unknown.get(&id).map(|asked| *asked);
        if asked.is_some_and(|asked| asked.elapsed() < self.options.unknown_for) {
            return Ok(None);
        }
        let path = format!("/schemas/ids/{id}");
        match self.ask(&path, None)? {
            Answer::Found(found) => {
                self.unknown.remove(&id);
                let described: Described = read(found, &path)?;
                self.parsed(&described, id, &format!("schema id {id}"))
                    .map(Some)
            }
            Answer::NotFound(_) => {
                self.unknown.insert(id, Instant::now());
                Ok(None)
            }
            Answer::Refused(reason) => Err(self.failed(&path, reason)),
        }
    }

    fn versions(&self, subject: &str, _record: &str) -> Result<Vec<SchemaVersion>> {
        let path = format!("/subjects/{}/versions", escaped(subject));
        let numbers: Vec<u32> = match self.ask(&path, None)? {
            Answer::Found(found) => read(found, &path)?,
            Answer::NotFound(_) => Vec::new(),
            Answer::Refused(reason) => return Err(self.failed(&path, reason)),
        };
        let mut versions = Vec::new();
        for number in numbers {
            let path = format!("{path}/{number}");
            let found = match self.ask(&path, None)? {
                Answer::Found(found) => found,
                // Deleted in between.
                Answer::NotFound(_) => continue,
                Answer::Refused(reason) => return Err(self.failed(&path, reason)),
            };
            let described: Described = read(found, &path)?;
            let name = format!("{subject} version {number}");
            let id = described
                .id
                .ok_or_else(|| self.failed(&path, "the answer has no id".to_owned()))?;
            let schema = self.parsed(&described, id, &name)?;
            versions.push(SchemaVersion { name, schema });
        }
        Ok(versions)
    }

    fn id_of(&self, subject: &str, schema: &AvroSchema) -> Result<u32> {
        if let Some(id) = self.lookup(subject, schema)? {
            return Ok(id);
        }
        if self.options.register {
            return self.register(subject, schema);
        }
        Err(Error::Schema {
            source_name: schema.root_type().to_owned(),
            reason: format!(
                "the registry does not have it under the subject {subject}; register it there, or allow the emitter to"
            ),
        })
    }
}

/// What a registry that is up says.
enum Answer {
    Found(Value),
    NotFound(String),
    Refused(String),
}

/// Why there is no answer.
enum Trouble {
    /// Another instance may have one, or the same later.
    Passing(String),
    /// It will be the same everywhere.
    Lasting(String),
}

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

#[derive(Deserialize)]
struct Described {
    schema: String,
    #[serde(rename = "schemaType")]
    schema_type: Option<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    references: Vec<Reference>,
    id: Option<u32>,
}

#[derive(Deserialize)]
struct Reference {
    subject: String,
    version: i64,
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Vec<Reference>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn read<T: serde::de::DeserializeOwned>(found: Value, path: &str) -> Result<T> {
    serde_json::from_value(found).map_err(|error| Error::SchemaRegistry {
        url: String::new(),
        asked: path.to_owned(),
        reason: format!("the answer can't be understood: {error}"),
    })
}

/// A subject as a part of a URL's path.
fn escaped(subject: &str) -> String {
    subject
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};

    /// Answers one request after the other with (status, body) and hands out what was asked.
    fn server(answers: Vec<(u16, String)>) -> (String, Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut bytes = Vec::new();
                let mut chunk = [0; 4096];
                // No body of these tests is large: a request comes whole.
                while !bytes.windows(4).any(|w| w == b"\r\n\r\n") {
                    let read = stream.read(&mut chunk).unwrap();
                    bytes.extend_from_slice(&chunk[..read]);
                }
                sender
                    .send(String::from_utf8_lossy(&bytes).into_owned())
                    .unwrap();
                let length = body.len();
                write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
            }
        });
        (url, receiver)
    }

    fn options(url: &str) -> RegistryOptions {
        RegistryOptions {
            pause: Duration::from_millis(1),
            unknown_for: Duration::ZERO,
            ..RegistryOptions::new([url])
        }
    }

    fn schema_answer() -> String {
        json!({"schema": json!({"type": "record", "name": "R", "fields": []}).to_string()})
            .to_string()
    }

    #[test]
    fn who_asks_is_told_to_the_registry_and_passing_trouble_is_waited_for() {
        let answers = vec![(500, "down".to_owned()), (200, schema_answer())];
        let (url, asked) = server(answers);
        let auth = RegistryAuth::Basic {
            user: "u".to_owned(),
            password: "p".to_owned(),
        };
        let schemas = RegistrySchemas::new(RegistryOptions {
            auth,
            ..options(&url)
        });
        let schemas = schemas.unwrap();
        assert_eq!(schemas.schema(7).unwrap().unwrap().id(), 7);
        // Known from now on.
        assert!(schemas.schema(7).unwrap().is_some());
        let request = asked.recv().unwrap().to_lowercase();
        assert!(request.starts_with("get /schemas/ids/7 "), "{request}");
        assert!(request.contains("authorization: basic dtpw"), "{request}");
    }

    #[test]
    fn only_the_registry_itself_can_say_that_there_is_no_schema() {
        let unknown = json!({"error_code": 40403, "message": "Schema not found"}).to_string();
        let answers = vec![
            (404, unknown.clone()),
            (404, unknown),
            (404, "<html>nginx</html>".to_owned()),
            (401, "no".to_owned()),
        ];
        let (url, _asked) = server(answers);
        let schemas = RegistrySchemas::new(options(&url)).unwrap();
        assert!(schemas.schema(1).unwrap().is_none());
        assert!(schemas.schema(1).unwrap().is_none());
        let error = schemas.schema(1).unwrap_err().to_string();
        assert!(error.contains("check the base URL"), "{error}");
        let error = schemas.schema(1).unwrap_err().to_string();
        assert!(error.contains("check user and password"), "{error}");
    }

    #[test]
    fn an_instance_that_is_down_is_passed_over() {
        let (url, _asked) = server(vec![(200, schema_answer())]);
        let mut options = options(&url);
        // Nothing listens on the discard port of the loopback.
        options.urls.insert(0, "http://127.0.0.1:9".to_owned());
        let schemas = RegistrySchemas::new(options).unwrap();
        assert!(schemas.schema(3).unwrap().is_some());
        // Nobody answers any more: that is an error, and not "unknown".
        assert!(matches!(
            schemas.schema(4),
            Err(Error::SchemaRegistry { .. })
        ));
    }

    #[test]
    fn options_that_cannot_work_are_refused() {
        let error = |urls: Vec<&str>| {
            RegistrySchemas::new(RegistryOptions::new(urls))
                .map(drop)
                .unwrap_err()
        };
        assert!(error(vec![]).to_string().contains("no URL"));
        assert!(error(vec!["registry:8081"]).to_string().contains("http://"));
        assert_eq!(escaped("a/b c-value"), "a%2Fb%20c-value");
    }
}
