//! Looks at how the engine reaches a registry without us, for a `hosts.toml` that must say it again.

use std::{net::IpAddr, path::Path, time::Duration};

use larder_oci::Registry;
use tokio::{net::lookup_host, time::timeout};

use super::{
    apply::ApplyError,
    engine::{Engine, EngineFacts},
    hosts_toml::{self, FILE_NAME, Origin, OriginFacts, Ruling, names_to_resolve},
    journal::Journal,
    operation::Operation,
    plan::PlanRefusal,
    writer::CERTS_D,
};

/// How long a name may take to be resolved. One that cannot be is of no network.
const RESOLVING: Duration = Duration::from_secs(2);

impl<E: Engine> Operation<'_, E> {
    /// The origin of `registry`, whose file goes into `folder`; `previous` is the journal of that file, `live` the mirrors
    /// in `/info`.
    pub(super) async fn origin(
        &self,
        registry: &Registry,
        folder: &str,
        previous: Option<&Journal>,
        live: &[String],
        facts: &EngineFacts,
    ) -> Result<Origin, ApplyError> {
        let config = &self.setup.config;
        let certs = Path::new(CERTS_D);
        let made = config.file(&certs.join(folder));
        let is_made = previous.is_some_and(|previous| previous.new_folders.contains(&made));
        let in_folder = config.list(&certs.join(folder))?.unwrap_or_default();
        // Somebody may have put certificates into the folder that we made.
        let ours = (is_made && in_folder.iter().all(|name| name == FILE_NAME)).then_some(folder);
        let there = config.list(certs)?.unwrap_or_default();
        let place = hosts_toml::place(registry, |name| there.iter().any(|there| there == name), ours);

        let mut ruling_files = Vec::new();
        let mut hosts_file = None;
        if let Some(ruling) = &place.ruling {
            let ruling = certs.join(ruling);
            ruling_files = config.list(&ruling)?.unwrap_or_default().into_iter().map(Into::into).collect();
            hosts_file = config.locate(&ruling.join(FILE_NAME))?.read()?.bytes;
        }
        let ruling = place.ruling.as_deref().map(|folder| Ruling {
            folder,
            files: &ruling_files,
            hosts_toml: hosts_file.as_deref(),
        });
        let mut facts = OriginFacts { registry, ruling, mirrors: live, insecure: facts.insecure.clone() };
        for name in names_to_resolve(&facts) {
            let addresses = addresses(&name).await;
            facts.insecure.addresses.insert(name, addresses);
        }
        Origin::of(facts).map_err(|refusal| ApplyError::Refused(PlanRefusal::from(refusal)))
    }
}

async fn addresses(name: &str) -> Vec<IpAddr> {
    let found = timeout(RESOLVING, lookup_host((name, 0))).await;
    found.ok().and_then(Result::ok).map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default()
}
