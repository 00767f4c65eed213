//! When the demo cannot go on: at which step, why, and where to read more.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::{
    screen::{Screen, StepFailed},
    stage::Stage,
};

/// Lines shown of the log that matters.
const TAIL: usize = 15;

/// Says what happened, and puts the logs where they outlive the demo.
pub(super) fn report(screen: &Screen, stage: &Stage, error: &anyhow::Error) {
    let step = error.downcast_ref::<StepFailed>();
    let at = step.map(|step| format!(" at: {}", step.what)).unwrap_or_default();
    let logs = stage.logs();
    let end = logs.as_deref().zip(step).and_then(|(logs, step)| end_of(&logs.join(format!("{}.log", step.log))));
    let reason = without(&reason(error), end.as_deref().unwrap_or_default());
    screen.say(&format!("\n{}{at}\n\n  {}\n\n", screen.paint().red("The demo stopped"), indent(&reason)));
    if let Some((end, step)) = end.zip(step) {
        screen.say(&format!("The end of {}.log:\n\n  {}\n\n", step.log, indent(&end)));
    }
    let Some(logs) = logs else { return };
    match save(&logs) {
        Ok(saved) => screen.say(&format!("All logs are in {} (yours to remove).", saved.display())),
        Err(error) => screen.say(&format!("The logs could not be kept: {error:#}")),
    }
}

/// The lines of `text` that are not among those of `log`, which is shown as well.
fn without(text: &str, log: &str) -> String {
    let log: Vec<&str> = log.lines().map(str::trim).collect();
    let own = text.lines().filter(|line| !log.contains(&line.trim()));
    own.collect::<Vec<_>>().join("\n")
}

/// Why, without the step at which it was, in one line if it can be.
pub(super) fn reason(error: &anyhow::Error) -> String {
    let is_step = error.downcast_ref::<StepFailed>().is_some();
    let causes = error.chain().skip(usize::from(is_step)).map(ToString::to_string);
    causes.collect::<Vec<_>>().join(": ").trim().to_owned()
}

fn indent(text: &str) -> String {
    text.replace('\n', "\n  ")
}

/// The last lines of a log, if there is one with anything in it.
fn end_of(log: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&fs::read(log).ok()?).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    (!lines.is_empty()).then(|| lines[lines.len().saturating_sub(TAIL)..].join("\n"))
}

/// Copies the logs to a folder that nobody else has made.
fn save(logs: &Path) -> Result<PathBuf> {
    let to = std::env::temp_dir().join(format!("larder-demo-logs-{}", std::process::id()));
    fs::create_dir(&to).with_context(|| format!("creating {}", to.display()))?;
    for log in fs::read_dir(logs).context("reading the logs")?.flatten() {
        fs::copy(log.path(), to.join(log.file_name())).context("copying a log")?;
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn the_reason_is_told_once() {
        let failed = StepFailed { what: "the hub starts".to_owned(), log: "hub".to_owned() };
        let error = anyhow!("hub ended early:\nERROR no disk").context("waiting for hub");
        let error = Err::<(), _>(error).context(failed).unwrap_err();
        let reason = reason(&error);
        assert_eq!(reason, "waiting for hub: hub ended early:\nERROR no disk");
        assert_eq!(without(&reason, "INFO starts\n  ERROR no disk"), "waiting for hub: hub ended early:");
        assert_eq!(super::reason(&anyhow!("no step")), "no step");
    }
}
