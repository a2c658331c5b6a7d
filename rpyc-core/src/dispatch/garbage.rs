//! [`Garbage`]: what is foreign, and so is dropped and called by executing threads alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::calls::Call;
use super::dispatcher::{Dispatcher, Protocol};

/// What an executing thread is to drop or to call.
pub(crate) struct Garbage<T>(Vec<Item<T>>);

enum Item<T> {
    Drop(T),
    Call(Call),
}

impl<T> Garbage<T> {
    pub(super) fn new() -> Garbage<T> {
        Garbage(Vec::new())
    }

    /// Puts these aside, to be dropped.
    pub(super) fn drop_later(&mut self, payloads: impl IntoIterator<Item = T>) {
        self.0.extend(payloads.into_iter().map(Item::Drop));
    }

    /// Puts these aside, to be called.
    pub(super) fn call_later(&mut self, calls: Vec<Call>) {
        self.0.extend(calls.into_iter().map(Item::Call));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn take(&mut self) -> Vec<Item<T>> {
        std::mem::take(&mut self.0)
    }
}

impl<P: Protocol> Dispatcher<P> {
    /// Drops what only an executing thread may drop, and calls what only it may call.
    pub(crate) fn drop_garbage(&self) {
        loop {
            let garbage = self.core.lock().garbage.take();
            if garbage.is_empty() {
                return;
            }
            for item in garbage {
                let clear = move || match item {
                    Item::Call(call) => call(),
                    Item::Drop(payload) => drop(payload),
                };
                if let Err(panic) = catch_unwind(AssertUnwindSafe(clear)) {
                    let what = panic_message(&*panic);
                    self.session.log(
                        log::Level::Error,
                        format_args!("a callback or a destructor panicked: {what}"),
                    );
                }
            }
        }
    }

    /// Has an executing thread drop what was released while none of them looked.
    pub(super) fn have_garbage_dropped(self: &Arc<Self>) {
        let link = self.clone();
        let sent = self
            .session
            .executor()
            .execute(Box::new(move || link.drop_garbage()));
        if let Err(error) = sent {
            self.session.log(
                log::Level::Debug,
                format_args!("no thread to drop objects on: {error}"),
            );
        }
    }
}

/// What a panic says.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return text;
    }
    panic
        .downcast_ref::<String>()
        .map_or("(no message)", String::as_str)
}
