//! Short-lived QEMUs: for the version, the device tree, and the time of an empty start.

use std::time::{Duration, Instant};

use model::Arch;

use super::argv::machine_argv;
use super::process::{Tie, to_end};
use super::{RunError, with_kind};
use crate::arch;
use crate::deadline::Deadline;
use crate::request::{File, Machine};
use crate::rundir::RunDir;

/// Far longer than any QEMU takes that ends by itself, even on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the first line of `--version`.
pub fn qemu_version(machine: &Machine) -> Result<String, RunError> {
    let argv = [machine.program.clone(), "--version".to_owned()];
    let printed = to_end(
        &argv,
        &std::env::temp_dir(),
        Deadline::after(PATIENCE),
        Tie::ToUs,
    )?;
    let text = String::from_utf8_lossy(&printed);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Returns the device tree that QEMU makes for the machine. It is always the same if the machine has the option
/// `dtb-randomness=off`.
pub fn dump_tree(machine: &Machine) -> Result<Vec<u8>, RunError> {
    const TREE: &str = "tree.dtb";
    let dir = RunDir::create().map_err(RunError::doing("creating the folder of the run"))?;
    with_kind(machine, |kind| {
        let mut dumping = machine.clone();
        dumping.options.push(format!("dumpdtb={TREE}"));
        let mut argv = machine_argv(&dumping, kind);
        // The number of serial lines decides which UARTs the tree has.
        argv.extend(["-serial", "null"].map(str::to_owned));
        argv.extend(machine.extra.iter().cloned());
        to_end(&argv, dir.path(), Deadline::after(PATIENCE), Tie::ToUs)
    })?;
    std::fs::read(dir.path().join(TREE)).map_err(RunError::doing("reading the tree QEMU wrote"))
}

/// Measures an empty start from outside: QEMU of this machine with an image that turns it off at once, without QMP,
/// qtest and `setpriv`. A run's time beyond this is spent by the suite or the guest.
pub fn time_empty_start(arch: Arch, machine: &Machine) -> Result<Duration, RunError> {
    const IMAGE: &str = "off.bin";
    let dir = RunDir::create().map_err(RunError::doing("creating the folder of the run"))?;
    let image = arch::platform(arch)?.power_off();
    File::new(IMAGE, image)
        .write(dir.path())
        .map_err(RunError::doing("writing the image"))?;
    with_kind(machine, |kind| {
        let mut argv = machine_argv(machine, kind);
        argv.extend(["-serial", "null"].map(str::to_owned));
        argv.extend(machine.extra.iter().cloned());
        argv.extend(["-kernel", IMAGE].map(str::to_owned));
        let began = Instant::now();
        // Not tied to us: the tie takes time that an empty start does not. The image ends this QEMU.
        to_end(&argv, dir.path(), Deadline::after(PATIENCE), Tie::None)?;
        Ok(began.elapsed())
    })
}
