//! Change records into datasets: Avro transcoding and the incremental producer.
