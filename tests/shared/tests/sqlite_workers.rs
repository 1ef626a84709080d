//! Web processes and workers over one SQLite file.

#[path = "workers.rs"]
mod workers;
