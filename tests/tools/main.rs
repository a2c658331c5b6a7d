//! The client's tools of `rpyc-server` as a person uses them, on Python's classic server and on
//! this project's.

mod code;
mod embedding;
mod files;
mod fleets;
mod fleets_in_trouble;
mod hostile;
mod pings;
mod services;
mod shell;
mod terminal;
mod tool;
mod ways;
