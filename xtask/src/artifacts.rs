//! Builds the programs that tasks call and the images that they boot.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, bail};
use cargo_metadata::{Message, TargetKind};

use crate::arch::TARGET;
use crate::image;
use crate::progress::Progress;
use crate::traces;
use crate::workspace::Workspace;

/// Which images a task boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// None.
    None,
    /// The hypervisor without seeded faults, and the probe.
    Plain,
    /// The same, and the hypervisor with seeded faults.
    WithFaults,
}

/// Builds the `conformance` program and returns its path.
pub fn conformance(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let mut command = workspace.cargo("build");
    command.args(["--package", "conformance", "--bin", "conformance"]);
    let built = build(command, "build conformance")?;
    only(&built, "conformance").cloned()
}

/// Builds `wanted`, puts the flat images where the `conformance` program looks for them, and returns their paths.
pub fn images(workspace: &Workspace, wanted: Images) -> anyhow::Result<Vec<PathBuf>> {
    let mut made = Vec::new();
    if wanted == Images::None {
        return Ok(made);
    }
    let folder = workspace.images().join(TARGET.name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;

    let mut command = bare_metal(workspace);
    command.args(["--package", "refhv", "--package", "probe", "--bins"]);
    let built = build(command, "build the images")?;
    for name in ["refhv", "probe"] {
        made.push(lay(only(&built, name)?, &folder, name)?);
    }

    if wanted == Images::WithFaults {
        let mut command = bare_metal(workspace);
        command.args([
            "--package",
            "refhv",
            "--bins",
            "--features",
            "refhv/seeded-faults",
            "--target-dir",
        ]);
        // In a directory of its own: the two builds would replace each other's output every time, and no image with
        // seeded faults may be where a release image is expected.
        command.arg(workspace.target.join("faults"));
        let built = build(command, "build the hypervisor with seeded faults")?;
        let seeded = lay(only(&built, "refhv")?, &folder, "refhv-faults")?;
        traces::check(workspace, &folder.join("refhv.img"), &seeded)?;
        made.push(seeded);
    }
    Ok(made)
}

fn bare_metal(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo("build");
    command.args(["--profile", "image", "--target", TARGET.target]);
    command
}

/// Flattens `elf` to `<folder>/<name>.img` and keeps the ELF file beside it for debuggers.
fn lay(elf: &Path, folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let bytes = fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
    let flat = image::flatten(&bytes)
        .with_context(|| format!("{} is no bootable image", elf.display()))?;
    replace(&folder.join(format!("{name}.elf")), &bytes)?;
    let path = folder.join(format!("{name}.img"));
    replace(&path, &flat)?;
    Ok(path)
}

/// Writes `bytes` to `path`. A file with these bytes stays untouched, and no reader ever sees a partial one.
fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    // The name contains the process id, so that two runs do not write the same file.
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    fs::write(&fresh, bytes)
        .and_then(|()| fs::rename(&fresh, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Runs a cargo build and returns the programs it built (or found fresh), by name.
fn build(mut command: Command, label: &str) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut progress = Progress::start(label);
    command.args(["--quiet", "--message-format", "json-render-diagnostics"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        bail!("{label}: cargo runs without pipes");
    };
    let mut programs = Vec::new();
    let progress_ref = &mut progress;
    let complaints = thread::scope(|scope| {
        // Read both at once: a full pipe that is not read would block cargo.
        let complaints = scope.spawn(|| {
            BufReader::new(stderr)
                .lines()
                .map_while(Result::ok)
                .collect::<Vec<_>>()
        });
        for message in Message::parse_stream(BufReader::new(stdout)).map_while(Result::ok) {
            let Message::CompilerArtifact(made) = message else {
                continue;
            };
            if !made.fresh {
                progress_ref.announce(label);
            }
            progress_ref.detail(made.target.name.clone());
            if let Some(path) = made.executable
                && made.target.kind.contains(&TargetKind::Bin)
            {
                programs.push((made.target.name, path.into_std_path_buf()));
            }
        }
        complaints.join()
    });
    let status = child
        .wait()
        .with_context(|| format!("{label}: cannot wait for cargo"))?;
    for line in complaints.unwrap_or_default() {
        progress.print(&line);
    }
    progress.finish(status.success());
    if !status.success() {
        bail!("{label}: cargo says {status}");
    }
    Ok(programs)
}

/// Returns the program of that name.
fn only<'b>(built: &'b [(String, PathBuf)], name: &str) -> anyhow::Result<&'b PathBuf> {
    built
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, path)| path)
        .with_context(|| format!("cargo built no program called {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writing the same bytes again leaves the file alone. Other bytes replace it, and no partial file remains.
    #[test]
    fn replace_touches_only_what_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.img");
        replace(&path, b"one").unwrap();
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        replace(&path, b"one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
