//! Apply, story by story.

use std::{os::unix::fs::symlink, sync::atomic::AtomicUsize, time::Duration};

use tokio::time::Instant;

use super::{
    fuse::Contended,
    world::{OURS, World, put},
};
use crate::runtime::{
    apply::{Applied, ApplyError},
    confirm::Unconfirmed,
    ending::FileLeft,
    engine::MirrorFlag,
    mirror_url::MirrorUrl,
    plan::PlanRefusal,
    target::ConfigDir,
    withdraw::{EngineLeft, WithdrawError},
};

const PLAIN: &str = "{\n  \"debug\": true\n}\n";
const EDITED: &str = "{\n  \"debug\": true,\n  \"registry-mirrors\": [\"http://127.0.0.1:797\"]\n}\n";

#[tokio::test(start_paused = true)]
async fn the_engine_is_pointed_at_us_and_then_left_alone() {
    let world = World::with(Some(PLAIN));
    assert_eq!(world.apply().await.unwrap(), Applied::Configured);
    assert_eq!(world.text().unwrap(), EDITED);
    assert_eq!(world.live(), [OURS]);

    assert_eq!(world.apply().await.unwrap(), Applied::AlreadyLive);
    assert_eq!(world.engine.state().signals, 1, "no second signal");
    world.assert_tidy();
}

#[tokio::test(start_paused = true)]
async fn a_missing_file_and_a_missing_folder_are_created() {
    let world = World::without_folder();
    assert_eq!(world.apply().await.unwrap(), Applied::Configured);
    assert_eq!(world.text().unwrap(), "{\n  \"registry-mirrors\": [\"http://127.0.0.1:797\"]\n}\n");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_missed_the_file_is_only_told() {
    let world = World::with(Some(PLAIN));
    put(&world.file(), EDITED);
    assert_eq!(world.apply().await.unwrap(), Applied::Reloaded);
    assert_eq!(world.live(), [OURS]);
    assert!(!world.journal().exists(), "there was nothing to write down");
}

#[tokio::test(start_paused = true)]
async fn a_refused_file_is_not_touched_and_the_engine_not_signalled() {
    for text in ["{\"debug\": true,}", "[]", "{\"registry-mirrors\": \"x\"}"] {
        let world = World::with(None);
        put(&world.file(), text);
        assert!(matches!(world.apply().await, Err(ApplyError::Refused(PlanRefusal::File(_)))), "{text}");
        assert_eq!(world.text().unwrap(), text);
        assert_eq!(world.engine.state().signals, 0);
        assert!(!world.journal().exists());
    }
}

#[tokio::test(start_paused = true)]
async fn the_flag_is_a_refusal() {
    let world = World::with(Some(PLAIN));
    world.engine.state().facts.mirror_flag = MirrorFlag::Present;
    let refusal = world.apply().await.unwrap_err();
    assert!(refusal.to_string().starts_with("dockerd runs with --registry-mirror"), "{refusal}");
    assert_eq!(world.text().unwrap(), PLAIN);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_down_is_waited_for_elsewhere() {
    let world = World::with(Some(PLAIN));
    world.engine.state().up = false;
    assert!(matches!(world.apply().await, Err(ApplyError::Engine(_))));
    assert_eq!(world.text().unwrap(), PLAIN);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_not_follow_gets_its_file_back_within_seconds() {
    let world = World::with(Some(PLAIN));
    world.engine.state().follows = false;
    let begun = Instant::now();
    let Err(ApplyError::Undone { why: Unconfirmed::NotFollowed { shown }, left }) = world.apply().await else {
        panic!()
    };
    assert!(begun.elapsed() <= Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!((shown, left.file), (vec![], FileLeft::AsBefore));
    assert_eq!(world.text().unwrap(), PLAIN);
    assert_eq!(world.engine.state().signals, 2, "told again, in case it was only slow");
    assert!(!world.journal().exists());
    world.assert_tidy();
}

#[tokio::test(start_paused = true)]
async fn without_a_canary_the_mirror_goes_from_the_running_engine_too() {
    let world = World::with(Some(PLAIN));
    world.engine.state().canary = false;
    let begun = Instant::now();
    let Err(ApplyError::Undone { why: Unconfirmed::Canary { .. }, left }) = world.apply().await else { panic!() };
    assert!(begun.elapsed() <= Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(matches!(left.engine, EngineLeft::Clean));
    assert_eq!(world.live(), Vec::<String>::new(), "though the key went, the engine has no mirror");
    assert_eq!(world.text().unwrap(), PLAIN);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_cannot_be_signalled_gets_its_file_back() {
    let world = World::with(Some(PLAIN));
    world.engine.state().reachable = false;
    let error = world.apply().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the engine could not be told to reload: operation not permitted; taken back: daemon.json is as it was before \
         Larder; the engine does not use our mirror"
    );
    assert_eq!(world.text().unwrap(), PLAIN);
    assert!(!world.journal().exists());
}

#[tokio::test(start_paused = true)]
async fn an_edit_of_somebody_else_in_the_meantime_is_planned_over_again() {
    let world = World::with(Some(PLAIN));
    let disk = Contended { file: world.file(), left: AtomicUsize::new(2) };
    assert_eq!(world.apply_on(&disk).await.unwrap(), Applied::Configured);
    assert_eq!(
        world.text().unwrap(),
        "{\"max-concurrent-downloads\": 1, \"registry-mirrors\": [\"http://127.0.0.1:797\"]}"
    );
    world.restore().await.unwrap();
    assert_eq!(world.text().unwrap(), "{\"max-concurrent-downloads\": 1}", "theirs counts as the original");
}

#[tokio::test(start_paused = true)]
async fn somebody_who_never_stops_editing_wins() {
    let world = World::with(Some(PLAIN));
    let disk = Contended { file: world.file(), left: AtomicUsize::new(3) };
    assert!(matches!(world.apply_on(&disk).await, Err(ApplyError::Contended(_))));
    assert_eq!(world.text().unwrap(), "{\"max-concurrent-downloads\": 1}");
    assert_eq!(world.engine.state().signals, 0);
    assert!(!world.journal().exists());
    world.assert_tidy();
}

#[tokio::test(start_paused = true)]
async fn an_undo_leaves_what_somebody_else_did_meanwhile() {
    let world = World::with(Some(PLAIN));
    {
        let mut engine = world.engine.state();
        engine.canary = false;
        engine.meddle = Some("{\"registry-mirrors\": [\"http://127.0.0.1:797\", \"https://a\"], \"mtu\": 1400}".into());
    }
    let Err(ApplyError::Undone { left, .. }) = world.apply().await else { panic!() };
    assert_eq!(left.file, FileLeft::OnlyOursTakenOut);
    assert_eq!(world.text().unwrap(), "{\"registry-mirrors\": [\"https://a\"], \"mtu\": 1400}");
    assert_eq!(world.live(), ["https://a/"]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_somebody_else_configured_is_not_undone() {
    let world = World::with(Some(EDITED));
    world.engine.state().live.clear();
    world.engine.state().follows = false;
    assert!(matches!(world.apply().await, Err(ApplyError::NotTaken(_))));
    assert_eq!(world.text().unwrap(), EDITED);
}

#[tokio::test(start_paused = true)]
async fn a_new_port_takes_the_place_of_the_old_one() {
    let mut world = World::with(Some(PLAIN));
    world.apply().await.unwrap();
    world.setup.mirror = MirrorUrl::parse("http://127.0.0.1:1797").unwrap();
    assert_eq!(world.apply().await.unwrap(), Applied::Configured);
    assert_eq!(world.text().unwrap(), EDITED.replace(":797", ":1797"));
    assert_eq!(world.live(), ["http://127.0.0.1:1797/"]);
    world.restore().await.unwrap();
    assert_eq!(world.text().unwrap(), PLAIN);
}

#[tokio::test(start_paused = true)]
async fn a_configuration_tool_that_resets_the_file_is_followed() {
    let world = World::with(Some(PLAIN));
    world.apply().await.unwrap();
    put(&world.file(), "{\"mtu\": 1400}");
    assert_eq!(world.apply().await.unwrap(), Applied::Configured);
    world.restore().await.unwrap();
    assert_eq!(world.text().unwrap(), "{\"mtu\": 1400}");
    assert_eq!(world.live(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_link_stays_a_link() {
    let world = World::with(None);
    put(&world.docker.join("real.json"), PLAIN);
    symlink("real.json", world.file()).unwrap();
    world.apply().await.unwrap();
    assert!(world.file().is_symlink());
    world.restore().await.unwrap();
    assert!(world.file().is_symlink());
    assert_eq!(world.text().unwrap(), PLAIN);
}

#[tokio::test(start_paused = true)]
async fn a_file_out_of_reach_is_not_touched() {
    let mut world = World::with(Some(PLAIN));
    world.setup.config = ConfigDir::mounted(world.docker.join("not-mounted"), "/etc/docker");
    assert!(matches!(world.apply().await, Err(ApplyError::Target(_))));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_journal_stops_everything_before_anything_is_written() {
    let world = World::with(Some(PLAIN));
    world.apply().await.unwrap();
    put(&world.journal(), "{\"format\": 1, ");
    assert!(matches!(world.apply().await, Err(ApplyError::Journal(_))));
    assert!(matches!(world.recover().await, Err(ApplyError::Journal(_))));
    let error = world.restore().await.unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    assert_eq!(world.text().unwrap(), EDITED);

    std::fs::remove_file(world.journal()).unwrap();
    world.restore().await.unwrap();
    assert_eq!(
        world.text().unwrap(),
        "{\n  \"debug\": true,\n  \"registry-mirrors\": []\n}\n",
        "the advice of the error holds"
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_undone_is_said_and_tried_again() {
    let mut world = World::with(Some(PLAIN));
    world.apply().await.unwrap();
    world.setup.mirror = MirrorUrl::parse("http://127.0.0.1:1797").unwrap();
    world.engine.state().reachable = false;
    let Err(ApplyError::NotUndone { undo, .. }) = world.apply().await else { panic!() };
    assert!(matches!(*undo, WithdrawError::StillLive(_)));
    assert!(matches!(world.apply().await, Err(ApplyError::Recovery(WithdrawError::StillLive(_)))));

    world.engine.state().reachable = true;
    assert_eq!(world.apply().await.unwrap(), Applied::Configured);
    assert_eq!(world.live(), ["http://127.0.0.1:1797/"]);
    world.restore().await.unwrap();
    assert_eq!(world.text().unwrap(), PLAIN);
}
