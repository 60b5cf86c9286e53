//! What a probe says: greetings, answers and accidents.

mod body;
mod show;

use base64::Engine;

use crate::name::Name;

/// The most bytes that one [`Note::Chunk`] carries.
pub const CHUNK: usize = 48;

/// The body of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// A virtual CPU began. The first one says it as frame 0.
    Hello {
        /// Version of the probe.
        version: u8,
        /// Exception level it was entered at.
        el: u8,
        /// `CNTFRQ_EL0` in Hz.
        frequency: u32,
        /// `MPIDR_EL1`.
        mpidr: u64,
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
    /// An exception that no op was waiting for, or an interrupt that no op switched on. The script ends there.
    Fault {
        /// What kind of exception.
        vector: Vector,
        /// `ESR_EL1`; for an interrupt its number.
        esr: u64,
        /// `ELR_EL1`.
        elr: u64,
        /// `FAR_EL1`.
        far: u64,
    },
    /// The script or the tree is of no use. The script ends there.
    Bad {
        /// Byte in the script, or in the tree.
        at: u32,
        /// What is wrong there.
        why: Why,
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
    /// The access raised a synchronous exception.
    Fault {
        /// `ESR_EL1`.
        esr: u64,
        /// `FAR_EL1`.
        far: u64,
    },
    /// The access raised an SError interrupt.
    Serror {
        /// `ESR_EL1`.
        esr: u64,
    },
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
        intid: u32,
        /// How many since `irq on`.
        count: u32,
    },
    /// An interrupt's state in distributor or redistributor.
    Gic {
        /// ISENABLER.
        enabled: bool,
        /// ISPENDR.
        pending: bool,
        /// ISACTIVER.
        active: bool,
    },
    /// A milestone was reached.
    Mark(Name),
    /// The probe has not the means.
    Cannot(Reason),
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
    /// Exceptions whose FAR was not the address accessed.
    pub bad_far: u32,
    /// The low word of the first exception's ESR.
    pub first_esr: Option<u32>,
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

/// Declares an enum whose variants travel as words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the word it travels as.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// Which of the four vectors an exception came through.
    Vector {
        /// Synchronous exception.
        Sync = "sync",
        /// Interrupt.
        Irq = "irq",
        /// Fast interrupt.
        Fiq = "fiq",
        /// SError interrupt.
        Serror = "serror",
    }
}

words! {
    /// Why a script cannot be carried out.
    Why {
        /// The device tree cannot be read.
        Tree = "tree",
        /// There is no script, neither in the boot arguments nor in a ramdisk they point to.
        Script = "script",
        /// The header is not `n=<nonce> d=<dom>`.
        Header = "header",
        /// An unknown op.
        Op = "op",
        /// A word where a number is due, or a number that does not fit.
        Number = "number",
        /// A word that is not one of those possible there.
        Word = "word",
        /// An operand is missing.
        Missing = "missing",
        /// An operand too many.
        Extra = "extra",
        /// The probe itself failed; the position is a line of its source.
        Panic = "panic",
    }
}

words! {
    /// What the probe lacks for an op.
    Reason {
        /// The tree shows no interrupt controller that the probe can drive.
        NoGic = "no-gic",
        /// The interrupt controller has no such interrupt.
        Intid = "intid",
        /// The table of interrupts or of their actions is full.
        Full = "full",
        /// The address cannot be mapped: beyond the reach of translation, or no table is left.
        Map = "map",
        /// There is no device tree.
        NoTree = "no-tree",
        /// It would overwrite or enter the probe itself.
        Own = "own",
        /// The CPU or the hypervisor refuses the service: no PSCI, no second CPU.
        Service = "service",
        /// The script came with no such entry of a pack.
        Pack = "pack",
    }
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
