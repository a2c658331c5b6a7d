//! Works in a remote Python: a classic server's, this project's or rpyc's own.
//!
//!     cargo run --example classic_client -- localhost:18812
#![allow(clippy::print_stdout)]

use std::{env, error};

use rpyc_core::{args, connect};

pub(crate) fn run(address: &str) -> Result<(), Box<dyn error::Error>> {
    let connection = connect(address)?;
    let root = connection.root()?;

    let answer = root.call_method("eval", args!["6 * 7"])?;
    println!("6 * 7 = {}", answer.extract::<i64>()?);

    let math = root.call_method("getmodule", args!["math"])?;
    let pi = math.attr("pi")?.extract::<f64>()?;
    println!(
        "pi = {pi}, its sine {}",
        math.call_method("sin", args![pi])?.extract::<f64>()?
    );

    // A function of this program as the key of a sort over there.
    root.call_method("execute", args!["words = ['pear', 'fig', 'banana']"])?;
    let words = root.call_method("eval", args!["words"])?;
    words.call_method("sort", args![key = |word: String| word.len()])?;
    println!("by length: {:?}", words.obtain::<Vec<String>>()?);

    match root.call_method("eval", args!["1 / 0"]) {
        Ok(value) => println!("unheard of: {value:?}"),
        Err(error) => println!("as it should be: {error}"),
    }
    connection.close()?;
    Ok(())
}

#[allow(dead_code)] // a test calls `run` itself
fn main() -> Result<(), Box<dyn error::Error>> {
    run(env::args().nth(1).as_deref().unwrap_or("localhost:18812"))
}
