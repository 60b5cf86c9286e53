//! A run to be made: the machine, its images, and the actions from outside.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::Arch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::Answer;
use crate::iommu::Iommu;

/// Default limit of the console in bytes; a run that prints more ends as flooded.
pub const CONSOLE_LIMIT: usize = 2 << 20;

/// A machine: everything that also decides the device tree that QEMU makes for it.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// QEMU's program: a path, or a name that is looked up in `PATH`.
    pub program: String,
    /// The machine type that every QEMU has, such as `virt`.
    pub kind: String,
    /// The versioned machine type, used where this QEMU has it. A newer QEMU then does not change the hardware under
    /// the suite.
    #[serde(default)]
    pub pin: Option<String>,
    /// Machine options, such as `virtualization=on`.
    #[serde(default)]
    pub options: Vec<String>,
    /// The CPU model.
    pub cpu: String,
    /// The number of CPUs.
    pub cpus: u32,
    /// RAM in MiB.
    pub memory_mib: u32,
    /// Added devices; each becomes one `-device`.
    #[serde(default)]
    pub devices: Vec<String>,
    /// Arguments passed on unchanged, after the console's `-serial`.
    #[serde(default)]
    pub extra: Vec<String>,
}

/// Bytes to load into memory before the first instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Physical address of the first byte.
    pub addr: u64,
    /// The bytes; shared, because many runs load the same probe.
    pub bytes: Arc<[u8]>,
}

impl Load {
    /// Places `bytes` at `addr`.
    pub fn new(addr: u64, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self {
            addr,
            bytes: bytes.into(),
        }
    }
}

/// A file that the command line of a run names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, relative to the folder of the run.
    pub name: String,
    /// The beginning of its content; shared, because many runs use the same.
    pub bytes: Arc<[u8]>,
    /// Its size. The part after `bytes` is a hole: it reads as zeros and takes no space.
    pub size: u64,
}

impl File {
    /// Describes a file that holds exactly these bytes.
    pub fn new(name: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self {
            name: name.into(),
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            bytes,
        }
    }

    /// Extends the file to `size` bytes with zeros.
    #[must_use]
    pub fn padded(self, size: u64) -> Self {
        Self {
            size: size.max(self.size),
            ..self
        }
    }

    /// Writes the file below `folder`, and creates its folders.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let path = folder.join(&self.name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = fs::File::create(path)?;
        file.write_all(&self.bytes)?;
        file.set_len(self.size)
    }
}

/// Makes virtual time follow executed instructions: one instruction takes `2^shift` ns.
///
/// The guest reads the virtual clock as its timer's counter. From outside, the count of executed instructions is the
/// `icount` of QMP `query-replay`, so an [`Action::Qmp`] can read it at any console line or while the machine is
/// stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Icount {
    /// Binary logarithm of the nanoseconds an instruction takes.
    pub shift: u8,
    /// Whether an idle CPU also waits in real time; with `false`, timers expire at once.
    pub sleep: bool,
}

/// Firmware that starts the image. QEMU then only loads image and tree into memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Firmware {
    /// The firmware's own image, where the board starts.
    pub path: PathBuf,
    /// Address of the image that the firmware starts.
    pub image: u64,
    /// Address of the device tree that the firmware passes to the image.
    pub tree: u64,
}

/// A run to be made.
#[derive(Clone, Debug)]
pub struct Request {
    /// The architecture of the machine.
    pub arch: Arch,
    /// The machine.
    pub machine: Machine,
    /// The image that `-kernel` or the firmware starts, unless the arguments name it.
    pub image: Option<PathBuf>,
    /// Firmware between the machine and the image.
    pub firmware: Option<Firmware>,
    /// The device tree handed to the image instead of QEMU's own.
    pub host_dtb: Option<Vec<u8>>,
    /// Further images in memory.
    pub loads: Vec<Load>,
    /// Files that `extra` names. They are written to QEMU's working directory.
    pub files: Vec<File>,
    /// Arguments of this run only.
    pub extra: Vec<String>,
    /// Arguments that replace all those of `machine`.
    pub machine_args: Option<Vec<String>>,
    /// Which serial line of the machine is the console, from 0.
    pub console: u8,
    /// Makes virtual time follow instructions instead of the host's clock.
    pub icount: Option<Icount>,
    /// IOMMUs of the machine to observe.
    pub iommus: Vec<Iommu>,
    /// Actions on the paused machine before its first instruction, in order, as firmware would do them.
    pub before: Vec<LabelledAction>,
    /// The time limit of the whole run.
    pub deadline: Duration,
    /// Limit of the console in bytes; a run that prints more ends as flooded.
    pub console_limit: usize,
}

impl Request {
    /// Describes a run of `image` on `machine` with nothing added.
    pub fn new(
        arch: Arch,
        machine: Machine,
        image: impl Into<PathBuf>,
        deadline: Duration,
    ) -> Self {
        Self {
            arch,
            machine,
            image: Some(image.into()),
            firmware: None,
            host_dtb: None,
            loads: Vec::new(),
            files: Vec::new(),
            extra: Vec::new(),
            machine_args: None,
            console: 0,
            icount: None,
            iommus: Vec::new(),
            before: Vec::new(),
            deadline,
            console_limit: CONSOLE_LIMIT,
        }
    }
}

/// An action on the machine from outside, while it runs or is stopped.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Reads physical memory: 1, 2, 4 or 8 bytes as one access of that width, as a device register needs, and any other
    /// length as a copy.
    Read {
        /// Physical address of the first byte.
        addr: u64,
        /// Number of bytes.
        len: usize,
    },
    /// Writes physical memory, with the widths of [`Action::Read`].
    Write {
        /// Physical address of the first byte.
        addr: u64,
        /// The bytes, lowest address first.
        bytes: Vec<u8>,
    },
    /// Sets an input line of the interrupt controller. A device wired to the same line sets it as well; the last
    /// setting counts.
    SetLine {
        /// The architecture's name for the line.
        line: String,
        /// Whether it is high from now on.
        high: bool,
    },
    /// Executes a QMP command.
    Qmp {
        /// Its name.
        execute: String,
        /// Its arguments, an object or null.
        arguments: Value,
    },
    /// Stops every CPU and the virtual clock.
    Stop,
    /// Resumes a stopped machine.
    Continue,
}

/// An action and the label of its answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelledAction {
    /// The name.
    pub label: String,
    /// The action.
    pub action: Action,
}

/// A command of a [`RunController`].
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Carry this out and report it by [`RunController::done`].
    Perform(LabelledAction),
    /// Everything awaited has arrived: end the run now.
    Finish,
}

impl Command {
    /// Commands `action`, whose answer is called `label`.
    pub fn act(label: impl Into<String>, action: Action) -> Self {
        Self::Perform(LabelledAction {
            label: label.into(),
            action,
        })
    }
}

/// Follows a run and steers it.
pub trait RunController {
    /// Receives one console line, without its end and with U+FFFD for what is not UTF-8. A line of over 4096 bytes
    /// comes in pieces.
    fn line(&mut self, line: &str) -> Vec<Command>;

    /// Receives the answer to an action. The commands returned are carried out before all that are still waiting.
    fn done(&mut self, label: &str, answer: &Answer) -> Vec<Command>;
}
