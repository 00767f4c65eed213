//! What is pulled.

use std::path::Path;

use anyhow::Result;

use crate::rig::images::{self, Image, LayerSpec};

/// Two images of one upstream, as `docker pull` calls them.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The one that is pulled again and again.
    pub(super) main: String,
    /// The one that nobody has when the hub is gone.
    pub(super) other: String,
}

/// From Docker Hub: known to everybody, kept up to date there, about 75 MB in all.
const OF_DOCKER_HUB: [&str; 2] = ["nginx:1.28", "alpine:3.22"];

/// MiB of the layers, beside busybox, that the images of a local registry have.
const LAYERS: [(&str, &[u64]); 2] = [("web", &[40, 20, 4]), ("worker", &[16])];

pub(super) fn of_docker_hub() -> Names {
    let [main, other] = OF_DOCKER_HUB.map(str::to_owned);
    Names { main, other }
}

/// Makes the images of a local registry, with their layers in `folder`.
pub(super) fn make(folder: &Path) -> Result<[Image; 2]> {
    let make = |index: usize| {
        let (name, sizes) = LAYERS[index];
        let layer = |(at, size): (usize, &u64)| {
            let seed = (index * 100 + at) as u64;
            LayerSpec::random(&format!("data/{at}"), seed, size << 20)
        };
        let spec = images::busybox(&format!("library/{name}"), "1");
        sizes.iter().enumerate().map(layer).fold(spec, images::ImageSpec::layer).build_in(folder)
    };
    Ok([make(0)?, make(1)?])
}

impl Names {
    pub(super) fn of([main, other]: &[Image; 2]) -> Self {
        Self { main: main.hub_name(), other: other.hub_name() }
    }
}
