//! Real parts: a server, a proxy before it, processes, and the origin that their functions ask.

#![allow(dead_code, unused_imports)] // Each file of tests uses its own part.

pub(crate) mod origin;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod server;

pub(crate) use origin::Origin;
pub(crate) use process::Process;
pub(crate) use proxy::{Fault, Proxy};
pub(crate) use server::Server;
