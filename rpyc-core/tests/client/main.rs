//! The client's side of a connection, against services of this crate.

mod arguments;
mod asynchronous;
mod background;
mod by_value;
mod config;
mod connecting;
mod deadlines;
mod diagnosis;
mod ending;
mod handed_on;
mod hooks;
mod leaving;
mod lifecycle;
mod logged;
mod objects;
mod operations;
mod pickles;
mod readiness;
mod serving_inside;
mod several;
mod streams;
mod stress;
mod typed;
