//! [`HostError`]: why a service in Python can't be served.

use rpyc_core::Exception;

/// Why a service in Python can't be served.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct HostError {
    /// What of its options is to blame.
    pub part: HostPart,
    /// What is wrong with it.
    pub message: String,
    /// What to do; the traceback where code has failed.
    pub hint: Option<String>,
}

/// What of the options of a service is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostPart {
    /// The place where it is, or what is there.
    Service,
    /// The config of its connections.
    Config,
}

impl HostError {
    pub(super) fn service(raised: Exception) -> HostError {
        HostError::new(
            HostPart::Service,
            "importing it raised an exception",
            &raised,
        )
    }

    pub(super) fn constructor(raised: Exception) -> HostError {
        HostError::new(
            HostPart::Service,
            "its constructor raised an exception",
            &raised,
        )
    }

    /// Because of the config of its connections.
    #[must_use]
    pub fn config(raised: Exception) -> HostError {
        HostError::new(HostPart::Config, "reading it raised an exception", &raised)
    }

    fn new(part: HostPart, what: &str, raised: &Exception) -> HostError {
        let text = |place: usize| Some(raised.args().get(place)?.as_str()?.to_owned());
        let is_ours = (&**raised.module(), &**raised.class()) == ("_rpyc_services", "Unusable");
        if let (true, Some(message)) = (is_ours, text(0)) {
            let hint = text(1);
            return HostError {
                part,
                message,
                hint,
            };
        }
        HostError {
            part,
            message: format!("{what}: {raised}"),
            hint: raised.traceback().map(|text| text.trim_end().to_owned()),
        }
    }
}

impl From<HostError> for Exception {
    fn from(error: HostError) -> Exception {
        let hint = error.hint.as_deref().unwrap_or_default();
        Exception::value_error(format!("{error}. {hint}"))
    }
}
