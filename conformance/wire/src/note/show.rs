//! Notes as people read them.

use core::fmt;

use super::{Answer, Note, Same, Sweep};

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Hello {
                version,
                el,
                frequency,
                mpidr,
            } => {
                write!(
                    f,
                    "hello version={version} el={el} frequency={frequency} mpidr={mpidr:#x}"
                )
            }
            Self::Op { index, answer } => write!(f, "op {index}: {answer}"),
            Self::Chunk { offset, data } => {
                write!(f, "chunk offset={offset} len={}", data.as_ref().len())
            }
            Self::Fault {
                vector,
                esr,
                elr,
                far,
            } => {
                write!(
                    f,
                    "unexpected {vector} exception esr={esr:#x} elr={elr:#x} far={far:#x}"
                )
            }
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
            Self::Fault { esr, far } => write!(f, "fault esr={esr:#x} far={far:#x}"),
            Self::Serror { esr } => write!(f, "serror esr={esr:#x}"),
            Self::Sweep(Sweep {
                ok,
                faults,
                first_ok,
                first_fault,
                bad_far,
                first_esr,
            }) => {
                write!(f, "sweep ok={ok} fault={faults}")?;
                optional(f, "first_ok", first_ok)?;
                optional(f, "first_fault", first_fault)?;
                write!(f, " badfar={bad_far}")?;
                optional(f, "esr", first_esr.map(u64::from))
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
            Self::Irqs { intid, count } => write!(f, "irqs {intid} {count}"),
            Self::Gic {
                enabled,
                pending,
                active,
            } => {
                let bit = |on| if on { 1 } else { 0 };
                write!(
                    f,
                    "gic enabled={} pending={} active={}",
                    bit(enabled),
                    bit(pending),
                    bit(active)
                )
            }
            Self::Mark(name) => write!(f, "mark {name}"),
            Self::Cannot(reason) => write!(f, "cannot {reason}"),
        }
    }
}

fn optional(f: &mut fmt::Formatter<'_>, key: &str, value: Option<u64>) -> fmt::Result {
    match value {
        Some(value) => write!(f, " {key}={value:#x}"),
        None => write!(f, " {key}=-"),
    }
}
