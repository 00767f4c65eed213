//! The demo: the story of Larder, told on this machine in half a minute by real engines that know nothing of the
//! machine's own.
//!
//! It is the story that the suites test, on the same rig, told to a person. Every step checks what it says, so that a
//! demo that ends well has proved it.

mod cluster;
mod images;
mod interrupt;
mod keep;
mod meter;
mod node;
mod options;
mod pulls;
mod ready;
mod screen;
mod stage;
mod story;
mod trouble;
mod upstream;

use std::{
    process::ExitCode,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use self::{
    interrupt::Event,
    options::{Asked, Options},
    screen::{Screen, seconds},
    stage::Stage,
};

/// For calls under way to return, once everything they wait for is gone.
const FAREWELL: Duration = Duration::from_secs(20);

/// As a shell says it of a program that was ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Runs the demo as the command line and the environment say.
pub fn main() -> ExitCode {
    let screen = Arc::new(Screen::of_stdout());
    let options = match options::read(std::env::args().skip(1), |name| std::env::var(name).ok()) {
        Asked::Demo(options) => options,
        Asked::Help => {
            screen.say(options::HELP);
            return ExitCode::SUCCESS;
        }
        Asked::Unknown(word) => {
            screen.complain(&format!("larder-demo: there is no option {word}\nTry: larder-demo --help\n"));
            return ExitCode::FAILURE;
        }
    };
    if let Some(lack) = ready::lack() {
        screen.complain(&lack);
        return ExitCode::FAILURE;
    }
    match show(&screen, options) {
        Ok(code) => code,
        Err(error) => {
            screen.complain(&format!("larder-demo: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

/// The story is told on a thread of its own; this one waits for its end or for Ctrl-C, and cleans up after either.
fn show(screen: &Arc<Screen>, options: Options) -> anyhow::Result<ExitCode> {
    let (events, next) = mpsc::channel();
    interrupt::watch(events.clone())?;
    interrupt::catch_panics(events.clone());
    let stage = Arc::new(Stage::default());
    let start = Instant::now();
    let (its_screen, its_stage) = (Arc::clone(screen), Arc::clone(&stage));
    thread::Builder::new().name("story".to_owned()).spawn(move || {
        // The other side waits for this very message.
        drop(events.send(Event::Told(story::tell(&its_screen, &its_stage, options))));
    })?;
    let told = match next.recv()? {
        Event::Told(told) => told,
        Event::Interrupted => return Ok(leave(screen, &stage, &next)),
    };
    let code = match told {
        Ok(cluster) => {
            screen.say(&format!("\nThat took {}.", seconds(start.elapsed())));
            if options.keep {
                keep::wait(screen, &cluster, &next);
            }
            drop(cluster);
            ExitCode::SUCCESS
        }
        Err(error) => {
            trouble::report(screen, &stage, &error);
            ExitCode::FAILURE
        }
    };
    Ok(if clean_up(screen, &stage) { code } else { ExitCode::FAILURE })
}

/// Ctrl-C in the middle: the ground is taken away under the story first, then it is waited for.
fn leave(screen: &Screen, stage: &Stage, next: &mpsc::Receiver<Event>) -> ExitCode {
    screen.interrupt();
    stage.end();
    let until = Instant::now() + FAREWELL;
    // Further signals change nothing: this is what they ask for.
    while let Ok(Event::Interrupted) = next.recv_timeout(until.saturating_duration_since(Instant::now())) {}
    clean_up(screen, stage);
    ExitCode::from(INTERRUPTED)
}

/// Whether nothing is left.
fn clean_up(screen: &Screen, stage: &Stage) -> bool {
    let left = screen.working("cleaning up", || stage.clear());
    match left {
        Ok(()) => screen.say("Cleaned up: nothing of the demo is left on this machine."),
        Err(ref error) => screen.complain(&format!("{error:#}\n")),
    }
    left.is_ok()
}
