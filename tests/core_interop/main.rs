//! Services in Rust as unmodified Python programs see them: clients of the rpyc from PyPI.

mod callbacks;
mod calling;
mod closing;
mod collections;
mod config;
mod exceptions;
mod idle;
mod lasting;
mod names;
mod objects;
mod serving;
mod shop;
mod threads;
mod typed;
