//! [`Method`] and [`Property`]: the members of a [`Class`](super::Class).

use std::fmt;

use super::{BoundArgs, Signature};
use crate::object::{Any, Args, Context, Exposed, ObjectResult};
use crate::wire::Str;

/// A method of an exposed type.
pub struct Method<T> {
    pub(crate) name: Str,
    pub(crate) doc: Option<Str>,
    // How many positional arguments it takes at the most, where that is known.
    pub(crate) most: Option<usize>,
    // The file and the line that tracebacks name.
    place: Option<(&'static str, u32)>,
    call: Call<T>,
}

type Call<T> = Box<dyn Fn(&Exposed<T>, &Context<'_>, Args) -> ObjectResult + Send + Sync>;

/// A computed attribute of an exposed type.
pub struct Property<T> {
    pub(crate) name: Str,
    pub(crate) get: Option<Get<T>>,
    pub(crate) set: Option<Set<T>>,
    pub(crate) del: Option<Del<T>>,
}

type Get<T> = Box<dyn Fn(&Exposed<T>, &Context<'_>) -> ObjectResult + Send + Sync>;
type Set<T> = Box<dyn Fn(&Exposed<T>, &Context<'_>, Any) -> ObjectResult<()> + Send + Sync>;
type Del<T> = Box<dyn Fn(&Exposed<T>, &Context<'_>) -> ObjectResult<()> + Send + Sync>;

impl<T: Send + Sync + 'static> Method<T> {
    /// A method that does this.
    pub fn new(
        name: &str,
        call: impl Fn(&Exposed<T>, &Context<'_>, Args) -> ObjectResult + Send + Sync + 'static,
    ) -> Method<T> {
        Method {
            name: Str::from(name),
            doc: None,
            most: None,
            place: None,
            call: Box::new(call),
        }
    }

    /// A method that takes the arguments of this signature.
    pub fn bound(
        name: &str,
        signature: Signature,
        call: impl Fn(&Exposed<T>, &Context<'_>, &mut BoundArgs<'_>) -> ObjectResult
        + Send
        + Sync
        + 'static,
    ) -> Method<T> {
        Method {
            most: signature.most(),
            ..Method::new(name, move |this, cx, args| {
                call(this, cx, &mut signature.bind(args)?)
            })
        }
    }

    /// Sets the docstring.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Method<T> {
        self.doc = Some(Str::from(doc));
        self
    }

    /// Says where it stands in the source, for the tracebacks of what it raises.
    #[must_use]
    pub fn at(mut self, file: &'static str, line: u32) -> Method<T> {
        self.place = Some((file, line));
        self
    }

    /// Calls it; what it raises gets a traceback that ends here.
    pub(crate) fn call(&self, this: &Exposed<T>, cx: &Context<'_>, args: Args) -> ObjectResult {
        (self.call)(this, cx, args).map_err(|exception| {
            if exception.is("StopIteration") {
                return exception;
            }
            let (file, line) = self.place.unwrap_or(("<rust>", 0));
            let function = format!("{}.{}", this.class().name(), self.name);
            exception.located(file, line, &function)
        })
    }
}

impl<T: Send + Sync + 'static> Property<T> {
    /// A property that can neither be read nor set so far.
    pub fn new(name: &str) -> Property<T> {
        Property {
            name: Str::from(name),
            get: None,
            set: None,
            del: None,
        }
    }

    /// What reading it gives.
    #[must_use]
    pub fn get(
        mut self,
        get: impl Fn(&Exposed<T>, &Context<'_>) -> ObjectResult + Send + Sync + 'static,
    ) -> Property<T> {
        self.get = Some(Box::new(get));
        self
    }

    /// What setting it does.
    #[must_use]
    pub fn set(
        mut self,
        set: impl Fn(&Exposed<T>, &Context<'_>, Any) -> ObjectResult<()> + Send + Sync + 'static,
    ) -> Property<T> {
        self.set = Some(Box::new(set));
        self
    }

    /// What deleting it does.
    #[must_use]
    pub fn del(
        mut self,
        del: impl Fn(&Exposed<T>, &Context<'_>) -> ObjectResult<()> + Send + Sync + 'static,
    ) -> Property<T> {
        self.del = Some(Box::new(del));
        self
    }
}

impl<T> fmt::Debug for Method<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<method {}>", self.name)
    }
}

impl<T> fmt::Debug for Property<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<property {}>", self.name)
    }
}
