//! Whether the process lives, and whether it can do its work.
//!
//! Being alive is answering. Being ready is a list of named conditions; each part of the daemon holds the handle of its
//! own and says how it is. Neither an upstream nor a peer that is away makes a daemon unready.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

type Conditions = BTreeMap<String, Result<(), String>>;

/// The conditions of one daemon.
#[derive(Debug, Clone, Default)]
pub struct Health {
    conditions: Arc<Mutex<Conditions>>,
}

/// The handle of one condition.
#[derive(Debug, Clone)]
pub struct Condition {
    name: String,
    health: Health,
}

impl Health {
    /// A condition that is not met yet, because of `why`.
    pub fn condition(&self, name: &str, why: &str) -> Condition {
        let condition = Condition { name: name.to_owned(), health: self.clone() };
        condition.failed(why);
        condition
    }

    /// Whether all conditions are met.
    pub fn is_ready(&self) -> bool {
        self.lock().values().all(Result::is_ok)
    }

    /// A line per condition, for people and for `curl`.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for (name, state) in &*self.lock() {
            match state {
                Ok(()) => writeln!(text, "[+] {name}: ok"),
                Err(why) => writeln!(text, "[-] {name}: {why}"),
            }
            .expect("a String takes every write");
        }
        text.push_str(if self.is_ready() { "ready\n" } else { "not ready\n" });
        text
    }

    /// What is not as it should be, by condition.
    pub fn failures(&self) -> BTreeMap<String, String> {
        self.lock().iter().filter_map(|(name, state)| Some((name.clone(), state.clone().err()?))).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Conditions> {
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    /// It is met.
    pub fn met(&self) {
        self.health.lock().insert(self.name.clone(), Ok(()));
    }

    /// It is not met, and why.
    pub fn failed(&self, why: impl Into<String>) {
        self.health.lock().insert(self.name.clone(), Err(why.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_every_condition_met() {
        let health = Health::default();
        assert!(health.is_ready());
        let (disk, engine) = (health.condition("disk", "starting"), health.condition("engine", "starting"));
        disk.met();
        assert!(!health.is_ready());
        assert_eq!(health.report(), "[+] disk: ok\n[-] engine: starting\nnot ready\n");
        engine.met();
        assert_eq!((health.is_ready(), health.failures().len()), (true, 0));
        disk.failed("full");
        assert_eq!(health.failures()["disk"], "full");
    }
}
