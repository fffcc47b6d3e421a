mod resolve;
mod vectors;
