//! A child of the test's process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{fs, thread};

/// Waits until every other thread sleeps: none is inside of the library then.
fn alone() {
    let sleeps = |task: fs::DirEntry| {
        let Ok(stat) = fs::read_to_string(task.path().join("stat")) else { return true };
        // After the name, which stands in parentheses.
        stat.rsplit(") ").next().is_some_and(|state| state.starts_with('S'))
    };
    let own = current_task().to_string();
    loop {
        let tasks = fs::read_dir("/proc/self/task").unwrap().map(Result::unwrap);
        if tasks.filter(|task| *task.file_name() != *own).all(sleeps) {
            return;
        }
        thread::yield_now();
    }
}

#[allow(unsafe_code)]
fn current_task() -> libc::pid_t {
    // SAFETY: it only says which thread calls.
    unsafe { libc::gettid() }
}

/// Does `work` in a child, and returns the status that it ended with. A child that hangs is killed.
#[allow(unsafe_code)]
pub(crate) fn in_a_child(work: impl FnOnce()) -> libc::c_int {
    alone();
    // SAFETY: all other threads sleep, and hold nothing that the child needs. The child ends without a return.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no fork");
    if child == 0 {
        // SAFETY: it sets a timer.
        unsafe { libc::alarm(90) };
        let worked = catch_unwind(AssertUnwindSafe(work));
        // SAFETY: it ends the process, and runs nothing of the parent's.
        unsafe { libc::_exit(i32::from(worked.is_err())) };
    }
    let mut status = -1;
    // SAFETY: `status` is a valid number to write to.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    status
}
