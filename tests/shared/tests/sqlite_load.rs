//! Many stale keys at once, over one SQLite file.

#[path = "load.rs"]
mod load;
