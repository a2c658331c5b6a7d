//! tarpc with bincode over TCP, behind the command line of bench-peers' own `serve` and `call`.
//! `tarpc` serves on as many threads as there are processors, `tarpc-one` on one.

use std::cell::Cell;
use std::collections::HashMap;
use std::error::Error;
use std::future;
use std::io::Write;
use std::rc::Rc;
use std::time::Instant;

use futures::StreamExt;
use rustix::thread::{CpuSet, sched_setaffinity};
use tarpc::serde_transport::tcp;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::{client, context};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_local};

#[tarpc::service]
trait Bench {
    async fn null();
}

#[derive(Clone)]
struct Server;

impl Bench for Server {
    async fn null(self, _: context::Context) {}
}

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let role = arguments.next().unwrap_or_default();
    let program = arguments.next().unwrap_or_default();
    let mut options = HashMap::new();
    while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
        options.insert(name, value);
    }
    let number = |name: &str| -> Result<usize, Failure> {
        let number = options.get(name).map(|value| value.parse());
        Ok(number.transpose()?.unwrap_or(0))
    };
    if options.contains_key("--cpu") {
        let mut one = CpuSet::new();
        one.set(number("--cpu")?);
        sched_setaffinity(None, &one)?;
    }
    if role == "serve" {
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
        let runtime = match program.as_str() {
            "tarpc-one" => one_thread()?,
            _ => Builder::new_multi_thread().enable_all().build()?,
        };
        return runtime.block_on(serve());
    }
    // A client of one thread is the faster one.
    let (calls, warmup, window) = (number("--calls")?, number("--warmup")?, number("--load")?);
    let runtime = one_thread()?;
    LocalSet::new().block_on(&runtime, async {
        let client = connect(number("--port")? as u16).await?;
        pipe(&client, warmup, window).await?;
        let mut times = vec![0.0];
        let (begun, before) = (Instant::now(), processor_time()?);
        if options.get("--kind").is_some_and(|kind| kind == "null") {
            for _ in 0..calls {
                let begun = Instant::now();
                client.null(context::current()).await?;
                times.push(begun.elapsed().as_secs_f64() * 1e6);
            }
        } else {
            pipe(&client, calls, window).await?;
        }
        let (secs, cpu) = (begun.elapsed().as_secs_f64(), processor_time()? - before);
        times.sort_by(f64::total_cmp);
        let [p50, p99] = [50, 99].map(|percent| times[(times.len() - 1) * percent / 100]);
        say(&format!(
            "calls={calls} secs={secs:.6} p50={p50:.3} p99={p99:.3} cpu={cpu:.6}"
        ))
    })
}

async fn serve() -> Result<(), Failure> {
    let listener = tcp::listen("127.0.0.1:0", Bincode::default).await?;
    say(&format!("READY {}", listener.local_addr().port()))?;
    listener
        .filter_map(|stream| future::ready(stream.ok()))
        .for_each(|stream| {
            let _ = stream.get_ref().set_nodelay(true);
            let requests = BaseChannel::with_defaults(stream).execute(Server.serve());
            tokio::spawn(requests.for_each(|request| async {
                tokio::spawn(request);
            }));
            future::ready(())
        })
        .await;
    Ok(())
}

async fn connect(port: u16) -> Result<BenchClient, Failure> {
    let stream = tcp::connect(("127.0.0.1", port), Bincode::default).await?;
    stream.get_ref().set_nodelay(true)?;
    let mut config = client::Config::default();
    config.max_in_flight_requests = 4096;
    config.pending_request_buffer = 4096;
    Ok(BenchClient::new(config, stream).spawn())
}

/// Makes the calls, with up to `window` of them unanswered.
async fn pipe(client: &BenchClient, calls: usize, window: usize) -> Result<(), Failure> {
    let left = Rc::new(Cell::new(calls));
    let tasks: Vec<_> = (0..window)
        .map(|_| {
            let (client, left) = (client.clone(), left.clone());
            spawn_local(async move {
                while left.get() > 0 {
                    left.set(left.get() - 1);
                    client.null(context::current()).await?;
                }
                Ok::<_, client::RpcError>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

fn one_thread() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn say(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// The seconds that this process has kept processors busy.
fn processor_time() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds: f64 = stat.split_whitespace().next().unwrap_or("0").parse()?;
    Ok(nanoseconds / 1e9)
}
