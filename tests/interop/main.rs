//! The classic server as unmodified Python programs see it: clients of the rpyc from PyPI, one
//! module a subject, each test a script with its own assertions.

mod access;
mod asynchronous;
mod callbacks;
mod calls;
mod chains;
mod classes;
mod classic_module;
mod connecting;
mod contexts;
mod copies;
mod endurance;
mod evaluation;
mod exception_classes;
mod exceptions;
mod getconn;
mod hooks;
mod hostile;
mod inside;
mod isolation;
mod logging;
mod misuse;
mod modes;
mod modules;
mod operators;
mod processes;
mod proxies;
mod references;
mod sessions;
mod shutdown;
mod stdio;
mod stdlib;
mod threads;
mod tls;
mod transfer;
mod values;
