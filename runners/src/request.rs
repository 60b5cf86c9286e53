//! What to run: the machine, its images, and what is done to it from outside.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::iommu::Iommu;
use model::Arch;

/// Bytes of console after which a run is ended as flooded, unless a request says otherwise.
pub const CONSOLE_LIMIT: usize = 2 << 20;

/// Describes a machine: everything that also decides the device tree QEMU makes for it.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// QEMU's program, a name looked for in `PATH` or a path.
    pub program: String,
    /// The machine type every QEMU has, such as `virt`.
    pub kind: String,
    /// The versioned type used instead where this QEMU has it, so that a newer QEMU does not
    /// change the hardware under the suite.
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
    /// Arguments passed on as they are, after the console's `-serial`.
    #[serde(default)]
    pub extra: Vec<String>,
}

/// Bytes that lie in memory before the first instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Physical address of the first byte.
    pub addr: u64,
    /// The bytes; shared, since many runs load the same probe.
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
    /// What it begins with; shared, since many runs use the same.
    pub bytes: Arc<[u8]>,
    /// Its size; what lies behind `bytes` is a hole that reads as zeros and costs nothing.
    pub size: u64,
}

impl File {
    /// Describes a file of just these bytes.
    pub fn new(name: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self {
            name: name.into(),
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            bytes,
        }
    }

    /// Makes the file `size` bytes long, zeros behind its bytes.
    #[must_use]
    pub fn padded(self, size: u64) -> Self {
        Self {
            size: size.max(self.size),
            ..self
        }
    }

    /// Writes the file below `folder`, and the folders it lies in.
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
/// The guest reads the virtual clock as its own timer's counter. From outside, the count
/// of executed instructions is the `icount` of QMP `query-replay`, so an
/// [`Action::Qmp`] can read it at any line of the console or while stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Icount {
    /// Binary logarithm of the nanoseconds an instruction takes.
    pub shift: u8,
    /// Whether an idle CPU waits in real time too; `false` lets timers expire at once.
    pub sleep: bool,
}

/// Firmware that starts the image, in the place of QEMU, which only puts image and tree into memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Firmware {
    /// Its own image, which the board begins with.
    pub path: PathBuf,
    /// Where the image lies that it is to start.
    pub image: u64,
    /// Where the device tree lies that it is to hand to it.
    pub tree: u64,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Request {
    /// The architecture of the machine.
    pub arch: Arch,
    /// The machine.
    pub machine: Machine,
    /// What `-kernel` or the firmware starts, where the arguments do not say it.
    pub image: Option<PathBuf>,
    /// Firmware between the machine and the image.
    pub firmware: Option<Firmware>,
    /// The device tree handed to the image instead of QEMU's own.
    pub host_dtb: Option<Vec<u8>>,
    /// Further images in memory.
    pub loads: Vec<Load>,
    /// Files that `extra` names; QEMU runs in the folder they are written to.
    pub files: Vec<File>,
    /// Arguments of this run only.
    pub extra: Vec<String>,
    /// Arguments in the place of all that `machine` says.
    pub machine_args: Option<Vec<String>>,
    /// Which serial line of the machine is the console, from 0.
    pub console: u8,
    /// Virtual time by instructions instead of by the host's clock.
    pub icount: Option<Icount>,
    /// IOMMUs of the machine whose doings are to be followed.
    pub iommus: Vec<Iommu>,
    /// What is done while the machine is still paused, in order: the part of the firmware.
    pub before: Vec<Act>,
    /// The longest the whole run may take.
    pub deadline: Duration,
    /// Bytes of console after which the run ends as flooded.
    pub console_limit: usize,
}

impl Request {
    /// Describes a run of `image` on `machine` with nothing else in it.
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

/// Something done to the machine from outside, while it runs or stands still.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Reads physical memory: 1, 2, 4 or 8 bytes as one access of that width, so that a device
    /// register can be read; any other length as a copy.
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
        /// What is written, lowest address first.
        bytes: Vec<u8>,
    },
    /// Drives an input line of the interrupt controller. A device wired to the same line drives it as well: the
    /// line has the level that was set last.
    SetLine {
        /// The name that the architecture has for the line.
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
    /// Lets a stopped machine go on.
    Continue,
}

/// An action and the name its answer goes by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Act {
    /// The name.
    pub label: String,
    /// The action.
    pub action: Action,
}

/// What a [`Director`] wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Do this, and say [`Director::done`].
    Act(Act),
    /// All that was awaited is in: end the run now.
    Finish,
}

impl Command {
    /// Asks for `action`, its answer to be called `label`.
    pub fn act(label: impl Into<String>, action: Action) -> Self {
        Self::Act(Act {
            label: label.into(),
            action,
        })
    }
}

/// What came of an [`Action`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It was done; there is nothing to say.
    Done,
    /// The bytes read.
    Bytes(Vec<u8>),
    /// What a QMP command returned.
    Json(Value),
    /// QEMU did not do it; its words, or that it has ended.
    Refused(String),
}

impl Answer {
    /// Returns the bytes read, if this is an answer with bytes.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Done | Self::Json(_) | Self::Refused(_) => None,
        }
    }

    /// Returns 1 to 8 bytes read as a little-endian number.
    pub fn value(&self) -> Option<u64> {
        let bytes = self.bytes().filter(|b| (1..=8).contains(&b.len()))?;
        Some(bytes.iter().rev().fold(0, |v, b| v << 8 | u64::from(*b)))
    }
}

/// Follows a run and steers it.
pub trait Director {
    /// Hears one console line, without its end and with U+FFFD for what is not UTF-8. A line of
    /// over 4096 bytes comes in pieces.
    fn line(&mut self, line: &str) -> Vec<Command>;

    /// Hears what came of an action. What it wants done in turn is done before anything that was
    /// still waiting.
    fn done(&mut self, label: &str, answer: &Answer) -> Vec<Command>;
}
