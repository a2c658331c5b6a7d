//! A typed client on a service of Python's.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::mpsc::channel;
use std::time::Duration;

use rpyc_core::object::{Function, callback};
use rpyc_core::{AsyncResult, Config, Connector, Error, PythonException, Result, client, dict};

use crate::servers::{PythonServer, Rpyc};

const SERVICE: &str = r#"
from rpyc.utils.server import ThreadedServer


class OutOfRange(ValueError):
    __module__ = "lab"

    def __init__(self, channel, volts):
        super().__init__(channel)
        self.channel, self.volts = channel, volts


class Probe:
    exposed_size = 1


class LabService(rpyc.Service):
    def exposed_measure(self, channel, *, gain=1.0, unit="V"):
        return "%d %s %s" % (channel, gain, unit)

    def exposed_set(self, channel, volts):
        raise OutOfRange(channel, volts)

    def exposed_sweep(self, steps, progress):
        return sum(progress(done, steps) for done in range(1, steps + 1))

    def exposed_all(self, *numbers, **named):
        return sum(numbers) + sum(named.values())

    def exposed_apply(self, settings):
        return [(key, settings[key]) for key in settings]

    def exposed_probe(self):
        return Probe()

    def exposed_hold(self, seconds):
        import time
        time.sleep(seconds)


server = ThreadedServer(LabService, hostname="127.0.0.1", port=0,
                        protocol_config={"allow_setattr": True})
listen(server)
say("port %d" % server.port)
server.start()
"#;

#[derive(Debug, PartialEq, PythonException)]
#[exception(module = "lab")]
struct OutOfRange {
    #[arg]
    channel: u32,
    volts: f64,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} V on channel {}", self.volts, self.channel)
    }
}

impl StdError for OutOfRange {}

#[client]
trait Lab {
    fn measure(
        &self,
        channel: u32,
        #[keyword] gain: f64,
        #[default] unit: Option<&str>,
    ) -> Result<String>;
    fn set(&self, channel: u32, volts: f64) -> Result<()>;
    fn sweep(&self, steps: u32, progress: Function) -> Result<u32>;
    fn all(
        &self,
        #[rest] numbers: Vec<i64>,
        #[keywords] named: HashMap<String, i64>,
    ) -> Result<i64>;
    fn apply(&self, settings: rpyc_core::object::Dict) -> Result<Vec<(String, f64)>>;
    fn probe(&self) -> Result<ProbeClient>;
    fn hold(&self, seconds: f64) -> Result<()>;
}

#[client]
trait Probe {
    #[getter]
    fn size(&self) -> Result<u32>;
    #[setter]
    fn set_size(&self, size: u32) -> Result<()>;
}

#[test]
fn a_typed_client_of_a_python_service() -> Result<()> {
    [Rpyc::Stock, Rpyc::Rs].into_iter().try_for_each(typed)
}

fn typed(rpyc: Rpyc) -> Result<()> {
    let server = PythonServer::of(rpyc, SERVICE);
    let config = Config::new().known_exception::<OutOfRange>();
    let conn = Connector::new()
        .config(config)
        .connect(("127.0.0.1", server.port()))?;
    let lab: LabClient = conn.root()?.extract()?;

    assert_eq!(lab.measure(3, 0.5, None)?, "3 0.5 V");
    assert_eq!(lab.measure(3, 0.5, Some("mV"))?, "3 0.5 mV");
    let named = HashMap::from([("a".to_owned(), 10)]);
    assert_eq!(lab.all(vec![1, 2], named)?, 13);
    let settings = dict! { "volts" => 1.5, "amps" => 0.5 }?;
    let expected = [("volts".to_owned(), 1.5), ("amps".to_owned(), 0.5)];
    assert_eq!(lab.apply(settings)?, expected);

    let raised = lab.set(3, 7.5).expect_err("out of range");
    let known = OutOfRange {
        channel: 3,
        volts: 7.5,
    };
    assert_eq!(raised.downcast(), Some(known));

    let (tell, told) = channel();
    let progress = callback(move |done: u32, steps: u32| {
        let _ = tell.send((done, steps));
        done
    });
    assert_eq!(lab.sweep(3, progress)?, 6);
    assert_eq!(
        told.try_iter().collect::<Vec<_>>(),
        [(1, 3), (2, 3), (3, 3)]
    );

    let probe = lab.probe()?;
    probe.set_size(5)?;
    assert_eq!((probe.size()?, probe.async_size()?.value()?), (5, 5));

    let measured = [
        lab.async_measure(1, 1.0, None)?,
        lab.async_measure(2, 1.0, None)?,
    ];
    AsyncResult::wait_all(measured.iter().map(|call| &**call), None)?;
    assert_eq!(measured[1].value()?, "2 1.0 V");
    let late = lab.timed(Duration::from_millis(20)).hold(2.0);
    let late = late.expect_err("it takes longer");
    assert!(
        late.to_string().starts_with("hold (CALLATTR, seq "),
        "{late}"
    );
    assert!(matches!(late, Error::Timeout(_)));
    conn.close()
}
