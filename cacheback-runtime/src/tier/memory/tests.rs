//! The rules one by one on the state machine, the way to it on tokio's paused clock, and the model.

mod model;
mod rules;
mod tier;
