//! rpyc-server as its operators know it: how it stops, whom it notices to be gone, what it does
//! with signals, with systemd, and with the files in docs/deploy.

mod addresses;
mod containment;
mod deploy;
mod flooding;
mod hangup;
mod limits;
mod names;
mod pages;
mod shortage;
mod starting;
mod stopping;
mod switches;
mod systemd;
mod vanishing;
