//! What is nested deeper than can be sent.

use rpyc_core::{Any, Config, Error, Exception, Exposed, Value, args, service};

use crate::support::{raised, session};

struct Deep;

#[service]
impl Deep {
    #[exposed]
    fn length(&self, items: Vec<Any>) -> usize {
        items.len()
    }

    #[exposed]
    fn deep(&self, levels: usize) -> Any {
        Any::from(nested(levels))
    }

    #[exposed]
    fn fail(&self, levels: usize) -> Result<(), Exception> {
        let error = Exception::value_error("deep").with_arg(nested(levels));
        Err(error.with_attr("why", nested(levels)))
    }
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(Value::None, |value, _| Value::Tuple(vec![value]))
}

#[test]
fn an_argument_or_a_result_of_any_depth_is_an_error_and_no_overflow() {
    let session = session(Exposed::new(Deep), Config::default());
    for levels in [1_000, 20_000, 200_000] {
        let argument = session.call("length", args![Any::from(nested(levels))]);
        assert!(matches!(argument, Err(Error::Unsendable(_))), "{levels}");
        // A reference keeps the tuples around it from being a plain value.
        let reference = Any::Netref(session.root.clone());
        let mixed = (0..levels).fold(reference, |any, _| Any::tuple([any]));
        let both = Any::tuple([Any::from(nested(levels)), mixed]);
        let refused = session.call("length", args![both]).expect_err("too deep");
        assert!(refused.to_string().contains("max_depth"), "{refused}");
        let exception = raised(session.call("deep", args![levels as u64]));
        assert!(exception.is("ValueError"), "{exception}");
    }
    session.client.ping().expect("it works on");
}

#[test]
fn an_exception_with_arguments_of_any_depth_arrives_and_is_no_overflow() {
    let session = session(Exposed::new(Deep), Config::default());
    for levels in [1_000, 20_000, 200_000] {
        let exception = raised(session.call("fail", args![levels as u64]));
        assert!(exception.is("ValueError"), "{exception}");
    }
    session.client.ping().expect("it works on");
}
