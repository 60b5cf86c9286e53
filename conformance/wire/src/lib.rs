//! The protocol between the harness and the probes: scripts to a probe, frames from it.
//!
//! It has two small languages, over a serial console to which others write too:
//!
//! * **Frames** ([`Frame`], [`read`]) travel from the probe. Each is one line of at most
//!   [`MAX_FRAME`] bytes with the run's nonce, the domain, a sequence number and a checksum. It may be
//!   anywhere in a console line; [`Order`] detects lost, repeated and forged frames.
//! * **Scripts** ([`parse_script`], [`Op`]) travel to the probe as text, in a boot argument or a
//!   ramdisk. The probe reads them without allocation.
//!
//! ```text
//! @pt2 <nonce:8> <dom:2> <seq:4> <crc32:8> <body>.
//! n=<nonce> d=<dom>;<op>;<op>...
//! ```
//!
//! [`arch`] has what is specific to one architecture; everything else is common to all.
//!
//! A probe reports and never judges, so nothing here knows the expected result. The full stop that ends
//! a frame occurs nowhere inside one, so text that follows it on the same line does no harm.
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
