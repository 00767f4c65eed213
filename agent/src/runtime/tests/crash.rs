//! The machine dies after every single step, once as a process (the engine lives on) and once as a whole (the engine
//! starts again with the file it finds). What the next start makes of it is always one of two states, never between.

use super::world::{OURS, World, put};

/// `daemon.json` before; the mirrors an engine that started with it has.
const NODES: [(Option<&str>, &[&str]); 4] = [
    (None, &[]),
    (Some("{\n  \"debug\": true\n}\n"), &[]),
    (Some("{\"registry-mirrors\":[\"https://a\"]}"), &["https://a/"]),
    (Some("{\"registry-mirrors\": null}"), &[]),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    OfTheProcess,
    OfTheMachine,
}
use Death::{OfTheMachine, OfTheProcess};

/// A node as [`NODES`] has it; without a file, also without the folder.
fn node(text: Option<&str>) -> World {
    if text.is_none() { World::without_folder() } else { World::with(text) }
}

fn after(world: &World, death: Death) {
    if death == OfTheMachine {
        world.engine.restart();
    }
}

fn assert_as_before(world: &World, text: Option<&str>, mirrors: &[&str], when: &str) {
    assert_eq!(world.text().as_deref(), text, "{when}");
    assert_eq!(world.live(), mirrors, "{when}");
    assert_eq!(world.docker.exists(), text.is_some(), "{when}");
    assert!(!world.journal().exists(), "{when}");
    world.assert_tidy();
}

fn assert_configured(world: &World, mirrors: &[&str], when: &str) {
    let live = world.live();
    assert_eq!(
        (live[0].as_str(), live[1..].iter().map(String::as_str).collect::<Vec<_>>().as_slice()),
        (OURS, mirrors),
        "{when}"
    );
    world.assert_tidy();
}

#[tokio::test(start_paused = true)]
async fn a_death_in_apply_is_taken_back_by_recovery() {
    for (text, mirrors) in NODES {
        for death in [OfTheProcess, OfTheMachine] {
            let mut steps = 0;
            loop {
                let (world, when) = (node(text), format!("{text:?}, {death:?} after {steps} steps"));
                let died = world.dies_in_apply(steps).await;
                after(&world, death);
                if !died {
                    assert_configured(&world, mirrors, &when);
                    break;
                }
                world.recover().await.unwrap();
                if world.has_ours() {
                    // It died between the last step and the answer.
                    assert_configured(&world, mirrors, &when);
                } else {
                    assert_as_before(&world, text, mirrors, &when);
                }
                world.apply().await.unwrap();
                assert_configured(&world, mirrors, &when);
                world.restore().await.unwrap();
                assert_as_before(&world, text, mirrors, &when);
                steps += 1;
            }
            assert!(steps >= 11, "{steps} steps");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_death_in_restore_leaves_it_begun_or_done() {
    for (text, mirrors) in NODES {
        for death in [OfTheProcess, OfTheMachine] {
            let mut steps = 0;
            loop {
                let (world, when) = (node(text), format!("{text:?}, {death:?} after {steps} steps"));
                world.apply().await.unwrap();
                let died = world.dies_in_restore(steps).await;
                after(&world, death);
                if !died {
                    assert_as_before(&world, text, mirrors, &when);
                    break;
                }
                world.recover().await.unwrap();
                if world.has_ours() {
                    assert!(steps < 2, "{when}: only before the journal knew of it");
                    assert_configured(&world, mirrors, &when);
                } else {
                    assert_as_before(&world, text, mirrors, &when);
                }
                world.restore().await.unwrap();
                assert_as_before(&world, text, mirrors, &when);
                steps += 1;
            }
            assert!(steps >= 8, "{steps} steps");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_death_in_the_undo_of_a_mirror_that_does_not_work_is_taken_back() {
    for (text, mirrors) in NODES {
        for death in [OfTheProcess, OfTheMachine] {
            for steps in 0.. {
                let (world, when) = (node(text), format!("{text:?}, {death:?} after {steps} steps"));
                world.engine.state().canary = false;
                let disk = super::fuse::FusedDisk(super::fuse::Fuse::of(steps));
                world.engine.state().fuse = disk.0.clone();
                assert!(world.apply_on(&disk).await.is_err());
                let died = disk.0.is_burnt();
                world.engine.state().fuse = super::fuse::Fuse::endless();
                after(&world, death);
                world.recover().await.unwrap();
                assert_as_before(&world, text, mirrors, &when);
                if !died {
                    break;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_death_in_recovery_is_recovered_from() {
    for (text, mirrors) in [NODES[0], NODES[1]] {
        for death in [OfTheProcess, OfTheMachine] {
            for first in 0..13 {
                for second in 0..13 {
                    let (world, when) = (node(text), format!("{text:?}, {death:?} after {first} and {second} steps"));
                    world.dies_in_apply(first).await;
                    after(&world, death);
                    world.dies_in_recover(second).await;
                    after(&world, death);
                    world.restore().await.unwrap();
                    assert_as_before(&world, text, mirrors, &when);
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_death_never_costs_the_edit_of_somebody_else() {
    let theirs = "{\"registry-mirrors\": [\"http://127.0.0.1:797\"], \"mtu\": 1400}";
    let left = "{\"mtu\": 1400}";
    for death in [OfTheProcess, OfTheMachine] {
        for steps in 0.. {
            let (world, when) = (World::with(Some("{}")), format!("{death:?} after {steps} steps"));
            world.apply().await.unwrap();
            put(&world.file(), theirs);
            let died = world.dies_in_restore(steps).await;
            after(&world, death);
            world.restore().await.unwrap();
            assert_eq!(world.text().unwrap(), left, "{when}");
            assert!(!world.has_ours(), "{when}");
            if !died {
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_death_in_a_restore_without_journal_takes_nothing_but_ours() {
    for (text, live, left) in [
        (
            "{\"registry-mirrors\": [\"http://127.0.0.1:797\"], \"mtu\": 1}",
            vec![OURS.to_owned()],
            "{\"registry-mirrors\": [], \"mtu\": 1}",
        ),
        ("{\"mtu\": 1}", vec![OURS.to_owned()], "{\"mtu\": 1}"),
    ] {
        for death in [OfTheProcess, OfTheMachine] {
            for steps in 0.. {
                let (world, when) = (World::with(Some(text)), format!("{text}, {death:?} after {steps} steps"));
                world.engine.state().live.clone_from(&live);
                let died = world.dies_in_restore(steps).await;
                after(&world, death);
                world.restore().await.unwrap();
                assert_eq!(world.text().unwrap(), left, "{when}");
                assert!(!world.has_ours(), "{when}");
                assert!(!world.journal().exists(), "{when}");
                world.assert_tidy();
                if !died {
                    break;
                }
            }
        }
    }
}
