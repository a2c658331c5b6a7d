//! What clients get: classic mode, or a service that is written in Python.

use std::sync::Arc;

use rpyc_classic::hosting::{HostError, HostOptions, HostPart, Hosted};
use rpyc_classic::{Evaluator, SlaveOptions, SlaveService};
use rpyc_core::service::ServiceFactory;

use crate::program::cli::ServeOptions;
use crate::program::failure::Failure;

/// What clients get, and the names by which a registry is told of it.
pub(crate) struct Offer {
    pub(crate) factory: Arc<dyn ServiceFactory>,
    pub(crate) names: Vec<String>,
}

impl Offer {
    /// Finds what the options name.
    pub(crate) fn new(
        evaluator: Arc<dyn Evaluator>,
        options: &ServeOptions,
    ) -> Result<Offer, Failure> {
        let given = &options.registering.names;
        let Some(place) = &options.service.place else {
            let mut slave = SlaveOptions::default();
            slave.allow_pickle = !options.serving.no_pickle;
            return Ok(Offer {
                factory: SlaveService::factory(evaluator, slave),
                names: given.clone(),
            });
        };
        let mut host = HostOptions::default();
        host.place = place.clone();
        // Nothing is made for a check.
        host.is_shared = options.service.shared && !options.serving.check;
        host.protocol_config = options.service.protocol_config.clone();
        host.no_pickle = options.serving.no_pickle;
        let hosted = Hosted::load(evaluator, &host).map_err(|error| unusable(place, error))?;
        Ok(Offer {
            names: match names_are_given(options) {
                true => given.clone(),
                false => hosted.names().to_vec(),
            },
            factory: hosted.factory(),
        })
    }
}

fn unusable(place: &str, error: HostError) -> Failure {
    let option = match error.part {
        HostPart::Config => "--protocol-config".to_owned(),
        _ => format!("--service {place}"),
    };
    let failure = Failure::usage(format!("{option}: {error}"));
    match error.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn names_are_given(options: &ServeOptions) -> bool {
    options.given.iter().any(|name| name == "service-name")
}

/// The line by which a check tells the names that a registry would be told.
pub(crate) fn line_of_names(names: &[String]) -> String {
    format!("{NAMES}{}\n", names.join(", "))
}

/// The Python that a check has told of, which is behind its first line.
pub(crate) fn python_in(report: &str) -> Option<String> {
    let python = report.lines().nth(1)?;
    (!python.starts_with(NAMES)).then(|| python.to_owned())
}

/// The names that a check of these options has told.
pub(crate) fn names_in(report: &str, options: &ServeOptions) -> Vec<String> {
    let told = report.lines().find_map(|line| line.strip_prefix(NAMES));
    match told {
        Some(names) if !names_are_given(options) => names.split(", ").map(str::to_owned).collect(),
        _ => options.registering.names.clone(),
    }
}

const NAMES: &str = "service names: ";
