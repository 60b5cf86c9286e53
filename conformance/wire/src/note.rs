//! What a probe reports: greetings, answers and unexpected events.

mod body;
mod show;

use base64::Engine;

use crate::arch;
use crate::fault::Fault;
use crate::irq::Irq;
use crate::name::Name;
use crate::reason::{Reason, ScriptError};

/// The most bytes that one [`Note::Chunk`] carries.
pub const CHUNK: usize = 48;

/// The body of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// A virtual CPU started (hello). The first CPU sends it as frame 0.
    Hello {
        /// Version of the probe.
        version: u8,
        /// The privilege level at which it was entered, as the architecture numbers them.
        privilege: u8,
        /// The frequency of its clock in Hz.
        frequency: u32,
        /// The CPU's number in the architecture's own form.
        cpu: u64,
    },
    /// The answer to an op. Each op gets exactly one, except ops that never return.
    Op {
        /// The op's position in the script, from 0.
        index: u16,
        /// Its result.
        answer: Answer,
    },
    /// A piece of a tree dump; the op's answer follows the last one.
    Chunk {
        /// Its offset in the dump.
        offset: u32,
        /// The bytes.
        data: Data,
    },
    /// An exception that no op expected. The script ends there.
    Fault {
        /// The exception.
        fault: Fault,
        /// The address of the instruction at which it was taken.
        pc: u64,
    },
    /// An interrupt that no op enabled. The script ends there.
    Stray(Irq),
    /// The script or the tree is unusable. The script ends there.
    Bad {
        /// The position in bytes, in the script or the tree.
        at: u32,
        /// What is wrong there.
        why: ScriptError,
    },
    /// The script has ended; the probe idles.
    End {
        /// How many ops were answered.
        ops: u16,
    },
}

/// The result of an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The op succeeded and has no value.
    Ok,
    /// The value read or returned.
    Value(u64),
    /// The op raised an exception.
    Fault(Fault),
    /// The result of a sweep.
    Sweep(Sweep),
    /// The result of a comparison.
    Same(Same),
    /// The time limit passed: the last value read, or the interrupts counted so far.
    Timeout(u64),
    /// The first address that did not hold the written value.
    BadRam(u64),
    /// The size of the tree; its chunks precede this answer.
    Tree(u32),
    /// Interrupts taken.
    Irqs {
        /// The interrupt.
        irq: Irq,
        /// Their number since `irq on`.
        count: u32,
    },
    /// The script reached a mark.
    Mark(Name),
    /// The probe cannot carry out the op.
    Cannot(Reason),
    /// An answer that only ops of one architecture give.
    Arch(arch::Answer),
}

/// The result of a sweep over addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sweep {
    /// Accesses that completed.
    pub ok: u32,
    /// Accesses that raised an exception.
    pub faults: u32,
    /// The first address whose access completed.
    pub first_ok: Option<u64>,
    /// The first address whose access raised an exception.
    pub first_fault: Option<u64>,
    /// Exceptions that the CPU reported for another address than the one accessed, or for none.
    pub elsewhere: u32,
    /// The syndrome of the first exception.
    pub first_raw: Option<arch::Raw>,
}

/// The result of a comparison over addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Same {
    /// Values that match.
    pub matches: u32,
    /// Values that do not match.
    pub mismatches: u32,
    /// Accesses that raised an exception.
    pub faults: u32,
    /// Address and value of the first mismatch.
    pub first: Option<(u64, u64)>,
}

/// Bytes of a chunk, at most [`CHUNK`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Data {
    bytes: [u8; CHUNK],
    len: usize,
}

impl Data {
    /// Makes a chunk of the bytes; `None` if they do not fit.
    pub fn new(data: &[u8]) -> Option<Self> {
        let mut bytes = [0; CHUNK];
        bytes.get_mut(..data.len())?.copy_from_slice(data);
        Some(Self {
            bytes,
            len: data.len(),
        })
    }

    fn from_base64(text: &str) -> Option<Self> {
        // The decoder needs a buffer for the length of the text, up to two bytes more than it writes.
        let mut bytes = [0; CHUNK + 3];
        let len = base64::prelude::BASE64_STANDARD
            .decode_slice(text, &mut bytes)
            .ok()?;
        Self::new(bytes.get(..len)?)
    }

    fn write_base64(&self, out: &mut impl core::fmt::Write) -> core::fmt::Result {
        let mut text = [0; CHUNK.div_ceil(3) * 4];
        let len = base64::prelude::BASE64_STANDARD
            .encode_slice(self, &mut text)
            .map_err(|_| core::fmt::Error)?;
        let text = text
            .get(..len)
            .and_then(|text| core::str::from_utf8(text).ok());
        out.write_str(text.ok_or(core::fmt::Error)?)
    }
}

impl AsRef<[u8]> for Data {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl core::fmt::Debug for Data {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:02x?}", self.as_ref())
    }
}
