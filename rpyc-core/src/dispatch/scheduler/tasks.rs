//! The requests that run.

use super::{TaskId, WaiterId};
use crate::wire::Handler;

/// The tasks, oldest first. There are few, so that a vector is quicker than any other table.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    all: Vec<(TaskId, Task)>,
    // The memory that their requests hold.
    bytes: usize,
}

#[derive(Debug)]
pub(super) struct Task {
    pub(super) handler: Handler,
    /// The wait that its thread is in.
    pub(super) waits_in: Option<WaiterId>,
    /// The wait that it is nested on.
    pub(super) runs_on: Option<WaiterId>,
    /// Its thread waits for the end of the connection.
    pub(super) awaits_end: bool,
    /// The memory that its request holds.
    pub(super) bytes: usize,
}

impl Tasks {
    /// Adds a task; its id is greater than those of all others.
    pub(super) fn start(
        &mut self,
        id: TaskId,
        handler: Handler,
        runs_on: Option<WaiterId>,
        bytes: usize,
    ) {
        let task = Task {
            handler,
            waits_in: None,
            runs_on,
            awaits_end: false,
            bytes,
        };
        self.bytes += bytes;
        self.all.push((id, task));
    }

    pub(super) fn get(&self, id: TaskId) -> Option<&Task> {
        self.all.get(self.index(id)?).map(|(_, task)| task)
    }

    pub(super) fn get_mut(&mut self, id: TaskId) -> Option<&mut Task> {
        let index = self.index(id)?;
        self.all.get_mut(index).map(|(_, task)| task)
    }

    pub(super) fn remove(&mut self, id: TaskId) -> Option<Task> {
        let (_, task) = self.all.remove(self.index(id)?);
        self.bytes -= task.bytes;
        Some(task)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(TaskId, Task)> {
        self.all.iter()
    }

    pub(super) fn handlers(&self) -> impl Iterator<Item = Handler> {
        self.all.iter().map(|(_, task)| task.handler)
    }

    fn index(&self, id: TaskId) -> Option<usize> {
        self.all.binary_search_by_key(&id, |(id, _)| *id).ok()
    }
}
