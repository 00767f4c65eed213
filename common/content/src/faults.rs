//! A disk that fails, for tests: at the n-th call of a kind, and from then on until it is healed.

use std::{
    collections::HashMap,
    io,
    sync::{Mutex, PoisonError},
};

/// The calls that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    Create,
    Write,
    Sync,
    Rename,
    Read,
}

/// Which calls fail.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<HashMap<Op, Plan>>);

#[derive(Debug)]
struct Plan {
    /// How many calls still work.
    working: u32,
    /// How many fail after that.
    failing: u32,
    errno: i32,
}

impl Faults {
    /// After `working` calls of `op`, the next `failing` ones end in `errno`.
    pub(crate) fn plan(&self, op: Op, working: u32, failing: u32, errno: i32) {
        let plan = Plan { working, failing, errno };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(op, plan);
    }

    /// Everything works again.
    pub(crate) fn heal(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn meet(&self, op: Op) -> io::Result<()> {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(plan) = plans.get_mut(&op) else { return Ok(()) };
        if plan.working > 0 {
            plan.working -= 1;
            return Ok(());
        }
        if plan.failing == 0 {
            return Ok(());
        }
        plan.failing -= 1;
        Err(io::Error::from_raw_os_error(plan.errno))
    }
}
