//! What is left of failures: lines in logs, nothing on disks, and no grudge.

use anyhow::{Result, ensure};
use larder_tests::rig::{Rig, faults::FaultyUpstream};

use super::{
    ask_all,
    rows::{Row, Target},
};
use crate::{
    answer::{self, Answer},
    store,
    world::{TIERS, World},
};

/// Every failure is a line of the hub's log that says what, from whom and why; and the agent never thought that it was
/// the hub that failed.
pub(super) fn logged(world: &World<'_>, rows: &[Row], answers: &[Answer]) -> Vec<String> {
    let (hub, agent) = (world.hub.logs(), world.agent.logs());
    let warnings: Vec<&str> = hub.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).collect();
    let is_told = |row: &Row| {
        let about = |line: &&&str| line.contains(row.repository()) || line.contains(row.digest());
        let whom = ["upstream=docker.io", "source=docker.io"];
        warnings.iter().filter(about).any(|line| whom.iter().any(|whom| line.contains(whom)))
    };
    let failed = rows.iter().zip(answers).filter(|(row, answer)| row.has_failed(answer));
    // What the upstream does not have is no failure.
    let failed = failed.filter(|(row, _)| row.case.name != "404");
    let untold = failed.filter(|(row, _)| !is_told(row));
    let untold = untold.map(|(row, _)| format!("{}, {}: the hub's log does not tell why", row.name(), row.tier));
    let silent = agent.lines().filter(|line| line.contains("the hub is silent"));
    untold.chain(silent.map(|line| format!("the hub lived, and the agent logged: {line}"))).collect()
}

/// Nothing of what failed is on a disk.
pub(super) fn kept(world: &World<'_>, rows: &[Row], answers: &[Answer]) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for tier in TIERS {
        let folder = world.folder(tier);
        store::no_partials(&folder)?;
        wrong.extend(store::unknown_files(&folder)?.into_iter().map(|file| format!("{tier} has {file}")));
        for (row, answer) in rows.iter().zip(answers) {
            let failed = row.has_failed(answer);
            let asked = row.tier == tier || tier == "hub";
            if failed && asked && store::blob(&folder, row.digest()).exists() {
                wrong.push(format!("{}, {}: its content is stored at the {tier}", row.name(), row.tier));
            }
            let link = store::repository(&folder, row.repository()).join("_manifests/tags");
            if failed && asked && row.target == Target::Tag && link.join(row.image.tag()).exists() {
                wrong.push(format!("{}, {}: its tag is stored at the {tier}", row.name(), row.tier));
            }
        }
    }
    Ok(wrong)
}

/// The same requests again, at an upstream that is well.
pub(super) fn healed(world: &World<'_>, rows: &[Row], before: &[Answer]) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (row, (before, now)) in rows.iter().zip(before.iter().zip(ask_all(world, rows)?)) {
        let served = now.is_content(row.digest());
        // An engine may have kept the bad beginning, so it has to go elsewhere for a while.
        let left = row.tier == "agent" && before.is_cut() && !before.body.is_empty();
        // Where nothing left in the end, the agent may have been about to let something go.
        let may_be_out = row.tier == "agent" && row.may_be_cut();
        let right = if left { now.status == Some(404) } else { served || (may_be_out && now.status == Some(404)) };
        if !right {
            let should = if left { "404 for ten minutes" } else { "served" };
            wrong.push(format!(
                "{}, {}: once well again {}, where it should be {should}",
                row.name(),
                row.tier,
                now.brief()
            ));
        }
        if row.tier == "agent" && !row.is_manifest() {
            let client = world.rig.http()?.client().clone();
            let url = format!("{}{}", world.hub.url(), row.path());
            let hub = world.rig.block_on(answer::ask(&client, row.method(), &url))?;
            if !hub.is_content(row.digest()) {
                wrong.push(format!("{}: once well again the hub does not serve it: {}", row.name(), hub.brief()));
            }
        }
    }
    Ok(wrong)
}

/// The upstream's port is closed: what is stored is served, what is not is refused at once.
pub(super) fn refused(rig: &Rig, world: &World<'_>, upstream: &FaultyUpstream, rows: &[Row]) -> Result<Vec<String>> {
    ensure!(rows.iter().any(|row| row.target == Target::Digest));
    upstream.refuse();
    let client = rig.http()?.client().clone();
    let ask = |url: String| rig.block_on(answer::ask(&client, http::Method::GET, &url));
    let mut wrong = Vec::new();
    for tier in TIERS {
        let url = world.tier(tier).url();
        let row = rows.iter().find(|row| row.target == Target::Digest && row.tier == tier);
        let Some(row) = row else { continue };
        let stored = ask(format!("{url}{}", row.path()))?;
        if !stored.is_content(row.digest()) {
            wrong.push(format!("refused, {tier}: what is stored is {}", stored.brief()));
        }
        let (hub, blob) = ((503, "UNAVAILABLE"), (404, "BLOB_UNKNOWN"));
        let manifest = if tier == "hub" { hub } else { (404, "MANIFEST_UNKNOWN") };
        let digest = format!("sha256:{:064}", 1);
        for (path, (status, code)) in [
            ("manifests/absent", manifest),
            (&format!("manifests/{digest}"), manifest),
            (&format!("blobs/{digest}"), blob),
        ] {
            let answer = ask(format!("{url}/v2/{}/{path}", row.repository()))?;
            if !answer.says(status, code) || answer.elapsed.as_secs() > 2 {
                wrong.push(format!("refused, {tier}: {path} is {} after {:?}", answer.brief(), answer.elapsed));
            }
        }
    }
    upstream.listen()?;
    Ok(wrong)
}
