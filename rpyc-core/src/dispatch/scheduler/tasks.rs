//! The requests that run.

use super::{TaskId, WaiterId};
use crate::wire::Handler;

/// The tasks, oldest first. There are few, so that a vector is quicker than any other table.
#[derive(Debug, Default)]
pub(super) struct Tasks(Vec<(TaskId, Task)>);

#[derive(Debug)]
pub(super) struct Task {
    pub(super) handler: Handler,
    /// The wait in which its thread stands.
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
        self.0.push((id, task));
    }

    pub(super) fn get(&self, id: TaskId) -> Option<&Task> {
        self.0.get(self.index(id)?).map(|(_, task)| task)
    }

    pub(super) fn get_mut(&mut self, id: TaskId) -> Option<&mut Task> {
        let index = self.index(id)?;
        self.0.get_mut(index).map(|(_, task)| task)
    }

    pub(super) fn remove(&mut self, id: TaskId) -> Option<Task> {
        self.index(id).map(|index| self.0.remove(index).1)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(TaskId, Task)> {
        self.0.iter()
    }

    pub(super) fn handlers(&self) -> impl Iterator<Item = Handler> {
        self.0.iter().map(|(_, task)| task.handler)
    }

    fn index(&self, id: TaskId) -> Option<usize> {
        self.0.binary_search_by_key(&id, |(id, _)| *id).ok()
    }
}
