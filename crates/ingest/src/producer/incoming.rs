//! What a record asks for, before anything of it is stored.

use super::folder::Folder;
use super::plans::Planned;
use crate::avro::Fault;
use crate::dead::SOURCE_VERSION_HEADER;
use crate::error::Error;
use crate::poison::Poison;
use crate::schemas::split_wire;
use crate::spec::SourceVersions;
use crate::sweep::{CONTROL_HEADER, SWEEP_HEADER};
use changelog::RecordRef;
use std::sync::Arc;

/// The headers that the fold goes by; of several of a name the last one counts, as for Kafka's `lastHeader`.
#[derive(Clone, Copy, Default)]
pub(super) struct Headers<'a> {
    pub(super) control: Option<&'a [u8]>,
    pub(super) sweep: Option<&'a [u8]>,
    source_version: Option<&'a [u8]>,
}

impl<'a> Headers<'a> {
    pub(super) fn of(record: &RecordRef<'a>) -> Self {
        let mut found = Self::default();
        for (name, value) in record.headers() {
            match name {
                SOURCE_VERSION_HEADER => found.source_version = Some(value),
                SWEEP_HEADER => found.sweep = Some(value),
                CONTROL_HEADER => found.control = Some(value),
                _ => {}
            }
        }
        found
    }
}

/// What a record does to its key.
pub(super) enum Change<'a> {
    Delete,
    /// A value that is not looked into yet.
    Wire(&'a [u8]),
    /// A value's row, the id of its schema, and how it is read.
    Row(u32, Arc<Planned>, &'a [u8]),
}

type Understood<T> = std::result::Result<T, Fault<Error>>;

impl Folder {
    /// Parses the key into `self.key`.
    pub(super) fn parse_key(&mut self, record: &RecordRef<'_>) -> Understood<()> {
        self.has_key = false;
        let bytes = record.key.ok_or(Poison::NoKey)?;
        let shape = self.spec.model.key();
        match &self.spec.envelope {
            None => shape.parse_into(bytes, &mut self.key)?,
            Some(envelope) => envelope
                .parse_key(bytes, shape, self.plans.schemas(), &mut self.key)
                .map_err(Fault::Sink)??,
        }
        self.has_key = true;
        Ok(())
    }

    /// What the record does, and its source version; a delete has none where it is the tombstone after Debezium's own.
    pub(super) fn change<'a>(
        &mut self,
        record: &RecordRef<'a>,
        headers: &Headers<'a>,
    ) -> Understood<(Change<'a>, Option<i64>)> {
        let required = self.spec.source_versions == SourceVersions::Required;
        let version = if required {
            source_version(headers)?
        } else {
            None
        };
        let enveloped = self.spec.envelope.is_some();
        let (change, version) = match record.value {
            None if enveloped => return Ok((Change::Delete, version)),
            None => (Change::Delete, version),
            Some(value) if !enveloped => (Change::Wire(value), version),
            Some(value) => {
                let (id, body) = split_wire(value).ok_or(Poison::NotWireFormat)?;
                let planned = self.planned(id)?;
                let event = planned
                    .as_ref()
                    .as_ref()
                    .map_err(Clone::clone)?
                    .open(body)?;
                let change = match event.row {
                    Some(row) => Change::Row(id, planned, row),
                    None => Change::Delete,
                };
                let version = match (version, event.source_version) {
                    (None, Some(negative)) if required && negative < 0 => {
                        let value = negative.to_string();
                        return Err(Poison::SourceVersion { value }.into());
                    }
                    (None, Some(version)) if required => Some(version),
                    (version, _) => version,
                };
                (change, version)
            }
        };
        if required && version.is_none() {
            return Err(Poison::NoSourceVersion.into());
        }
        Ok((change, version))
    }

    /// How values of the schema with that id are read.
    pub(super) fn planned(&mut self, id: u32) -> Understood<Arc<Planned>> {
        if let Some((known, planned)) = &self.last_plan
            && *known == id
        {
            return Ok(Arc::clone(planned));
        }
        let planned = self.plans.get(id).map_err(Fault::Sink)?;
        if !matches!(*planned, Err(Poison::UnknownSchema { .. })) {
            self.last_plan = Some((id, Arc::clone(&planned)));
        }
        Ok(planned)
    }
}

/// The source version in the headers.
fn source_version(headers: &Headers<'_>) -> std::result::Result<Option<i64>, Poison> {
    let Some(bytes) = headers.source_version else {
        return Ok(None);
    };
    let text = std::str::from_utf8(bytes).ok();
    let number = text
        .filter(|text| !text.starts_with('+'))
        .and_then(|text| text.parse().ok());
    match number.filter(|&number: &i64| number >= 0) {
        Some(number) => Ok(Some(number)),
        None => Err(Poison::SourceVersion {
            value: String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned(),
        }),
    }
}
