mod resolve;
mod upsert_over;
mod vectors;
