//! A table or query of PostgreSQL as a source, read by ranges of its key.
//!
//! Each page is a query of its own, so that no snapshot is held open for hours. `as-of` comes from the same server and before
//! the first page, so what is read later can only be newer. The row becomes JSON on the server (`row_to_json`), with the columns'
//! names as the fields' names.

use super::source::{Raw, Reads, Row, RowEncoder, Source};
use crate::error::{Error, Result};
use crate::key::{Key, KeyKind, KeyShape};
use openssl::ssl::{SslConnector, SslMethod};
use postgres::config::SslMode;
use postgres::types::ToSql;
use postgres::{Client, Config, NoTls, SimpleQueryMessage};
use postgres_openssl::MakeTlsConnector;
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;

/// What to read of PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// `postgres://USER:PASSWORD@HOST/DATABASE?sslmode=require`. The replica that is to serve the rows.
    pub url: String,
    /// The table, `NAME` or `SCHEMA.NAME`.
    pub table: Option<String>,
    /// Or a query whose columns are the dataset's fields.
    pub query: Option<String>,
    /// A condition on the rows. The sweep is a filtered one then and deletes nothing.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// Where `as-of` comes from.
    #[serde(default)]
    pub as_of: PostgresAsOf,
    /// Taken from that: how far a version may lag behind the commit that makes it visible, in units of the source version.
    #[serde(default)]
    pub as_of_lag: i64,
    /// Rows of a page.
    #[serde(default = "page_rows")]
    pub page_rows: u32,
    /// Certificates (PEM) of the authorities to trust, instead of the system's.
    pub ca_file: Option<PathBuf>,
}

fn page_rows() -> u32 {
    2000
}

/// Where `as-of` comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PostgresAsOf {
    /// The greatest version in the table.
    #[default]
    Max,
    /// The server's place in the write-ahead log (on a replica: how far it is replayed), for rows whose version is an LSN.
    Lsn,
    /// What this query says.
    Query(String),
}

/// A table or query as a source.
pub struct PostgresSource {
    config: PostgresConfig,
    connect: Config,
    encoder: RowEncoder,
    shape: KeyShape,
    client: Option<Client>,
    /// The key of the last row that was read.
    after: Option<Key>,
    is_done: bool,
    total: Option<u64>,
    reads: Reads,
}

impl PostgresSource {
    /// A source; nothing is connected yet. The key is the dataset's, whose fields `shape` names.
    ///
    /// # Errors
    /// [`Error::Source`] where the configuration contradicts itself.
    pub fn new(config: PostgresConfig, encoder: RowEncoder, shape: KeyShape) -> Result<Self> {
        let wrong = |reason: String| Error::Source {
            name: "PostgreSQL".to_owned(),
            reason,
        };
        if config.table.is_some() == config.query.is_some() {
            return Err(wrong("say either table or query".to_owned()));
        }
        let connect: Config = config
            .url
            .parse()
            .map_err(|error: postgres::Error| wrong(format!("the url: {}", chain(&error))))?;
        Ok(Self {
            config,
            connect,
            encoder,
            shape,
            client: None,
            after: None,
            is_done: false,
            total: None,
            reads: Reads::default(),
        })
    }

    fn failed(&self, reason: impl std::fmt::Display) -> Error {
        Error::Source {
            name: self.describe(),
            reason: reason.to_string(),
        }
    }

    /// What rows come from, with the alias `t`.
    fn from(&self) -> String {
        let from = match (&self.config.table, &self.config.query) {
            (Some(table), _) => table.split('.').map(quoted).collect::<Vec<_>>().join("."),
            (None, Some(query)) => format!("({query})"),
            (None, None) => String::new(),
        };
        format!("{from} AS t")
    }

    fn conditions(&self) -> Vec<String> {
        let filter = self.config.filter.as_ref();
        filter
            .map(|filter| format!("({filter})"))
            .into_iter()
            .collect()
    }

    fn query(
        &mut self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<postgres::Row>> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => self.connect()?,
        };
        self.reads.requests += 1;
        let rows = client
            .query(sql, parameters)
            .map_err(|error| self.failed(chain(&error)))?;
        self.client = Some(client);
        Ok(rows)
    }

    fn connect(&self) -> Result<Client> {
        let client = if self.connect.get_ssl_mode() == SslMode::Disable {
            self.connect.connect(NoTls)
        } else {
            let mut tls = SslConnector::builder(SslMethod::tls()).map_err(|e| self.failed(e))?;
            if let Some(path) = &self.config.ca_file {
                tls.set_ca_file(path)
                    .map_err(|error| self.failed(format_args!("{}: {error}", path.display())))?;
            }
            self.connect.connect(MakeTlsConnector::new(tls.build()))
        };
        client.map_err(|error| self.failed(format_args!("connect: {}", chain(&error))))
    }

    fn number(&mut self, sql: &str) -> Result<Option<i64>> {
        let rows = self.query(sql, &[])?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        row.try_get(0)
            .map_err(|error| self.failed(format_args!("{sql}: {}", chain(&error))))
    }

    /// What the planner expects.
    fn estimate(&mut self) -> Result<Option<u64>> {
        let mut sql = format!("EXPLAIN (FORMAT JSON) SELECT 1 FROM {}", self.from());
        if let Some(filter) = &self.config.filter {
            sql = format!("{sql} WHERE ({filter})");
        }
        let mut client = match self.client.take() {
            Some(client) => client,
            None => self.connect()?,
        };
        self.reads.requests += 1;
        let found = client
            .simple_query(&sql)
            .map_err(|error| self.failed(chain(&error)))?;
        self.client = Some(client);
        let text = found.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        let plan: Option<Value> = text.and_then(|text| serde_json::from_str(text).ok());
        Ok(plan.and_then(|plan| plan[0]["Plan"]["Plan Rows"].as_u64()))
    }
}

impl Source for PostgresSource {
    fn describe(&self) -> String {
        let what = self.config.table.as_ref().or(self.config.query.as_ref());
        let filter = self.config.filter.as_ref();
        format!(
            "PostgreSQL {}: {}{}",
            self.connect.get_dbname().unwrap_or_default(),
            what.map_or("", String::as_str),
            filter.map_or(String::new(), |filter| format!(" where {filter}")),
        )
    }

    fn as_of(&mut self) -> Result<i64> {
        self.total = self.estimate()?;
        let sql = match &self.config.as_of {
            PostgresAsOf::Max => {
                let version = quoted(self.encoder.version_field());
                format!("SELECT max(t.{version})::bigint FROM {}", self.from())
            }
            PostgresAsOf::Lsn => {
                "SELECT ((CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() \
                                  ELSE pg_current_wal_lsn() END) - '0/0'::pg_lsn)::bigint"
                    .to_owned()
            }
            PostgresAsOf::Query(query) => format!("SELECT ({query})::bigint"),
        };
        let as_of = self.number(&sql)?;
        let as_of = as_of.ok_or_else(|| {
            self.failed("it has no row with a source version, so there is nothing to sweep")
        })?;
        Ok(as_of.saturating_sub(self.config.as_of_lag).max(0))
    }

    fn open(&mut self, after: Option<&str>, as_of: i64) -> Result<()> {
        self.is_done = false;
        self.after = None;
        if let Some(token) = after {
            let key = self.shape.parse(token.as_bytes());
            self.after = Some(key.map_err(|error| self.failed(error))?);
            if self.config.as_of != PostgresAsOf::Max {
                let now = self.as_of()?;
                if now < as_of {
                    return Err(self.failed(format_args!(
                        "the server stands at {now}, and the sweep began as of {as_of}: it is another replica, which is behind"
                    )));
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, _max: usize, rows: &mut Vec<Row>) -> Result<Option<String>> {
        if self.is_done {
            return Ok(None);
        }
        let columns: Vec<_> = self
            .shape
            .fields
            .iter()
            .map(|(name, _)| format!("t.{}", quoted(name)))
            .collect();
        let columns = columns.join(", ");
        let mut conditions = self.conditions();
        let mut parameters: Vec<Box<dyn ToSql + Sync>> = Vec::new();
        if let Some(after) = &self.after {
            let mut places = Vec::new();
            for (value, (_, kind)) in after
                .values(&self.shape)
                .into_iter()
                .zip(&self.shape.fields)
            {
                parameters.push(parameter(value));
                places.push(format!("${}::{}", parameters.len(), sql_type(*kind)));
            }
            conditions.push(format!("({columns}) > ({})", places.join(", ")));
        }
        let condition = match conditions.is_empty() {
            true => String::new(),
            false => format!("WHERE {}", conditions.join(" AND ")),
        };
        let limit = self.config.page_rows.max(1);
        let sql = format!(
            "SELECT row_to_json(t)::text FROM {} {condition} ORDER BY {columns} LIMIT {limit}",
            self.from()
        );
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|p| &**p).collect();
        let found = self.query(&sql, &parameters)?;
        self.is_done = found.len() < limit as usize;
        for row in &found {
            let text: &str = row.try_get(0).map_err(|error| self.failed(chain(&error)))?;
            self.reads.rows += 1;
            let row = serde_json::from_str(text).map_err(|error| self.failed(error))?;
            let row = self.encoder.row(Raw::Json(row));
            rows.push(row.map_err(|reason| {
                self.failed(format_args!("a row has no key: {reason}: {text}"))
            })?);
        }
        let Some(last) = rows.last().filter(|_| !found.is_empty()) else {
            return Ok(None);
        };
        let key = self.shape.parse(&last.key);
        self.after = Some(key.map_err(|error| self.failed(error))?);
        Ok(Some(String::from_utf8_lossy(&last.key).into_owned()))
    }

    fn total(&self) -> Option<u64> {
        self.total
    }

    fn reads(&self) -> Reads {
        self.reads
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn sql_type(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Int => "int",
        KeyKind::Long => "bigint",
        KeyKind::Boolean => "boolean",
        KeyKind::String => "text",
    }
}

fn parameter(value: hollow::KeyValue) -> Box<dyn ToSql + Sync> {
    match value {
        hollow::KeyValue::Int(number) => Box::new(number),
        hollow::KeyValue::Long(number) => Box::new(number),
        hollow::KeyValue::Boolean(value) => Box::new(value),
        hollow::KeyValue::String(text) => Box::new(text),
        _ => Box::new(None::<String>),
    }
}

/// An error with its causes: the client's own message only says where it happened.
fn chain(error: &postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
