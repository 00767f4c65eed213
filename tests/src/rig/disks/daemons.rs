//! Hub and agent with their content on a disk of the rig.

use anyhow::Result;

use super::Mount;
use crate::rig::{
    binaries,
    larder::{AgentBuilder, HubBuilder},
};

impl HubBuilder {
    /// Keeps its content there.
    ///
    /// # Errors
    /// When the hub is not built.
    pub fn on_disk(self, disk: &Mount) -> Result<Self> {
        let program = disk.around(&binaries::find("larder-hub")?, None)?;
        let folder = serde_json::json!(disk.path());
        Ok(self.binary(&program).adjust(|config| config["storage"]["filesystem"]["rootdirectory"] = folder))
    }
}

impl AgentBuilder<'_> {
    /// Keeps its cache there. Not for an agent with an engine, which has mounts of its own.
    ///
    /// # Errors
    /// When the agent is not built.
    pub fn on_disk(self, disk: &Mount) -> Result<Self> {
        let cache = self.folder().join("cache");
        let program = disk.around(&binaries::find("larder-agent")?, Some(&cache))?;
        Ok(self.binary(&program))
    }
}
