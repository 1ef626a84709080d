//! The sandbox as its users start it.

mod browser;
mod page;
mod processes;
mod support;
