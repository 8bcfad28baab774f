//! A thread that keeps its own things, and does with them what it is asked, one task at a time.
//!
//! ggml sets the shapes of AMX tiles once a thread and relies on them ever after, and our kernels give
//! the tiles back; on a common thread ggml would then die. So each side lives on threads of its own. A
//! lane that waits sleeps: it takes no time from the other.

use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

type Task<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A thread with its `S`, which never leaves it.
pub struct Lane<S> {
    tasks: Option<Sender<Task<S>>>,
    thread: Option<JoinHandle<()>>,
}

impl<S: 'static> Lane<S> {
    /// A thread of this name, on which `make` builds the `S`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(name: &str, make: impl FnOnce() -> S + Send + 'static) -> std::io::Result<Self> {
        let (tasks, queue) = channel::<Task<S>>();
        let thread = std::thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(move || {
            let mut state = make();
            for task in queue {
                task(&mut state);
            }
        })?;
        Ok(Self {
            tasks: Some(tasks),
            thread: Some(thread),
        })
    }

    /// Does `task` there and returns what it says.
    ///
    /// # Panics
    /// If `task` does, or one before it did.
    pub fn call<R: Send + 'static>(&self, task: impl FnOnce(&mut S) -> R + Send + 'static) -> R {
        let (answer, wait) = channel();
        let task: Task<S> = Box::new(move |state| {
            // Nobody waits any more only if the caller is gone.
            let _ = answer.send(task(state));
        });
        let tasks = self.tasks.as_ref().expect("open until dropped");
        tasks.send(task).expect("the thread lives");
        wait.recv().expect("the task ended")
    }
}

impl<S> Drop for Lane<S> {
    fn drop(&mut self) {
        self.tasks = None;
        // A panic there has already been met in `call`.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_lane_keeps_stays_on_its_thread() {
        let lane = Lane::new("lane", || std::rc::Rc::new(40)).unwrap();
        let sum = lane.call(|n| **n + 2);
        let name = lane.call(|_| std::thread::current().name().map(str::to_owned));
        assert_eq!((sum, name.as_deref()), (42, Some("lane")));
    }
}
