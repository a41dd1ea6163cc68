//! ECR's state to a directory and back: `ecr.json` for what is small, one file per blob
//! below `blobs/`, named by its digest's hex.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};

use super::Ecr;
use super::manifest::digest_of;

impl Ecr {
    /// Writes the state into `dir`. Blobs that are there already are left as they are, and
    /// those that no repository has any more are removed. The state file is replaced in one
    /// step, so that a crash leaves the old or the new one.
    pub fn save(&self, dir: &Path) -> anyhow::Result<()> {
        let blobs = dir.join("blobs");
        fs::create_dir_all(&blobs).with_context(|| format!("creating {}", blobs.display()))?;
        for (digest, bytes) in &self.blobs {
            let path = blobs.join(file_name(digest));
            if !path.exists() {
                replace(&path, bytes)?;
            }
        }
        replace(&dir.join("ecr.json"), &serde_json::to_vec_pretty(self)?)?;
        for entry in fs::read_dir(&blobs)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !self.blobs.contains_key(&format!("sha256:{name}")) {
                fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// Reads what [`Ecr::save`] wrote. A directory without a state is an empty registry; a
    /// blob that is missing or damaged is an error that names it.
    pub fn load(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("ecr.json");
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let mut ecr: Self =
            serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?;
        let wanted: Vec<_> = ecr.repositories.values().flat_map(|repo| repo.blobs.iter().cloned()).collect();
        for digest in wanted {
            let path = dir.join("blobs").join(file_name(&digest));
            let bytes = fs::read(&path).with_context(|| format!("reading the blob {}", path.display()))?;
            ensure!(
                digest_of(&bytes) == digest,
                "the blob {} is damaged: push its image again",
                path.display()
            );
            ecr.blobs.insert(digest, bytes.into());
        }
        Ok(ecr)
    }
}

fn file_name(digest: &str) -> &str {
    digest.trim_start_matches("sha256:")
}

fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let partial = path.with_extension("partial");
    fs::write(&partial, bytes).with_context(|| format!("writing {}", partial.display()))?;
    fs::rename(&partial, path).with_context(|| format!("replacing {}", path.display()))
}
