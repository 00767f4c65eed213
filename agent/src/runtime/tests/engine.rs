//! A dockerd made of memory: it reads the real file, as `reference/dockerd.md` §4 says a real one does.

use std::{
    future::Future,
    path::PathBuf,
    sync::{Mutex, MutexGuard},
};

use anyhow::{anyhow, bail};

use super::fuse::Fuse;
use crate::runtime::engine::{Dialect, Engine, EngineFacts, Way};

#[derive(Debug)]
pub(super) struct FakeEngine {
    file: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) facts: EngineFacts,
    /// The mirrors in `/info`.
    pub(super) live: Vec<String>,
    /// Whether the API answers.
    pub(super) up: bool,
    /// Whether a signal can be sent.
    pub(super) reachable: bool,
    /// Whether a signal has an effect.
    pub(super) follows: bool,
    /// Whether a pull reaches our mirror.
    pub(super) canary: bool,
    /// Signals received.
    pub(super) signals: usize,
    /// What somebody else writes to the file at the next signal, after the engine has read it.
    pub(super) meddle: Option<String>,
    pub(super) fuse: Fuse,
}

impl FakeEngine {
    pub(super) fn new(file: PathBuf) -> Self {
        let facts = EngineFacts { dialect: Dialect::BomRefused, ..EngineFacts::lenient() };
        let state = State {
            facts,
            live: Vec::new(),
            up: true,
            reachable: true,
            follows: true,
            canary: true,
            signals: 0,
            meddle: None,
            fuse: Fuse::endless(),
        };
        Self { file, state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Stops and starts the engine: the mirrors are those of the file, and nothing else.
    pub(super) fn restart(&self) {
        let live = self.read().expect("dockerd does not start with this file").unwrap_or_default();
        self.state().live = live;
    }

    /// The mirrors in the file; `None`: the key is not there.
    fn read(&self) -> anyhow::Result<Option<Vec<String>>> {
        let text = match std::fs::read_to_string(&self.file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let value: serde_json::Value = serde_json::from_str(&text)?;
        let Some(mirrors) = value.get("registry-mirrors") else { return Ok(None) };
        let mirrors: Option<Vec<String>> = serde_json::from_value(mirrors.clone())?;
        let normal = |mirror: &String| format!("{}/", mirror.trim_end_matches('/'));
        Ok(Some(mirrors.unwrap_or_default().iter().map(normal).collect()))
    }

    fn alive(&self) -> anyhow::Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.fuse.is_burnt() {
            bail!("the machine is dead");
        }
        if !state.up {
            bail!("connection refused");
        }
        Ok(state)
    }
}

impl Engine for FakeEngine {
    fn facts(&self) -> impl Future<Output = anyhow::Result<EngineFacts>> + Send {
        let facts = self.alive().map(|state| state.facts.clone());
        async { facts }
    }

    fn mirrors(&self) -> impl Future<Output = anyhow::Result<Vec<String>>> + Send {
        let live = self.alive().map(|state| state.live.clone());
        async { live }
    }

    fn reload(&self) -> impl Future<Output = anyhow::Result<()>> + Send {
        let signal = || -> anyhow::Result<()> {
            let mut state = self.alive()?;
            if !state.reachable {
                bail!("operation not permitted");
            }
            state.fuse.step()?;
            state.signals += 1;
            if state.follows
                && let Ok(Some(mirrors)) = self.read()
            {
                state.live = mirrors;
            }
            if let Some(text) = state.meddle.take() {
                super::world::put(&self.file, &text);
            }
            Ok(())
        };
        let signalled = signal();
        async { signalled }
    }

    fn canary(&self, _: &Way) -> impl Future<Output = anyhow::Result<()>> + Send {
        let sung = self.alive().and_then(|state| if state.canary { Ok(()) } else { Err(anyhow!("no canary yet")) });
        async { sung }
    }
}
