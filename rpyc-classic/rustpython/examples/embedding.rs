//! A program with a Python of its own for its clients: a device that they drive from scripts.
//!
//!     cargo run --release --locked --ignore-rust-version -p rpyc-rustpython --example embedding
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rpyc_classic::embedding::{Imports, Init, Module};
use rpyc_classic::{ClassicConnection, SlaveOptions, SlaveService};
use rpyc_classic::{Evaluator, EvaluatorOptions};
use rpyc_core::object::Function;
use rpyc_core::{Any, Config, Connection, Exposed, VoidService, expose};
use rpyc_rustpython::RustPython;

/// What the program is about.
#[derive(Default)]
struct Stage {
    position: AtomicI64,
}

#[expose(module = "lab")]
impl Stage {
    /// Moves by so many steps, tells where it is then.
    #[exposed]
    fn move_by(&self, steps: i64) -> i64 {
        self.position.fetch_add(steps, Ordering::SeqCst) + steps
    }

    #[getter]
    fn position(&self) -> i64 {
        self.position.load(Ordering::SeqCst)
    }
}

pub(crate) fn run() -> Result<String, Box<dyn Error>> {
    let stage = Exposed::new(Stage::default());

    // Of the interpreter: what all clients share.
    let mut options = EvaluatorOptions::default();
    options.modules = vec![
        Module::new("lab")
            .doc("The device on the bench.")
            .with("stage", Any::from(stage.object()))
            .with("STEPS_PER_MM", 200),
    ];
    options.init = Some(Init::new(
        "init.py",
        "import lab\ndef move_mm(mm): return lab.stage.move_by(mm * lab.STEPS_PER_MM)",
    ));
    // Keeps honest scripts to what they are for; it is no sandbox.
    options.imports = Imports::only(["lab", "math", "json", "time"]);
    let engine = RustPython::start(options)?;

    // Of each client's session.
    let log = Function::new("log", |cx, args| {
        println!("{}: {:?}", cx.connection().connid(), args.positional);
        Ok(Any::NONE)
    });
    let options = SlaveOptions::default().name("log", Any::object(log));

    // A client; a server would give each of its clients such a service.
    let service = Arc::new(SlaveService::new(&*engine, options));
    let (here, there) = Connection::pair(
        Arc::new(VoidService),
        Config::default(),
        service,
        Config::default(),
    )?;
    let serving = std::thread::spawn(move || there.serve_all());
    let conn = ClassicConnection::new(here)?;
    conn.execute("import lab\nlog('going')\nmove_mm(3)\nlab.stage.move_by(-100)")?;
    let position = stage.position();
    let refused = match conn.execute("import subprocess") {
        Err(error) => error.to_string(),
        Ok(()) => "imported".to_owned(),
    };
    conn.close()?;
    let _ = serving.join();
    engine.stop();
    Ok(format!("at {position}; {refused}"))
}

#[allow(dead_code)] // a test calls `run` itself
fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", run()?);
    Ok(())
}
