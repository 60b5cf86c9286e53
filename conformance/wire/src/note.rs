//! What a probe says: greetings, answers and accidents.

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
    /// A virtual CPU began. The first one says it as frame 0.
    Hello {
        /// Version of the probe.
        version: u8,
        /// The privilege it was entered at, as the architecture numbers its levels.
        privilege: u8,
        /// How far its clock counts in a second.
        frequency: u32,
        /// The CPU, as the architecture names it.
        cpu: u64,
    },
    /// An op was carried out. Exactly one an op, save those that never return.
    Op {
        /// The op's position in the script, from 0.
        index: u16,
        /// What came of it.
        answer: Answer,
    },
    /// A piece of a tree dump; the op's answer follows the last one.
    Chunk {
        /// Where in the dump it belongs.
        offset: u32,
        /// The bytes.
        data: Data,
    },
    /// An exception that no op was waiting for. The script ends there.
    Fault {
        /// The exception.
        fault: Fault,
        /// The instruction at which it was taken.
        pc: u64,
    },
    /// An interrupt that no op switched on. The script ends there.
    Stray(Irq),
    /// The script or the tree is of no use. The script ends there.
    Bad {
        /// Byte in the script, or in the tree.
        at: u32,
        /// What is wrong there.
        why: ScriptError,
    },
    /// The script is through; the probe idles.
    End {
        /// How many ops were answered.
        ops: u16,
    },
}

/// What came of an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It was done; there is nothing to tell.
    Ok,
    /// The value read or returned.
    Value(u64),
    /// It raised an exception.
    Fault(Fault),
    /// What a sweep met.
    Sweep(Sweep),
    /// What a comparison met.
    Same(Same),
    /// The bound passed: the last value seen, or the interrupts counted so far.
    Timeout(u64),
    /// The first address that did not hold what was written there.
    BadRam(u64),
    /// The size of the tree whose chunks came before.
    Tree(u32),
    /// Interrupts taken.
    Irqs {
        /// The interrupt.
        irq: Irq,
        /// How many since `irq on`.
        count: u32,
    },
    /// A milestone was reached.
    Mark(Name),
    /// The probe has not the means.
    Cannot(Reason),
    /// What only ops of one architecture answer.
    Arch(arch::Answer),
}

/// What a sweep over addresses met.
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
    /// Exceptions that were reported for another address than the one accessed, or for none.
    pub elsewhere: u32,
    /// The syndrome of the first exception.
    pub first_raw: Option<arch::Raw>,
}

/// What a comparison over addresses met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Same {
    /// Values as wanted.
    pub matches: u32,
    /// Other values.
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
    /// Takes the bytes if they fit into one chunk.
    pub fn new(data: &[u8]) -> Option<Self> {
        let mut bytes = [0; CHUNK];
        bytes.get_mut(..data.len())?.copy_from_slice(data);
        Some(Self {
            bytes,
            len: data.len(),
        })
    }

    fn from_base64(text: &str) -> Option<Self> {
        // The decoder asks for room by the length of the text, up to two bytes more than come out.
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
