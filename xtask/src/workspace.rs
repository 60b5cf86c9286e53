//! Paths of the repository and its output.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use cargo_metadata::{Metadata, MetadataCommand};

/// The checked-out repository and its output directory.
#[derive(Debug)]
pub struct Workspace {
    /// The directory of the root `Cargo.toml`.
    pub root: PathBuf,
    /// The output directory of cargo and of our own programs.
    pub target: PathBuf,
}

impl Workspace {
    /// Finds the repository from which this program was built.
    pub fn locate() -> anyhow::Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here
            .parent()
            .filter(|root| root.join("Cargo.toml").is_file())
            .with_context(|| format!("{} is gone: build xtask again", here.display()))?
            .to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            // Relative to the caller's directory, as for cargo.
            Some(named) if !named.is_empty() => std::path::absolute(&named)
                .with_context(|| format!("CARGO_TARGET_DIR names {}", named.display()))?,
            _ => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// Returns the directory of the flat images.
    pub fn images(&self) -> PathBuf {
        self.target.join("images")
    }

    /// Makes a call of the cargo that runs us, in the repository.
    pub fn cargo(&self, subcommand: &str) -> Command {
        // cargo passes its own path on, which saves a look-up by rustup.
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).arg(subcommand);
        command.env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// Returns cargo's metadata of the packages.
    pub fn metadata(&self, options: &[&str]) -> anyhow::Result<Metadata> {
        let output = self
            .cargo("metadata")
            .args(["--format-version", "1"])
            .args(options)
            .output()
            .context("cannot start cargo")?;
        anyhow::ensure!(
            output.status.success(),
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        MetadataCommand::parse(String::from_utf8_lossy(&output.stdout)).context("cargo metadata")
    }
}
