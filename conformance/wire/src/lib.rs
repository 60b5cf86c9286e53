//! Carries what a probe saw to the harness, and what the harness wants done to a probe.
//!
//! Two small languages over a serial console that others write to as well:
//!
//! * **Frames** ([`Frame`], [`read`]) travel from the probe. Each is one line of at most
//!   [`MAX_FRAME`] bytes with the run's nonce, the domain, a sequence number and a checksum, found
//!   anywhere in a console line; [`Order`] notices what was lost, said twice or forged.
//! * **Scripts** ([`parse_script`], [`Op`]) travel to the probe as text, in a boot argument or a
//!   ramdisk, and are read there without allocation.
//!
//! ```text
//! @pt1 <nonce:8> <dom:2> <seq:4> <crc32:8> <body>.
//! n=<nonce> d=<dom>;<op>;<op>...
//! ```
//!
//! What one architecture alone says or does is in [`arch`]; everything else holds on all of them.
//!
//! A probe reports and never judges; nothing here knows what was expected. The full stop that ends
//! a frame occurs nowhere inside one, so that text run into the same line after it does no harm.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod arch;
mod fault;
mod fields;
mod frame;
mod irq;
mod name;
mod note;
mod number;
mod op;
mod order;
pub mod pack;
mod reason;
mod script;
mod spelled;

pub use fault::{Fault, FaultClass};
pub use frame::{Damage, Frame, Line, MAX_FRAME, Reading, read};
pub use irq::Irq;
pub use name::Name;
pub use note::{Answer, CHUNK, Data, Note, Same, Sweep};
pub use op::{
    Attr, Hv, MAX_MS, MAX_PATH, MAX_REPEATED, MAX_VALUES, Op, OpError, OpErrorKind, Path, Place,
    SLOT, SLOTS, Trigger, Value, Values, Width, parse_op,
};
pub use order::{Disorder, Order};
pub use reason::{Reason, ScriptError};
#[cfg(feature = "alloc")]
pub use script::{BootArgs, INLINE_LIMIT, Script};
pub use script::{Header, Ops, parse_script};
