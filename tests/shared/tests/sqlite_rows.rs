//! What a call does with the tier, row by row, with real processes over one SQLite file.

#[path = "rows.rs"]
mod rows;
