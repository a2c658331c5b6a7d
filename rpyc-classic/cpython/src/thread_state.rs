//! What Python and the system keep by thread, as part of a session.
//!
//! A thread runs one session after the other, and a session runs on one thread after the other. So
//! what code sets for its thread (trace functions, context variables, `threading.local`, the signal
//! mask, the locale ...) is put in place when a thread begins to run a session, and taken out when it
//! ends: each client has its own, whichever threads run it.
//!
//! Where a second thread runs the same session at the same time, it begins with nothing set, as a
//! new thread does. Threads that Python code has started keep what is theirs, and so does a process
//! that is one client's.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi::PyThreadState_GetDict;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule, PyTuple};
use rpyc_classic::bridge::SavedState;
use rpyc_classic::peer::Current;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use rpyc_classic::threads::locale::Locale;
use rpyc_classic::threads::{SignalMask, niceness};
use rpyc_core::executor::retire;

use crate::attach::{DeferredDrop, Permanent};
use crate::here::{self, PythonSession};
use crate::policy::policy;

/// From now on each session has its own: this process has several clients. What a new thread has is what
/// this one has.
pub(crate) fn share() {
    let new_thread = NewThread {
        signal_mask: SignalMask::current(),
        niceness: niceness(),
    };
    // Once: there is one evaluator.
    let _ = NEW_THREAD.set(new_thread);
}

/// Makes this thread, which will run sessions, a new one: it has begun as a copy of one that ran code of
/// a client's.
pub(crate) fn prepare_thread() {
    if let Some(new_thread) = NEW_THREAD.get() {
        let _ = new_thread.signal_mask.replace();
        RUNS_SESSIONS.set(true);
    }
}

/// Runs the work with what the session's code has set for its thread.
///
/// # Errors
/// When that can't be put in place; the work isn't done then.
pub(crate) fn in_place<R>(
    py: Python<'_>,
    session: &Arc<PythonSession>,
    work: impl for<'a> FnOnce(Python<'a>) -> R,
) -> PyResult<R> {
    let outer = current();
    let is_in_place = outer
        .as_ref()
        .is_some_and(|outer| Arc::ptr_eq(outer, session));
    if is_in_place || !RUNS_SESSIONS.get() {
        return Ok(work(py));
    }
    let before = match outer {
        Some(_) => ThreadState::take(py)?,
        None => ThreadState::default(),
    };
    let mut in_place = InPlace {
        py,
        session,
        before: Some(before),
        context: None,
        is_spare: false,
    };
    let (state, context) = match session.take_state() {
        SavedState::Parked(parked) => parked.unpark(py)?,
        kept => {
            in_place.is_spare = matches!(kept, SavedState::Taken);
            (ThreadState::default(), policy().context.bind(py).call0()?)
        }
    };
    in_place.context = Some(context.clone());
    state.put(py)?;
    run_within(py, &context, work)
}

/// What code has set for a thread, apart from context variables.
#[derive(Default)]
struct ThreadState<'py> {
    // What the Python sources see to.
    others: Option<Bound<'py, PyTuple>>,
    trace: Option<Bound<'py, PyAny>>,
    profile: Option<Bound<'py, PyAny>>,
    signal_mask: Option<SignalMask>,
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    locale: Option<Locale>,
}

impl<'py> ThreadState<'py> {
    /// Takes it out of this thread, which is like a new one afterwards.
    fn take(py: Python<'py>) -> PyResult<ThreadState<'py>> {
        let policy = policy();
        let mut state = ThreadState {
            // First of all: the rest isn't to be traced.
            trace: switch_off(py, &policy.gettrace, &policy.settrace)?,
            profile: switch_off(py, &policy.getprofile, &policy.setprofile)?,
            ..ThreadState::default()
        };
        if let Some(new_thread) = NEW_THREAD.get() {
            let mask = SignalMask::current();
            if mask != new_thread.signal_mask {
                state.signal_mask = Some(new_thread.signal_mask.replace());
            }
            if niceness() != new_thread.niceness {
                retire(); // it can't be put back without privileges
            }
        }
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        {
            let locale = Locale::of_the_process().replace();
            state.locale = (!locale.is_of_the_process()).then_some(locale);
        }
        let others = policy.take.bind(py).call0()?;
        state.others = others.cast_into::<PyTuple>().ok();
        Ok(state)
    }

    fn is_empty(&self) -> bool {
        let is_set = self.others.is_some() || self.trace.is_some() || self.profile.is_some();
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        let is_set = is_set || self.locale.is_some();
        !is_set && self.signal_mask.is_none()
    }

    /// Puts it on this thread, on which nothing is set.
    fn put(self, py: Python<'py>) -> PyResult<()> {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        if let Some(locale) = self.locale {
            drop(locale.replace());
        }
        if let Some(mask) = self.signal_mask {
            let _ = mask.replace();
        }
        let policy = policy();
        if let Some(others) = self.others {
            policy.put.bind(py).call1(others)?;
        }
        if let Some(profile) = self.profile {
            policy.setprofile.bind(py).call1((profile,))?;
        }
        if let Some(trace) = self.trace {
            policy.settrace.bind(py).call1((trace,))?;
        }
        Ok(())
    }
}

/// The function that is called for what code does, which isn't called from now on.
fn switch_off<'py>(
    py: Python<'py>,
    get: &Permanent,
    set: &Permanent,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let function = get.bind(py).call0()?;
    if function.is_none() {
        return Ok(None);
    }
    set.bind(py).call1((py.None(),))?;
    Ok(Some(function))
}

/// A session's state while no thread runs it.
pub(crate) struct Parked {
    // The context, and what a thread's state has of Python's.
    python: DeferredDrop,
    signal_mask: Option<SignalMask>,
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    locale: Option<Locale>,
}

impl Parked {
    fn new<'py>(
        py: Python<'py>,
        state: ThreadState<'py>,
        context: &Bound<'py, PyAny>,
    ) -> PyResult<Parked> {
        let python = (context, state.others, state.trace, state.profile);
        Ok(Parked {
            python: DeferredDrop::new(python.into_pyobject(py)?.into_any()),
            signal_mask: state.signal_mask,
            #[cfg(all(target_os = "linux", target_env = "gnu"))]
            locale: state.locale,
        })
    }

    fn unpark(self, py: Python<'_>) -> PyResult<(ThreadState<'_>, Bound<'_, PyAny>)> {
        let (context, others, trace, profile) = self.python.bind(py).extract()?;
        let state = ThreadState {
            others,
            trace,
            profile,
            signal_mask: self.signal_mask,
            #[cfg(all(target_os = "linux", target_env = "gnu"))]
            locale: self.locale,
        };
        Ok((state, context))
    }
}

/// While it lives, this thread has the state of a session; then it has its own again.
struct InPlace<'a, 'py> {
    py: Python<'py>,
    session: &'a Arc<PythonSession>,
    // None only within drop.
    before: Option<ThreadState<'py>>,
    // None until it is known.
    context: Option<Bound<'py, PyAny>>,
    // Another thread has what will be kept.
    is_spare: bool,
}

impl InPlace<'_, '_> {
    fn leave(&mut self) -> PyResult<()> {
        let state = ThreadState::take(self.py);
        let before = self.before.take().unwrap_or_default();
        let put_back = before.put(self.py);
        let state = state?;
        if self.session.peer().is_over() {
            forget_limits(self.py, self.session)?;
        }
        if let (Some(context), false) = (&self.context, self.is_spare) {
            let is_empty = context.len()? == 0;
            let kept = match state.is_empty() && is_empty {
                true => SavedState::None,
                false => SavedState::Parked(Parked::new(self.py, state, context)?),
            };
            self.session.park_state(kept);
        }
        put_back
    }
}

impl Drop for InPlace<'_, '_> {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            log::warn!("what a client has set for its thread is lost: {error}");
            retire();
        }
    }
}

/// Forgets what the session's code has set for the whole process, and what was to hold for it alone.
pub(crate) fn forget_limits(py: Python<'_>, session: &PythonSession) -> PyResult<()> {
    let number = session.work().number();
    policy().session_ended.call1(py, (number,)).map(drop)
}

/// The session whose code this thread runs, the innermost one.
fn current() -> Option<Arc<PythonSession>> {
    Current::innermost(here::current())
}

/// Runs the work within a context of context variables.
fn run_within<R>(
    py: Python<'_>,
    context: &Bound<'_, PyAny>,
    work: impl for<'a> FnOnce(Python<'a>) -> R,
) -> PyResult<R> {
    let (mut work, mut outcome) = (Some(work), None);
    let mut job = |py: Python<'_>| {
        if let Some(work) = work.take() {
            outcome = Some(catch_unwind(AssertUnwindSafe(|| work(py))));
        }
    };
    let job: &mut dyn FnMut(Python<'_>) = &mut job;
    let before = JOB.replace(Some(erase(job)));
    let run = context.call_method1(intern!(py, "run"), (&policy().run_in_context,));
    JOB.set(before);
    match (outcome, run) {
        (Some(Ok(outcome)), _) => Ok(outcome),
        (Some(Err(panic)), _) => resume_unwind(panic),
        (None, Err(error)) => Err(error),
        (None, Ok(_)) => Err(PyRuntimeError::new_err("the context has run nothing")),
    }
}

type Work = dyn FnMut(Python<'_>);

#[allow(unsafe_code)] // a lifetime that Python can't carry
fn erase<'a>(job: &'a mut (dyn FnMut(Python<'_>) + 'a)) -> NonNull<Work> {
    let job: NonNull<dyn FnMut(Python<'_>) + 'a> = NonNull::from(job);
    // Safe: the pointer is used within `run_within` alone, while the job is there.
    unsafe { std::mem::transmute::<NonNull<dyn FnMut(Python<'_>) + 'a>, NonNull<Work>>(job) }
}

/// What a context is to run on this thread.
#[pyfunction]
#[allow(unsafe_code)] // as `erase`
fn run_in_context(py: Python<'_>) {
    if let Some(mut job) = JOB.take() {
        // Safe: `run_within` stands below this call on the stack, and waits for it.
        unsafe { job.as_mut()(py) }
    }
}

/// The number of the session whose code this thread runs.
#[pyfunction]
fn session_number() -> Option<u64> {
    current().map(|session| session.work().number())
}

/// Where Python keeps what belongs to this thread.
#[pyfunction]
#[allow(unsafe_code)] // pyo3 has no function for it
fn thread_dict(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    // Safe: this thread is attached, and what it gives is borrowed from the thread.
    let dict = unsafe { Bound::from_borrowed_ptr_or_opt(py, PyThreadState_GetDict()) };
    let dict = dict.ok_or_else(|| PyRuntimeError::new_err("this thread has no dict"))?;
    Ok(dict.cast_into()?)
}

/// Sets a category of this thread's locale, if there is a name; the name that it has then, None where the
/// system has no such locale.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[pyfunction]
#[pyo3(signature = (category, name = None))]
fn set_locale(category: i32, name: Option<std::ffi::CString>) -> Option<String> {
    rpyc_classic::threads::locale::change(category, name.as_deref())
}

/// Adds to the native module what the Python sources need.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(run_in_context, module)?)?;
    module.add_function(wrap_pyfunction!(session_number, module)?)?;
    module.add_function(wrap_pyfunction!(thread_dict, module)?)?;
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    module.add_function(wrap_pyfunction!(set_locale, module)?)?;
    Ok(())
}

struct NewThread {
    signal_mask: SignalMask,
    niceness: i32,
}

thread_local! {
    // Whether this thread is one of those that run one session after the other.
    static RUNS_SESSIONS: Cell<bool> = const { Cell::new(false) };
    static JOB: Cell<Option<NonNull<Work>>> = const { Cell::new(None) };
}

static NEW_THREAD: OnceLock<NewThread> = OnceLock::new();
