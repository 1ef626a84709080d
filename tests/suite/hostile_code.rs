//! Code of the user's that panics or calls back, wherever the library runs it.

mod keys;
mod values;
