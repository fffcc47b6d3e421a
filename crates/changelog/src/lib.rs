//! An ordered, partitioned log of change records: Kafka or embedded.
