//! Restore, story by story.

use super::world::{OURS, World, put};
use crate::runtime::{
    ending::FileLeft,
    restore::{RestoreError, Restored},
    withdraw::{EngineLeft, WithdrawError, Withdrawn},
};

fn withdrawn(restored: Result<Restored, RestoreError>) -> Withdrawn {
    match restored.unwrap() {
        Restored::Withdrawn(files) => {
            let [withdrawn] = files.try_into().expect("one file");
            withdrawn
        }
        Restored::Nothing(_) => panic!("there was something to restore"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_file_is_back_to_the_byte_and_the_engine_without_us() {
    for text in [
        "{}",
        "",
        "{\r\n\t\"debug\" :true,\r\n\r\n\"mtu\":1450\t}",
        "{\"registry-mirrors\":[ ]}\n\n",
        "{\"registry-mirrors\": null}",
        "{\"registry-mirrors\": [\n\"https://a\"]}",
    ] {
        let world = World::with((!text.is_empty()).then_some(text));
        put(&world.file(), text);
        let before = world.live();
        world.apply().await.unwrap();
        let withdrawn = withdrawn(world.restore().await);
        assert_eq!(withdrawn.file, FileLeft::AsBefore, "{text}");
        assert!(matches!(withdrawn.engine, EngineLeft::Clean));
        assert_eq!(world.text().unwrap(), text);
        assert_eq!(world.live(), before, "{text}");
        assert!(!world.journal().exists());
        world.assert_tidy();
        assert!(matches!(world.restore().await.unwrap(), Restored::Nothing(EngineLeft::Clean)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_absent_is_absent_again() {
    let world = World::with(None);
    world.apply().await.unwrap();
    assert_eq!(withdrawn(world.restore().await).file, FileLeft::AsBefore);
    assert_eq!(world.text(), None);
    assert!(world.docker.exists(), "the folder was there");
    assert!(!world.has_ours());

    let world = World::without_folder();
    world.apply().await.unwrap();
    world.restore().await.unwrap();
    assert!(!world.docker.exists(), "the folder was not there");

    let world = World::without_folder();
    world.apply().await.unwrap();
    put(&world.docker.join("key.json"), "{}");
    world.restore().await.unwrap();
    assert_eq!(world.text(), None);
    assert!(world.docker.join("key.json").exists(), "by now the folder holds something of the engine's");
}

#[tokio::test(start_paused = true)]
async fn after_an_edit_of_somebody_else_only_our_entry_goes() {
    let world = World::with(Some("{}"));
    world.apply().await.unwrap();
    put(&world.file(), "{\"mtu\": 1400, \"registry-mirrors\": [\"http://127.0.0.1:797\"]}");
    assert_eq!(withdrawn(world.restore().await).file, FileLeft::OnlyOursTakenOut);
    assert_eq!(world.text().unwrap(), "{\"mtu\": 1400}");
    assert_eq!(world.live(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_edit_during_the_restore_is_kept() {
    let world = World::with(Some("{\"debug\": true}"));
    world.apply().await.unwrap();
    world.engine.state().meddle = Some("{\"mtu\": 1400}".into());
    assert_eq!(withdrawn(world.restore().await).file, FileLeft::OnlyOursTakenOut);
    assert_eq!(world.text().unwrap(), "{\"mtu\": 1400}");
    assert_eq!(world.live(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn with_the_engine_down_the_file_is_enough() {
    let world = World::with(Some("{\"debug\": true}"));
    world.apply().await.unwrap();
    world.engine.state().up = false;
    assert!(matches!(withdrawn(world.restore().await).engine, EngineLeft::NotAsked(_)));
    assert_eq!(world.text().unwrap(), "{\"debug\": true}");
    assert!(matches!(world.restore().await.unwrap(), Restored::Nothing(EngineLeft::NotAsked(_))));
    world.engine.restart();
    assert!(!world.has_ours());
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_only_seemed_down_is_cleaned_by_the_next_restore() {
    let world = World::with(Some("{\"debug\": true}"));
    world.apply().await.unwrap();
    world.engine.state().up = false;
    withdrawn(world.restore().await);
    world.engine.state().up = true;
    assert!(world.has_ours(), "it never read the file again");
    assert!(matches!(withdrawn(world.restore().await).engine, EngineLeft::Clean));
    assert!(!world.has_ours());
    assert_eq!(world.text().unwrap(), "{\"debug\": true}");
}

#[tokio::test(start_paused = true)]
async fn without_a_journal_only_our_entry_goes() {
    for (before, after) in [
        ("{\"registry-mirrors\": [\"http://127.0.0.1:797\"]}", "{\"registry-mirrors\": []}"),
        (
            "{\"registry-mirrors\": [\"http://127.0.0.1:797/\", \"https://a\"]}",
            "{\"registry-mirrors\": [\"https://a\"]}",
        ),
    ] {
        let world = World::with(Some(before));
        assert!(world.has_ours());
        assert_eq!(withdrawn(world.restore().await).file, FileLeft::OnlyOursTakenOut);
        assert_eq!(world.text().unwrap(), after);
        assert!(!world.has_ours());
        assert!(!world.journal().exists());
    }
}

#[tokio::test(start_paused = true)]
async fn a_mirror_that_only_the_engine_remembers_goes_too() {
    for text in [Some("{\"debug\": true}"), None] {
        let world = World::with(text);
        world.engine.state().live = vec![OURS.to_owned()];
        assert_eq!(withdrawn(world.restore().await).file, FileLeft::AsBefore);
        assert_eq!(world.text().as_deref(), text);
        assert!(!world.has_ours());
    }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_ours_nothing_happens() {
    for text in [None, Some("{}"), Some("{\"registry-mirrors\": [\"https://a\"]}")] {
        let world = World::with(text);
        assert!(matches!(world.restore().await.unwrap(), Restored::Nothing(EngineLeft::Clean)));
        assert_eq!(world.text().as_deref(), text);
        assert_eq!(world.engine.state().signals, 0);
        assert!(!world.journal().exists());
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_cannot_be_told_leaves_the_restore_half_done_and_resumable() {
    let world = World::with(Some("{}"));
    world.apply().await.unwrap();
    world.engine.state().reachable = false;
    let error = world.restore().await.unwrap_err();
    assert!(matches!(&error, RestoreError::Withdraw(WithdrawError::StillLive(_))), "{error}");
    assert!(error.to_string().ends_with("send SIGHUP to dockerd, then run this again"), "{error}");
    assert_eq!(world.text().unwrap(), "{\"registry-mirrors\": []}", "so that a SIGHUP by hand has an effect");

    world.engine.restart();
    assert_eq!(withdrawn(world.restore().await).file, FileLeft::AsBefore);
    assert_eq!(world.text().unwrap(), "{}");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_nobody_can_read_any_more_is_left_alone() {
    let world = World::with(Some("{}"));
    world.apply().await.unwrap();
    let broken = "{\"registry-mirrors\": [\"http://127.0.0.1:797\"],}";
    put(&world.file(), broken);
    assert!(matches!(world.restore().await, Err(RestoreError::Withdraw(WithdrawError::Refused(_)))));
    assert_eq!(world.text().unwrap(), broken);

    put(&world.file(), "{\"registry-mirrors\": [\"http://127.0.0.1:797\"]}");
    world.restore().await.unwrap();
    assert_eq!(world.text().unwrap(), "{}");
}
