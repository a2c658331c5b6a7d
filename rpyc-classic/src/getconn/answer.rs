//! The AsyncResult that `conn.async_request` gives.

use std::sync::{Arc, Weak};

use rpyc_core::object::{Any, Args, Context, IdParts, MethodInfo, Object, ObjectResult};
use rpyc_core::wire::Str;
use rpyc_core::{AsyncResult, WeakConnection};

use super::{method_names, timeout};
use crate::arguments::{MethodDef, method};
use crate::target::raised;

/// The answer to a request, now or later.
pub(super) struct Answer {
    result: AsyncResult,
    connection: WeakConnection,
    this: Weak<Answer>,
}

impl Answer {
    pub(super) fn object(result: AsyncResult, connection: WeakConnection) -> Any {
        Any::Local(Arc::new_cyclic(|this| Answer {
            result,
            connection,
            this: this.clone(),
        }))
    }

    /// Calls `function` with this object when the answer is in.
    fn add_callback(&self, function: Any) {
        // The callback keeps the answer, as whoever is called needs it.
        let Some(this) = self.this.upgrade() else {
            return;
        };
        let connection = self.connection.clone();
        self.result.add_callback(move |_| {
            let Some(connection) = connection.upgrade() else {
                return;
            };
            let called = function.call_in(
                &Context::new(&connection),
                Args::new().arg(Any::Local(this)),
            );
            if let Err(exception) = called {
                // Nobody waits for what it says.
                log::warn!(
                    "{}: a callback of an AsyncResult failed: {exception}",
                    connection.connid()
                );
            }
        });
    }
}

impl Object for Answer {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("rpyc.core.async_.AsyncResult", self)
    }

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        match name {
            "ready" => return Ok(Any::from(self.result.ready())),
            "error" => return Ok(Any::from(self.result.error())),
            "expired" => return Ok(Any::from(self.result.expired())),
            "value" => return self.result.value().map_err(raised),
            "__doc__" => return Ok(Any::NONE),
            _ => {}
        }
        let method = MethodDef::bound(METHODS, &self.this, name);
        method.ok_or_else(|| self.no_attribute(name))
    }

    fn repr(&self, _: &Context<'_>) -> ObjectResult<Str> {
        let state = match (self.result.ready(), self.result.expired()) {
            (true, _) => "ready",
            (false, true) => "expired",
            (false, false) => "pending",
        };
        Ok(Str::from(format!("<AsyncResult object ({state})>")))
    }

    fn dir(&self, _: &Context<'_>) -> ObjectResult<Vec<Str>> {
        let methods = METHODS.iter().map(|method| method.name);
        let names = methods.chain(["error", "expired", "ready", "value"]);
        Ok(names.map(Str::from_static).collect())
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(method_names(METHODS))
    }
}

static METHODS: &[MethodDef<Answer>] = &[
    method("add_callback", &["func"], 1, |this, _, args| {
        if let Some(function) = args.into_iter().next().flatten() {
            this.add_callback(function);
        }
        Ok(Any::NONE)
    }),
    method("set_expiry", &["timeout"], 1, |this, _, args| {
        this.result.set_expiry(timeout(&args[0], 0.0)?);
        Ok(Any::NONE)
    }),
    method("wait", &[], 0, |this, _, _| {
        this.result.wait().map_err(raised)?;
        Ok(Any::NONE)
    }),
];
