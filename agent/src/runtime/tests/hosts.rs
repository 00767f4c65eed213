//! An engine that reads `hosts.toml`, story by story.

use std::{fs, path::PathBuf};

use super::{
    fuse::{Fuse, FusedDisk},
    world::{OURS, World, put},
};
use crate::runtime::{
    apply::{Applied, ApplyError, Outcome, apply_on},
    capability::Capability,
    confirm::Unconfirmed,
    disk::RealDisk,
    ending::FileLeft,
    restore::Restored,
    writer::Writer,
};

const MSR: &str = "msr.example.com:5000";

/// A node whose engine reads `hosts.toml`, for Docker Hub and MSR.
fn node() -> World {
    let mut world = World::with(Some("{}"));
    world.engine.state().facts.capability = Capability::HostsToml;
    serves(&mut world, &["docker.io", MSR]);
    world
}

fn serves(world: &mut World, registries: &[&str]) {
    world.wanted.registries = Some(registries.iter().map(|name| name.parse().unwrap()).collect());
}

fn hosts(world: &World, registry: &str) -> PathBuf {
    world.docker.join("certs.d").join(registry).join("hosts.toml")
}

fn read(world: &World, registry: &str) -> Option<String> {
    fs::read_to_string(hosts(world, registry)).ok()
}

async fn apply(world: &World) -> Vec<Outcome> {
    apply_on(&world.setup, &world.engine, &RealDisk, &world.wanted).await.unwrap()
}

/// What became of each file, in the order of the files.
async fn applied(world: &World) -> Vec<(String, Applied)> {
    let outcomes = apply(world).await;
    outcomes.into_iter().map(|one| (one.writer.to_string(), one.applied.unwrap())).collect()
}

async fn restored(world: &World) -> Vec<FileLeft> {
    match world.restore().await.unwrap() {
        Restored::Nothing(_) => Vec::new(),
        Restored::Withdrawn(files) => files.into_iter().map(|one| one.file).collect(),
    }
}

#[tokio::test(start_paused = true)]
async fn each_registry_gets_a_file_and_the_engine_no_signal_for_it() {
    let world = node();
    let configured = |file: &str| (file.to_owned(), Applied::Configured);
    assert_eq!(
        applied(&world).await,
        [
            configured("daemon.json"),
            configured("certs.d/docker.io/hosts.toml"),
            configured("certs.d/msr.example.com:5000/hosts.toml")
        ]
    );
    for registry in ["docker.io", MSR] {
        assert!(read(&world, registry).unwrap().contains(OURS.trim_end_matches('/')), "{registry}");
    }
    assert_eq!(world.engine.state().signals, 1, "for daemon.json alone");

    assert!(applied(&world).await.iter().all(|(_, applied)| *applied == Applied::AlreadyLive));
    assert_eq!(world.engine.state().signals, 1);

    assert_eq!(restored(&world).await, [FileLeft::AsBefore; 3]);
    assert!(!world.docker.join("certs.d").exists(), "the folders that we made are gone too");
    assert_eq!(world.text().unwrap(), "{}");
    world.assert_tidy();
    assert!(restored(&world).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_certificates_of_a_registry_go_on_to_count() {
    let world = node();
    let folder = world.docker.join("certs.d").join(MSR);
    fs::create_dir_all(&folder).unwrap();
    put(&folder.join("ca.crt"), "x");
    applied(&world).await;
    assert!(read(&world, MSR).unwrap().contains("ca.crt"));

    // One that comes later too.
    put(&folder.join("second.crt"), "x");
    let again = applied(&world).await;
    assert_eq!(again[2].1, Applied::Configured);
    assert!(read(&world, MSR).unwrap().contains("second.crt"));

    restored(&world).await;
    assert!(!hosts(&world, MSR).exists() && folder.join("ca.crt").exists());
}

#[tokio::test(start_paused = true)]
async fn the_file_of_somebody_else_keeps_all_it_says() {
    let world = node();
    let theirs =
        "# ours\nserver = \"https://msr.example.com:5000\"\n[host.\"https://near\"]\n  capabilities = [\"pull\"]\n";
    fs::create_dir_all(hosts(&world, MSR).parent().unwrap()).unwrap();
    put(&hosts(&world, MSR), theirs);
    applied(&world).await;
    let now = read(&world, MSR).unwrap();
    let (ours, near) = (now.find("127.0.0.1:797").unwrap(), now.find("https://near").unwrap());
    assert!(ours < near && now.starts_with("# ours\n"), "{now}");

    // They change it, and we go: theirs stays.
    put(&hosts(&world, MSR), &now.replace("https://near", "https://far"));
    assert_eq!(restored(&world).await[2], FileLeft::OnlyOursTakenOut);
    assert_eq!(read(&world, MSR).unwrap(), theirs.replace("https://near", "https://far"));
}

#[tokio::test(start_paused = true)]
async fn what_the_hub_or_the_engine_does_not_do_any_more_is_taken_out() {
    let mut world = node();
    applied(&world).await;
    serves(&mut world, &["docker.io"]);
    let outcomes = applied(&world).await;
    assert!(outcomes.contains(&("certs.d/msr.example.com:5000/hosts.toml".to_owned(), Applied::Dismissed)));
    assert!(!hosts(&world, MSR).exists() && hosts(&world, "docker.io").exists());

    // A hub without Docker Hub: daemon.json knows nothing else.
    serves(&mut world, &[MSR]);
    applied(&world).await;
    assert!(!world.has_ours() && hosts(&world, MSR).exists() && !hosts(&world, "docker.io").exists());
    serves(&mut world, &["docker.io"]);
    applied(&world).await;

    // Nothing is known of the hub: what is there stays.
    world.wanted.registries = None;
    assert_eq!(applied(&world).await.len(), 2);
    assert!(hosts(&world, "docker.io").exists());

    // An upgrade that goes back to the classic store.
    world.engine.state().facts.capability = Capability::DaemonJson;
    applied(&world).await;
    assert!(!hosts(&world, "docker.io").exists() && world.has_ours());
}

#[tokio::test(start_paused = true)]
async fn one_file_that_cannot_be_written_keeps_no_other_from_it() {
    let world = node();
    fs::create_dir_all(hosts(&world, "docker.io").parent().unwrap()).unwrap();
    put(&hosts(&world, "docker.io"), "this is = = no toml");
    let outcomes = apply(&world).await;
    assert!(matches!(&outcomes[1].applied, Err(ApplyError::Refused(_))), "{:?}", outcomes[1]);
    assert!(
        matches!(outcomes[0].applied, Ok(Applied::Configured))
            && matches!(outcomes[2].applied, Ok(Applied::Configured))
    );
    assert_eq!(read(&world, "docker.io").unwrap(), "this is = = no toml");
    restored(&world).await;
    assert_eq!(read(&world, "docker.io").unwrap(), "this is = = no toml");
}

#[tokio::test(start_paused = true)]
async fn without_a_canary_the_file_goes_again() {
    let world = node();
    world.engine.state().canary = false;
    for outcome in apply(&world).await {
        let undone = matches!(&outcome.applied, Err(ApplyError::Undone { why: Unconfirmed::Canary { .. }, .. }));
        assert!(undone, "{outcome:?}");
    }
    assert!(!world.docker.join("certs.d").exists() && !world.has_ours());
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_left_alone_is_not_touched() {
    let mut world = node();
    let writer = Writer::HostsToml { registry: MSR.parse().unwrap(), folder: MSR.to_owned() };
    world.wanted.left_alone.insert(writer);
    assert_eq!(applied(&world).await.len(), 2);
    assert!(!hosts(&world, MSR).exists());
}

#[tokio::test(start_paused = true)]
async fn a_restore_without_journals_takes_out_what_names_us() {
    let world = node();
    applied(&world).await;
    fs::remove_dir_all(world.setup.state.join("runtime/journal")).unwrap();
    restored(&world).await;
    assert!(!hosts(&world, MSR).exists() && !hosts(&world, "docker.io").exists() && !world.has_ours());
}

#[tokio::test(start_paused = true)]
async fn a_death_at_any_step_is_taken_back_or_finished() {
    let mut steps = 0;
    loop {
        let world = node();
        let disk = FusedDisk(Fuse::of(steps));
        world.engine.state().fuse = disk.0.clone();
        let _ = apply_on(&world.setup, &world.engine, &disk, &world.wanted).await;
        let died = disk.0.is_burnt();
        world.engine.state().fuse = Fuse::endless();
        world.recover().await.unwrap();
        // Whatever is there now is whole, and known.
        for registry in ["docker.io", MSR] {
            let label = format!("runtime/journal/hosts-{registry}.json");
            assert_eq!(hosts(&world, registry).exists(), world.setup.state.join(label).exists(), "{steps} steps");
        }
        assert!(applied(&world).await.len() == 3, "{steps} steps");
        restored(&world).await;
        assert!(!world.docker.join("certs.d").exists() && !world.has_ours(), "{steps} steps");
        assert_eq!(world.text().unwrap(), "{}", "{steps} steps");
        if !died {
            break;
        }
        steps += 1;
    }
    assert!(steps >= 25, "{steps} steps");
}
