//! `conn._channel`: what programs ask of it, its stream and the socket below.

use std::sync::{Arc, Weak};

use rpyc_core::object::{Any, Context, IdParts, MethodInfo, Object, ObjectResult};
use rpyc_core::session::WeakConnection;
use rpyc_core::{Connection, Exception, args};

use super::{attr, gone, method_names};
use crate::arguments::{MethodDef, method};
use crate::evaluator::Session;

/// The channel of a connection, or its stream.
pub(super) struct Channel {
    connection: WeakConnection,
    session: Weak<dyn Session>,
    part: Part,
    this: Weak<Channel>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Channel,
    Stream,
}

impl Channel {
    pub(super) fn object(connection: WeakConnection, session: Weak<dyn Session>) -> Any {
        Channel::part(connection, session, Part::Channel)
    }

    fn part(connection: WeakConnection, session: Weak<dyn Session>, part: Part) -> Any {
        Any::Local(Arc::new_cyclic(|this| Channel {
            connection,
            session,
            part,
            this: this.clone(),
        }))
    }

    fn open(&self) -> Option<Connection> {
        let connection = self.connection.upgrade();
        connection.filter(|connection| !connection.is_closed())
    }

    fn descriptor(&self) -> ObjectResult<i64> {
        let connection = self.open().ok_or_else(gone)?;
        let descriptor = connection.fileno();
        descriptor
            .map(i64::from)
            .ok_or_else(|| Exception::value_error("the stream has no descriptor"))
    }

    /// The socket: Python's own object, on a descriptor of its own.
    fn socket(&self, cx: &Context<'_>) -> ObjectResult {
        let descriptor = self.descriptor()?;
        let session = self.session.upgrade().ok_or_else(gone)?;
        let (os, socket) = (session.import(cx, "os")?, session.import(cx, "socket")?);
        let copy = attr(cx, &os, "dup")?.call_in(cx, args![descriptor])?;
        attr(cx, &socket, "socket")?.call_in(cx, args![fileno = copy])
    }
}

impl Object for Channel {
    fn id_parts(&self) -> IdParts {
        let class = match self.part {
            Part::Channel => "rpyc.core.channel.Channel",
            Part::Stream => "rpyc.core.stream.SocketStream",
        };
        IdParts::instance(class, self)
    }

    fn attr(&self, cx: &Context<'_>, name: &str) -> ObjectResult {
        match (name, self.part) {
            ("closed", _) => return Ok(Any::from(self.open().is_none())),
            ("stream", Part::Channel) => {
                let (connection, session) = (self.connection.clone(), self.session.clone());
                return Ok(Channel::part(connection, session, Part::Stream));
            }
            ("compress", Part::Channel) => {
                let connection = self.open().ok_or_else(gone)?;
                return Ok(Any::from(connection.config().compress));
            }
            ("sock", Part::Stream) => return self.socket(cx),
            _ => {}
        }
        let method = MethodDef::bound(METHODS, &self.this, name);
        method.ok_or_else(|| self.no_attribute(name))
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(method_names(METHODS))
    }
}

static METHODS: &[MethodDef<Channel>] = &[
    method("close", &[], 0, |this, _, _| {
        if let Some(connection) = this.open() {
            connection.close().map_err(Exception::from)?;
        }
        Ok(Any::NONE)
    }),
    method("fileno", &[], 0, |this, _, _| {
        this.descriptor().map(Any::from)
    }),
];
