mod references;
mod resolve;
mod upserts;
mod vectors;
