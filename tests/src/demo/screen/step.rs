//! A step of the story: what is being done, how long it took, and what came of it.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{Paint, Screen};

/// Room for what a step does, so that times stand below each other. With the rest a line is below 80 characters.
const WIDTH: usize = 40;

/// Handed to the work of a step.
pub(in crate::demo) struct Step {
    bar: Option<ProgressBar>,
}

impl Step {
    /// Shows how far it is, on a terminal.
    pub(in crate::demo) fn progress(&self, how_far: &str) {
        if let Some(bar) = &self.bar {
            bar.set_prefix(how_far.to_owned());
        }
    }
}

/// What comes of a step.
pub(in crate::demo) struct Done<T> {
    value: T,
    what: Option<String>,
    took: Option<Duration>,
    outcome: String,
}

impl<T> Done<T> {
    pub(in crate::demo) fn with(value: T) -> Self {
        Self { value, what: None, took: None, outcome: String::new() }
    }

    /// Names the step anew, now that more is known.
    pub(in crate::demo) fn called(mut self, what: impl Into<String>) -> Self {
        self.what = Some(what.into());
        self
    }

    /// The time that matters, if it is not all of the step's.
    pub(in crate::demo) fn took(mut self, time: Duration) -> Self {
        self.took = Some(time);
        self
    }

    /// What is told of it, in a few words.
    pub(in crate::demo) fn saying(mut self, outcome: impl Into<String>) -> Self {
        self.outcome = outcome.into();
        self
    }
}

/// The step at which the story ended; stands above the reason in an error.
#[derive(Debug)]
pub(in crate::demo) struct StepFailed {
    /// What was being done.
    pub(in crate::demo) what: String,
    /// Whose log tells most about it.
    pub(in crate::demo) log: String,
}

impl fmt::Display for StepFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Screen {
    /// Does a step. If it fails, the log of `log` (a program of the rig) is the one to look at.
    ///
    /// # Errors
    /// When its work fails; the error then has a [`StepFailed`] on top.
    pub(in crate::demo) fn step<T>(
        &self,
        what: &str,
        log: &str,
        work: impl FnOnce(&Step) -> Result<Done<T>>,
    ) -> Result<T> {
        let start = Instant::now();
        let step = Step { bar: self.begin(what) };
        let outcome = work(&step);
        self.state().running = None;
        if let Some(bar) = step.bar {
            bar.finish_and_clear();
        }
        let paint = self.paint();
        match outcome {
            Ok(done) => {
                let time = done.took.unwrap_or_else(|| start.elapsed());
                let what = done.what.as_deref().unwrap_or(what);
                self.tell(&line(&paint.green("✓"), what, time, &done.outcome));
                Ok(done.value)
            }
            Err(error) => {
                self.tell(&line(&paint.red("✗"), what, start.elapsed(), ""));
                Err(error).context(StepFailed { what: what.to_owned(), log: log.to_owned() })
            }
        }
    }

    fn begin(&self, what: &str) -> Option<ProgressBar> {
        let mut state = self.state();
        let bar = (self.is_terminal && !state.is_hushed).then(|| spinner(what, self.paint))?;
        state.running = Some(bar.clone());
        Some(bar)
    }
}

fn line(mark: &str, what: &str, time: Duration, outcome: &str) -> String {
    let line = format!("  {mark} {what:<WIDTH$} {:>5.1} s   {outcome}", time.as_secs_f64());
    line.trim_end().to_owned()
}

/// As [`line()`], but alive.
pub(super) fn spinner(what: &str, paint: Paint) -> ProgressBar {
    let elapsed = |state: &ProgressState, to: &mut dyn fmt::Write| {
        // The bar has nobody to tell; it shows what fits.
        let _ = write!(to, "{:>5.1} s", state.elapsed().as_secs_f64());
    };
    let mark = if paint.is_on() { "{spinner:.cyan}" } else { "{spinner}" };
    let style = ProgressStyle::with_template(&format!("  {mark} {{msg:{WIDTH}}} {{seconds}}   {{prefix}}"))
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .with_key("seconds", elapsed)
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout()).with_style(style);
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_below_each_other_and_lines_fit() {
        let short = line("✓", "hub", Duration::from_millis(100), "");
        let long = line("✓", &"x".repeat(WIDTH), Duration::from_millis(12_345), "67 MB from its own disk");
        assert_eq!(short, format!("  ✓ {:<WIDTH$}   0.1 s", "hub"));
        assert!(long.contains(" 12.3 s   67 MB") && long.chars().count() < 80, "{long}");
    }
}
