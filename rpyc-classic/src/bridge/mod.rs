//! The bridge between Python objects and RPyC's: for those who make an evaluator.
//!
//! What leaves an interpreter is a value or a [`Handle`] with its [`PySession`]; what comes in is a value or
//! a netref with its [`Target`]. All of that is the same for each interpreter, which is a [`Runtime`]: a few
//! verbs. What isn't hot is in the Python sources (`python`), which the bridge calls.

mod answer;
mod exceptions;
mod handle;
mod native;
mod session;
mod shared;
mod target;
mod values;

use std::cell::Cell;
use std::sync::Arc;
use std::thread::LocalKey;

use num_bigint::BigInt;
use rpyc_core::Exception;
use rpyc_core::object::IdParts;
use rpyc_core::wire::{Int, Str, Value};

pub use self::answer::Answer;
pub use self::handle::Handle;
pub use self::native::{connect, current_connection, default_options, dump, dumpable, load};
pub use self::session::{OpenSession, PySession, SavedState, install};
pub use self::shared::Shared;
pub use self::target::Target;
use crate::interrupt::Work;
use crate::peer::Current;

/// An interpreter, as the bridge uses it.
///
/// A thread is *attached* while it works with objects, which a [`Vm`](Runtime::Vm) stands for. What takes
/// one is called attached; nothing else here touches the interpreter.
pub trait Runtime: Send + Sync + Sized + 'static {
    /// What an attached thread has.
    type Vm<'a>: Copy;
    /// An object, for as long as the thread is attached.
    type Object<'a>: Clone;
    /// What Python code has raised.
    type Error;
    /// An object that Rust keeps. It may be dropped on any thread, under no lock: where Python can't run,
    /// that is left to an executing thread.
    type Held: Send + Sync + 'static;
    /// What a session's code has set for its thread, while no thread runs the session. It may be dropped as
    /// what is held.
    type State: Send + 'static;

    /// Runs `work` attached. A panic comes out as an exception.
    ///
    /// # Errors
    /// When the interpreter has been stopped.
    fn attached<R>(&self, work: impl for<'a> FnOnce(Self::Vm<'a>) -> R) -> Result<R, Exception>;

    /// The only way out: `wait` runs detached, may block, and may run other requests on this thread. No lock
    /// is held.
    ///
    /// # Errors
    /// When there is nobody to ask, or a signal's handler has raised: see [`Runtime::raised_meanwhile`].
    fn ask<R: Send>(vm: Self::Vm<'_>, wait: impl FnOnce() -> R + Send) -> Result<R, Exception>;

    /// Runs `work` with what the session's code has set for its thread, which is kept afterwards
    /// ([`PySession::take_state`], [`PySession::park_state`]).
    ///
    /// # Errors
    /// When that can't be put in place; the work isn't done then.
    fn in_place<R>(
        vm: Self::Vm<'_>,
        session: &Arc<PySession<Self>>,
        work: impl for<'a> FnOnce(Self::Vm<'a>) -> R,
    ) -> Result<R, Self::Error>;

    /// The sessions whose code a thread runs.
    fn current() -> &'static LocalKey<Current<PySession<Self>>>;

    /// Lets other threads have their turn, and raises what this thread is to raise.
    ///
    /// # Errors
    /// What ends the request.
    fn pause(vm: Self::Vm<'_>) -> Result<(), Self::Error>;

    /// Interrupts what still runs of the work of a client that has gone; returns at once.
    fn end(&self, work: &Arc<Work>, client: String);

    /// The client of the session has gone: lets go of what was kept for it. Called attached.
    ///
    /// # Errors
    /// What Python code has raised.
    fn session_ended(_: Self::Vm<'_>, _: &Arc<PySession<Self>>) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The last handle of a client's session is dropped.
    fn session_dropped(&self) {}

    /// Keeps an object.
    fn hold(&self, object: Self::Object<'_>) -> Self::Held;

    /// What is kept.
    fn held<'a>(vm: Self::Vm<'a>, held: &Self::Held) -> Self::Object<'a>;

    /// What the object is made of, if it is exactly of a type that travels by value; an int if
    /// [`int`] takes it, a text if it has UTF-8.
    fn take_apart<'a>(
        vm: Self::Vm<'a>,
        object: &Self::Object<'a>,
    ) -> Option<Plain<Self::Object<'a>>>;

    /// The object that is made of it, piece by piece: [`next_piece`] is called for each item of a frozenset.
    ///
    /// # Errors
    /// What making it raises; a TypeError for a type.
    fn make<'a>(
        vm: Self::Vm<'a>,
        plain: Plain<Self::Object<'a>>,
    ) -> Result<Self::Object<'a>, Self::Error>;

    /// `hash(object)`
    ///
    /// # Errors
    /// What that raises.
    fn hash(vm: Self::Vm<'_>, object: &Self::Object<'_>) -> Result<i64, Self::Error>;

    /// Whether they are one.
    fn is(one: &Self::Object<'_>, other: &Self::Object<'_>) -> bool;

    /// `object.name`
    ///
    /// # Errors
    /// What that raises.
    fn attr<'a>(
        vm: Self::Vm<'a>,
        object: &Self::Object<'a>,
        name: &str,
    ) -> Result<Self::Object<'a>, Self::Error>;

    /// `object.name = value`
    ///
    /// # Errors
    /// What that raises; a MemoryError where the interpreter would keep the name for good, and has no room.
    fn set_attr<'a>(
        vm: Self::Vm<'a>,
        object: &Self::Object<'a>,
        name: &str,
        value: Self::Object<'a>,
    ) -> Result<(), Self::Error>;

    /// `del object.name`
    ///
    /// # Errors
    /// As [`Runtime::set_attr`].
    fn del_attr<'a>(
        vm: Self::Vm<'a>,
        object: &Self::Object<'a>,
        name: &str,
    ) -> Result<(), Self::Error>;

    /// `function(*args, **named)`
    ///
    /// # Errors
    /// What that raises.
    fn call<'a>(
        vm: Self::Vm<'a>,
        function: &Self::Object<'a>,
        args: Vec<Self::Object<'a>>,
        named: Vec<(Str, Self::Object<'a>)>,
    ) -> Result<Self::Object<'a>, Self::Error>;

    /// What an id_pack is made of, and whether the object's class decides by itself who may do what. Native
    /// where calling the sources takes too long.
    ///
    /// # Errors
    /// What the sources raise.
    fn identify<'a>(
        vm: Self::Vm<'a>,
        shared: &Shared<Self>,
        object: &Self::Object<'a>,
    ) -> Result<(IdParts, bool), Self::Error> {
        shared.identify(vm, object)
    }

    /// Whether the class of the object's class is this one.
    fn is_of_metaclass<'a>(object: &Self::Object<'a>, metaclass: &Self::Object<'a>) -> bool;

    /// What the native object stands for, if it is of the native module's class `Target`.
    fn target<'o>(object: &'o Self::Object<'_>) -> Option<&'o Target<Self>>;

    /// The native object of that class.
    ///
    /// # Errors
    /// When the interpreter can't make it.
    fn wrap<'a>(vm: Self::Vm<'a>, target: Target<Self>) -> Result<Self::Object<'a>, Self::Error>;

    /// The same of its class `Answer`.
    ///
    /// # Errors
    /// When the interpreter can't make it.
    fn wrap_answer<'a>(
        vm: Self::Vm<'a>,
        answer: Answer<Self>,
    ) -> Result<Self::Object<'a>, Self::Error>;

    /// Whether methods of netrefs may be named so: classes keep such names for good.
    fn admits_method(vm: Self::Vm<'_>, name: &str) -> bool;

    /// Whether attributes of a peer's exceptions may be named so.
    fn admits_attribute(_: &str) -> bool {
        true
    }

    /// The exception that was raised, with its traceback.
    fn exception(vm: Self::Vm<'_>, error: Self::Error) -> Self::Object<'_>;

    /// What raises the object, if it is an exception.
    fn error(vm: Self::Vm<'_>, object: Self::Object<'_>) -> Option<Self::Error>;

    /// An error of this side's own, of that builtin class: an AttributeError, a TypeError or a ValueError.
    fn own_error(vm: Self::Vm<'_>, class: &str, message: String) -> Self::Error;

    /// What is to be raised in place of whatever [`Runtime::ask`] has failed with.
    fn raised_meanwhile() -> Option<Self::Error> {
        None
    }

    /// Nobody is there to whom an error could go that `function` has raised.
    fn unraisable(vm: Self::Vm<'_>, error: Self::Error, function: Self::Object<'_>);

    /// The name of the object's class, found without running Python code.
    fn class_name(object: &Self::Object<'_>) -> String;
}

/// What is exactly of a type that travels by value.
#[derive(Debug)]
pub enum Plain<O> {
    /// A value that has no parts.
    Value(Value),
    /// A tuple of these.
    Tuple(Vec<O>),
    /// A frozenset of these.
    FrozenSet(Vec<O>),
    /// A slice: start, stop, step.
    Slice([O; 3]),
}

/// The value of an int of more than 64 bits, which `read` reads if it isn't too large for some peers.
pub fn int(bits: u64, read: impl FnOnce() -> Option<BigInt>) -> Option<Value> {
    // Not all peers read an int of more digits; what has more bits certainly has more of them.
    if bits > MAX_INT_BITS {
        return None;
    }
    let int = read()?;
    let digits = int.magnitude().to_string().len();
    (digits <= MAX_INT_DIGITS).then(|| Value::Int(Int::from(int)))
}

/// To be called for every item of a large value of a peer's, which is made into objects piece by piece:
/// between two pieces other threads get their turn, and a request that is to end does so.
///
/// # Errors
/// The exception that ends the request.
pub fn next_piece<P: Runtime>(vm: P::Vm<'_>) -> Result<(), P::Error> {
    let count = COUNT.get().wrapping_add(1);
    COUNT.set(count);
    match count.is_multiple_of(PIECE) {
        true => P::pause(vm),
        false => Ok(()),
    }
}

thread_local! {
    static COUNT: Cell<u32> = const { Cell::new(0) };
}

/// Takes about a millisecond.
const PIECE: u32 = 4096;

/// What Python reads from decimal text unless told otherwise.
const MAX_INT_DIGITS: usize = 4300;

const MAX_INT_BITS: u64 = 14_285;
