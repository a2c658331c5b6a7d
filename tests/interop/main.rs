//! The classic server as unmodified Python programs see it: clients of the rpyc from PyPI, one
//! module a subject, each test a script with its own assertions.

mod connecting;
mod evaluation;
mod modules;
mod operators;
