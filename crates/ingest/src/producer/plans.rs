//! The compiled walks of one dataset, one per schema that its records were written with. Shared by threads.

use crate::avro::Plan;
use crate::error::{Error, Result};
use crate::poison::Poison;
use crate::schemas::SchemaSource;
use crate::spec::DatasetSpec;
use dashmap::DashMap;
use std::sync::Arc;

pub(super) struct Plans {
    spec: Arc<DatasetSpec>,
    schemas: Arc<dyn SchemaSource>,
    by_id: DashMap<u32, Arc<Planned>>,
}

/// The walk, or why there is none.
pub(super) type Planned = std::result::Result<Plan, Poison>;

impl Plans {
    pub(super) fn new(spec: Arc<DatasetSpec>, schemas: Arc<dyn SchemaSource>) -> Self {
        Self {
            spec,
            schemas,
            by_id: DashMap::new(),
        }
    }

    pub(super) fn schemas(&self) -> &dyn SchemaSource {
        &*self.schemas
    }

    /// The walk for values of the schema with that id. An unknown id is asked for again next time: a schema may be
    /// registered late.
    ///
    /// # Errors
    /// Where the source of schemas can't be asked.
    pub(super) fn get(&self, id: u32) -> Result<Arc<Planned>> {
        if let Some(plan) = self.by_id.get(&id) {
            return Ok(Arc::clone(&plan));
        }
        let compiled = match self.schemas.schema(id) {
            Ok(Some(writer)) => self.spec.plan(&writer),
            Ok(None) => return Ok(Arc::new(Err(Poison::UnknownSchema { id }))),
            Err(Error::Schema { reason, .. }) => Err(reason),
            Err(error) => return Err(error),
        };
        let plan = Arc::new(compiled.map_err(|reason| Poison::UnfitSchema { id, reason }));
        self.by_id.insert(id, Arc::clone(&plan));
        Ok(plan)
    }
}
