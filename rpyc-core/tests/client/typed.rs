//! Typed clients, and exceptions that are Rust types at both sides.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use rpyc_core::*;

/// What a peer makes of it is called by the names of Python.
#[derive(Clone, Debug, PartialEq, thiserror::Error, PythonException)]
#[error("{volts} V are out of range")]
#[exception(module = "lab::errors", class = "OutOfRangeError")]
struct OutOfRange {
    volts: f64,
    channels: Vec<u32>,
    r#type: Option<String>,
}

/// By its arguments.
#[derive(Debug, PartialEq, thiserror::Error, PythonException)]
#[error("{0} is busy for {1} s")]
#[exception(module = "lab")]
struct Busy(String, u32);

/// By arguments and attributes.
#[derive(Debug, PartialEq, thiserror::Error, PythonException)]
#[error("code {code}")]
#[exception(module = "lab")]
struct Broken {
    detail: String,
    #[arg]
    code: i64,
}

/// By its class alone, in the module where it stands.
#[derive(Debug, PartialEq, thiserror::Error, PythonException)]
#[error("the lamp burns")]
struct Burning;

#[derive(Debug, thiserror::Error)]
enum LabError {
    #[error(transparent)]
    OutOfRange(OutOfRange),
    #[error(transparent)]
    Other(Error),
}

impl From<Error> for LabError {
    fn from(error: Error) -> LabError {
        match error.downcast() {
            Some(known) => LabError::OutOfRange(known),
            None => LabError::Other(error),
        }
    }
}

#[client]
trait Lab {
    fn measure(
        &self,
        channel: u32,
        #[keyword] gain: f64,
        #[default] unit: Option<&str>,
    ) -> Result<String>;
    fn set(&self, volts: f64) -> Result<(), LabError>;
    fn fail(&self, how: &str) -> Result<()>;
    #[exposed(name = "match")]
    fn sum(
        &self,
        #[rest] numbers: Vec<i64>,
        #[keywords] named: HashMap<String, i64>,
    ) -> Result<i64>;
    fn probe(&self) -> Result<ProbeClient>;
    fn hold(&self) -> Result<()>;

    fn twice(&self, channel: u32) -> Result<String> {
        Ok(format!("{0} {0}", self.measure(channel, 1.0, None)?))
    }
}

#[client(name = "ProbeClient")]
trait Probe {
    #[getter]
    fn size(&self) -> Result<u32>;
    #[setter]
    fn set_size(&self, size: u32) -> Result<()>;
    fn itself(&self, probe: ProbeClient) -> Result<bool>;
}

struct LabService(Mutex<std::sync::mpsc::Receiver<()>>);

#[service]
impl LabService {
    #[exposed]
    fn measure(&self, channel: u32, #[default = 1.0] gain: f64, #[default] unit: String) -> String {
        format!("{channel} {gain}{unit}")
    }

    #[exposed]
    fn set(&self, volts: f64) -> Result<(), OutOfRange> {
        match volts {
            0.0..5.0 => Ok(()),
            volts => Err(OutOfRange {
                volts,
                channels: vec![1, 2],
                r#type: None,
            }),
        }
    }

    #[exposed]
    fn fail(&self, how: &str) -> Result<(), Exception> {
        match how {
            "busy" => Err(Busy("lamp".to_owned(), 5))?,
            "broken" => Err(Broken {
                detail: "fuse".to_owned(),
                code: 7,
            })?,
            _ => Err(Burning)?,
        }
    }

    #[exposed]
    fn r#match(&self, #[rest] numbers: Vec<i64>, #[keywords] named: HashMap<String, i64>) -> i64 {
        numbers.iter().chain(named.values()).sum()
    }

    #[exposed]
    fn probe(&self) -> ProbeObject {
        ProbeObject(Mutex::new(1))
    }

    #[exposed]
    fn hold(&self) {
        let _ = self.0.lock().map(|held| held.recv());
    }
}

struct ProbeObject(Mutex<u32>);

#[expose]
impl ProbeObject {
    #[getter]
    fn size(&self) -> u32 {
        *self.0.lock().expect("no panic")
    }

    #[setter]
    fn set_size(&self, size: u32) {
        *self.0.lock().expect("no panic") = size;
    }

    #[exposed]
    fn itself(&self, this: &Exposed<ProbeObject>, probe: Exposed<ProbeObject>) -> bool {
        std::ptr::eq::<ProbeObject>(&**this, &*probe)
    }
}

fn lab() -> Result<(Connection, LabClient, std::sync::mpsc::Sender<()>)> {
    let (let_go, held) = std::sync::mpsc::channel();
    let client = Config::new()
        .known_exception::<OutOfRange>()
        .known_exception::<Busy>()
        .known_exception::<Broken>()
        .known_exception::<Burning>();
    let server = Config::new().allow_setattr(true);
    let service = LabService(Mutex::new(held));
    let conn = Connector::new()
        .config(client)
        .connect_thread(service, server)?;
    let lab = conn.root()?.extract()?;
    Ok((conn, lab, let_go))
}

#[test]
fn the_methods_of_a_trait_call_those_of_a_service() -> Result<()> {
    let (conn, lab, _let_go) = lab()?;
    assert_eq!(lab.measure(3, 0.5, None)?, "3 0.5");
    assert_eq!(lab.measure(3, 0.5, Some("mV"))?, "3 0.5mV");
    assert_eq!(lab.twice(2)?, "2 1 2 1");
    let named = HashMap::from([("a".to_owned(), 10)]);
    assert_eq!(lab.sum(vec![1, 2], named)?, 13);
    // Of another type than the method says.
    assert!(matches!(lab.measure(1, f64::NAN, None), Ok(text) if text == "1 NaN"));
    let wrong: WrongClient = conn.root()?.extract()?;
    assert!(matches!(wrong.measure(1), Err(Error::Conversion(_))));
    conn.close()
}

#[client]
trait Wrong {
    fn measure(&self, channel: u32) -> Result<i64>;
}

#[test]
fn objects_behind_a_typed_client_are_typed_too() -> Result<()> {
    let (conn, lab, _let_go) = lab()?;
    let probe = lab.probe()?;
    assert_eq!(probe.size()?, 1);
    probe.set_size(5)?;
    assert_eq!(probe.async_size()?.value()?, 5);
    probe.async_set_size(6)?.value()?;
    assert_eq!(probe.timed(Duration::from_secs(60)).size()?, 6);
    assert!(probe.itself(probe.clone())?);
    // What isn't an object is no client.
    let refused = Any::from(1).extract::<ProbeClient>().map(drop);
    assert!(matches!(refused, Err(Error::Conversion(_))), "{refused:?}");
    conn.close()
}

#[test]
fn a_typed_call_has_a_twin_that_does_not_wait_and_one_with_a_limit() -> Result<()> {
    let (conn, lab, let_go) = lab()?;
    let held = lab.async_hold()?;
    let measured = [
        lab.async_measure(1, 1.0, None)?,
        lab.async_measure(2, 1.0, None)?,
    ];
    assert!(!held.ready());
    let late = lab.timed(Duration::from_millis(1)).measure(1, 1.0, None);
    assert!(late.is_err_and(|error| error.is_timeout()));
    let _ = let_go.send(());
    held.value()?;
    AsyncResult::wait_all(measured.iter().map(|call| &**call), None)?;
    let texts: Result<Vec<String>> = measured.iter().map(object::AsyncCall::value).collect();
    assert_eq!(texts?, ["1 1", "2 1"]);
    conn.close()
}

#[test]
fn an_exception_that_is_a_rust_type_arrives_as_it() -> Result<()> {
    let (conn, lab, _let_go) = lab()?;
    let raised = lab.set(7.0).expect_err("out of range");
    let expected = OutOfRange {
        volts: 7.0,
        channels: vec![1, 2],
        r#type: None,
    };
    assert!(
        matches!(&raised, LabError::OutOfRange(known) if *known == expected),
        "{raised}"
    );
    let busy = lab.fail("busy").expect_err("busy");
    assert_eq!(busy.downcast(), Some(Busy("lamp".to_owned(), 5)));
    assert_eq!(busy.to_string(), "lab.Busy: ('lamp', 5)");
    let broken = lab.fail("broken").expect_err("broken");
    let expected = Broken {
        detail: "fuse".to_owned(),
        code: 7,
    };
    assert_eq!(broken.downcast(), Some(expected));
    let burning = lab.fail("burning").expect_err("burning");
    assert_eq!(burning.downcast(), Some(Burning));
    assert_eq!(burning.downcast::<Busy>(), None);
    assert!(
        burning
            .to_string()
            .ends_with("typed.Burning: the lamp burns"),
        "{burning}"
    );
    // What has no such fields isn't one, whatever it calls itself.
    let other = Exception::new("lab", "Busy").with_arg(1);
    assert_eq!(Busy::from_exception(&other), None);
    conn.close()
}

#[test]
fn as_an_exception_it_has_the_message_and_the_fields() {
    let exception = Exception::from(OutOfRange {
        volts: 7.0,
        channels: vec![1],
        r#type: Some("dc".to_owned()),
    });
    assert_eq!(
        exception.to_string(),
        "lab.errors.OutOfRangeError: 7 V are out of range"
    );
    assert_eq!(exception.attr("volts"), Some(&Value::from(7.0)));
    assert_eq!(exception.attr("type").and_then(Value::as_str), Some("dc"));
}
