//! The network of a rig is its own.

use std::{
    net::{TcpListener, TcpStream},
    time::Duration,
};

use anyhow::Result;
use larder_tests::rig::story;

#[test]
fn two_rigs_use_one_port_and_neither_is_seen_from_outside() -> Result<()> {
    let port = 443;
    story(|one| {
        story(|other| {
            let listen = || TcpListener::bind(("127.0.0.2", port));
            let (_first, second) = (one.inside(listen)??, other.inside(listen)??);
            assert!(TcpStream::connect(("127.0.0.2", port)).is_err(), "the machine has no such server");
            let connect = tokio::net::TcpStream::connect(("127.0.0.2", port));
            let client = other.block_on(async move { connect.await?.local_addr() })??;
            assert_eq!(second.accept()?.1, client);
            Ok(())
        })
    })
}

#[test]
fn programs_know_the_names_of_the_rig() -> Result<()> {
    story(|rig| {
        rig.add_host("registry.example", [127, 0, 0, 9].into())?;
        let ask = |launch: larder_tests::rig::Launch| launch.args(["hosts", "registry.example"]).finish(SHORT);
        let told = ask(rig.command("getent", "getent").with_rig_hosts())?.success()?;
        assert!(told.stdout.starts_with("127.0.0.9"), "{told:?}");
        assert!(!ask(rig.command("getent", "getent"))?.status.success(), "others see the machine's own names");
        let engine = rig.engine("node").start()?;
        rig.add_host("registry.example", [127, 0, 0, 10].into())?;
        let told = ask(engine.command("getent", "getent"))?.success()?;
        assert!(told.stdout.starts_with("127.0.0.10"), "a node that runs learns of changes: {told:?}");
        Ok(())
    })
}

const SHORT: Duration = Duration::from_secs(5);
