//! Avro bytes into dataset records.
//!
//! [`AvroSchema`] is what a writer wrote with or a dataset is defined by; [`RecordModel`] the Hollow types that follow from
//! it; [`Plan`] the compiled walk for one pair of the two; [`Transcoder`] runs it. [`violations`] tells which rules keep a
//! writer's values from being read. [`AvroSchema::encode_json`] is the other direction, for emitters.

mod ahead;
mod bytes;
mod children;
mod compile;
mod encode;
mod envelope;
mod evolution;
mod fields;
mod groups;
mod guess;
mod mapping;
mod memo;
mod out;
mod plan;
mod quick;
mod repeats;
mod schema;
mod skip;
mod values;
mod walk;

pub use envelope::Event;
pub(crate) use envelope::key_values;
pub(crate) use evolution::violations_of_records;
pub use evolution::{Rule, Violation, violations};
pub(crate) use groups::Groups;
pub use mapping::RecordModel;
pub use plan::Plan;
pub use schema::AvroSchema;
pub use walk::{Fault, RecordSink, Transcoder};

use crate::error::{Error, Result};
use crate::schemas::write_wire_header;
use serde_json::Value;

impl AvroSchema {
    /// Appends `value` as Avro to `out`, without the wire format's header. A union takes the first branch that fits;
    /// fields that `value` lacks take their default, those that the schema lacks are refused.
    ///
    /// # Errors
    /// [`Error::Encode`] where it does not fit; `out` may have grown.
    pub fn encode_json(&self, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        encode::encode_record(&self.root, value, out).map_err(|reason| Error::Encode {
            schema: self.root.name.clone(),
            reason,
        })
    }

    /// `value` in the wire format, for a schema that is known as `id`; see [`encode_json`](Self::encode_json).
    ///
    /// # Errors
    /// [`Error::Encode`] where it does not fit.
    pub fn encode_wire(&self, id: u32, value: &Value) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(128);
        write_wire_header(id, &mut out);
        self.encode_json(value, &mut out)?;
        Ok(out)
    }
}

impl AvroSchema {
    /// Whether the root record has a field of that name.
    pub(crate) fn has_field(&self, name: &str) -> bool {
        self.root.fields.iter().any(|field| field.name == name)
    }

    /// The value of a field that a text stands for, as in a cell of a table.
    pub(crate) fn cell(&self, name: &str, text: &str) -> std::result::Result<Value, String> {
        let field = self.root.fields.iter().find(|field| field.name == name);
        let field = field.ok_or_else(|| format!("the schema has no field {name:?}"))?;
        encode::parse_cell(&field.node, text)
    }
}

#[cfg(test)]
mod tests;
