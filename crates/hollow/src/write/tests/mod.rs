mod resolve;
mod upserts;
mod vectors;
