//! What a person sees: steps as they happen, and lines. On a terminal a step that runs has a spinner and its seconds;
//! anywhere else it is one line, once it is done.
//!
//! Nothing here fails: a terminal that is gone is no reason to leave engines behind.

mod diff;
mod paint;
mod step;
mod table;
mod units;

use std::{
    io::{self, IsTerminal as _},
    sync::{Mutex, MutexGuard, PoisonError},
};

pub(super) use diff::{Line, diff};
pub(super) use paint::Paint;
pub(super) use step::{Done, Step, StepFailed};
pub(super) use table::table;
pub(super) use units::{bytes, seconds};

/// Standard output.
pub(super) struct Screen {
    paint: Paint,
    is_terminal: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The step that runs, on a terminal.
    running: Option<indicatif::ProgressBar>,
    /// The story has no more to say: it was interrupted.
    is_hushed: bool,
}

impl Screen {
    pub(super) fn of_stdout() -> Self {
        // A terminal that cannot go back on its line (Emacs's shell) is as good as a file.
        let is_dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let is_terminal = io::stdout().is_terminal() && !is_dumb;
        Self { paint: Paint::on(is_terminal), is_terminal, state: Mutex::default() }
    }

    pub(super) fn paint(&self) -> Paint {
        self.paint
    }

    /// Shows text between steps.
    pub(super) fn say(&self, text: &str) {
        // Held, so that nothing is written into the middle of it.
        let _state = self.state();
        put(&mut io::stdout().lock(), text);
    }

    /// As [`Self::say`], by the story, which is silent once it was interrupted.
    pub(super) fn tell(&self, text: &str) {
        let state = self.state();
        if !state.is_hushed {
            put(&mut io::stdout().lock(), text);
        }
    }

    /// Shows why there is no demo.
    pub(super) fn complain(&self, text: &str) {
        let _state = self.state();
        put(&mut io::stderr().lock(), text);
    }

    /// Takes the running step off the screen and hushes the story.
    pub(super) fn interrupt(&self) {
        {
            let mut state = self.state();
            state.is_hushed = true;
            // After Ctrl-C the cursor stands behind the terminal's ^C, below the spinner: then that is what is cleared,
            // and the step stays where it was.
            if let Some(bar) = state.running.take() {
                bar.finish_and_clear();
            }
        }
        self.say(&format!("  {} interrupted", self.paint.yellow("–")));
    }

    /// Shows that something goes on which is no step of the story.
    pub(super) fn working<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        let bar = self.is_terminal.then(|| step::spinner(what, self.paint));
        let value = work();
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        value
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put(to: &mut impl io::Write, text: &str) {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    // Whoever read this has gone; the demo still has to clean up.
    let _ = write!(to, "{text}{end}").and_then(|()| to.flush());
}
