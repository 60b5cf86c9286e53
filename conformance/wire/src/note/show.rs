//! Notes as people read them.

use core::fmt;

use super::{Answer, Note, Same, Sweep};
use crate::arch::Raw;

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Hello {
                version,
                privilege,
                frequency,
                cpu,
            } => {
                write!(
                    f,
                    "hello version={version} privilege={privilege} frequency={frequency} cpu={cpu:#x}"
                )
            }
            Self::Op { index, answer } => write!(f, "op {index}: {answer}"),
            Self::Chunk { offset, data } => {
                write!(f, "chunk offset={offset} len={}", data.as_ref().len())
            }
            Self::Fault { fault, pc } => fault.raw().show_unexpected(f, fault.address(), pc),
            Self::Stray(irq) => write!(f, "unexpected interrupt {irq}"),
            Self::Bad { at, why } => write!(f, "bad script at byte {at}: {why}"),
            Self::End { ops } => write!(f, "end ops={ops}"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Ok => f.write_str("ok"),
            Self::Value(value) => write!(f, "val {value:#x}"),
            Self::Fault(fault) => fault.fmt(f),
            Self::Sweep(Sweep {
                ok,
                faults,
                first_ok,
                first_fault,
                elsewhere,
                first_raw,
            }) => {
                write!(f, "sweep ok={ok} fault={faults}")?;
                optional(f, "first_ok", first_ok)?;
                optional(f, "first_fault", first_fault)?;
                write!(f, " badfar={elsewhere}")?;
                Raw::show_first(first_raw, f)
            }
            Self::Same(Same {
                matches,
                mismatches,
                faults,
                first,
            }) => {
                write!(
                    f,
                    "same match={matches} mismatch={mismatches} fault={faults}"
                )?;
                match first {
                    Some((address, value)) => write!(f, " first={address:#x}:{value:#x}"),
                    None => f.write_str(" first=-"),
                }
            }
            Self::Timeout(value) => write!(f, "timeout {value:#x}"),
            Self::BadRam(address) => write!(f, "bad {address:#x}"),
            Self::Tree(len) => write!(f, "tree {len}"),
            Self::Irqs { irq, count } => write!(f, "irqs {irq} {count}"),
            Self::Mark(name) => write!(f, "mark {name}"),
            Self::Cannot(reason) => write!(f, "cannot {reason}"),
            Self::Arch(answer) => answer.fmt(f),
        }
    }
}

fn optional(f: &mut fmt::Formatter<'_>, key: &str, value: Option<u64>) -> fmt::Result {
    match value {
        Some(value) => write!(f, " {key}={value:#x}"),
        None => write!(f, " {key}=-"),
    }
}
