//! Writes ops as text; the parser reads the same op from it.

use core::fmt;

use super::{Attr, Op, Trigger};

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Read { width, at } => write!(f, "r{} {at:#x}", width.bits()),
            Self::Write { width, at, value } => write!(f, "w{} {at:#x} {value:#x}", width.bits()),
            Self::Sweep {
                width,
                at,
                count,
                stride,
                value: None,
            } => {
                write!(f, "sweep r{} {at:#x} {count} {stride:#x}", width.bits())
            }
            Self::Sweep {
                width,
                at,
                count,
                stride,
                value: Some(value),
            } => {
                write!(
                    f,
                    "sweep w{} {at:#x} {count} {stride:#x} {value:#x}",
                    width.bits()
                )
            }
            Self::Same {
                width,
                at,
                count,
                stride,
                value,
                inc,
            } => {
                write!(
                    f,
                    "same r{} {at:#x} {count} {stride:#x} {value:#x} {inc:#x}",
                    width.bits()
                )
            }
            Self::Wait {
                width,
                at,
                mask,
                value,
                ms,
            } => {
                write!(f, "wait{} {at:#x} {mask:#x} {value:#x} {ms}", width.bits())
            }
            Self::Ram { at, len } => write!(f, "ram {at:#x} {len:#x}"),
            Self::Exec { at } => write!(f, "exec {at:#x}"),
            Self::Tree => f.write_str("tree"),
            Self::IrqOn {
                irq,
                trigger,
                priority,
            } => {
                let trigger = match trigger {
                    Trigger::Level => "level",
                    Trigger::Edge => "edge",
                };
                write!(f, "irq on {irq} {trigger} {priority:#x}")
            }
            Self::IrqOff { irq } => write!(f, "irq off {irq}"),
            Self::IrqAct {
                irq,
                width,
                at,
                value,
            } => {
                write!(f, "irq act {irq} w{} {at:#x} {value:#x}", width.bits())
            }
            Self::IrqNoEoi { irq } => write!(f, "irq noeoi {irq}"),
            Self::IrqWait { irq, count, ms } => write!(f, "irq wait {irq} {count} {ms}"),
            Self::IrqCount { irq } => write!(f, "irq count {irq}"),
            Self::Timer { ms } => write!(f, "timer {ms}"),
            Self::Yield { count } => write!(f, "yield {count}"),
            Self::Attr(Attr::Device) => f.write_str("attr device"),
            Self::Attr(Attr::Normal) => f.write_str("attr normal"),
            Self::Mark(name) => write!(f, "mark {name}"),
            Self::Idle => f.write_str("idle"),
            Self::Off => f.write_str("off"),
            Self::Reset => f.write_str("reset"),
            Self::Crash => f.write_str("crash"),
            Self::Spin => f.write_str("spin"),
            Self::Storm { at, count } => write!(f, "storm {at:#x} {count}"),
            Self::Hypercall { number, args } => write!(f, "hc {number}{args}"),
            Self::ScratchWrite { at, values } => write!(f, "hcmem {at}{values}"),
            Self::WriteScratchAddress { at, place } => write!(f, "hcaim {at:#x} {place}"),
            Self::ScratchRead { at, width } => write!(f, "hcr {at} {}", width.bits()),
            Self::Arch(op) => op.fmt(f),
            Self::Hv(hv) => write!(f, "hv {hv}"),
            Self::Loop { passes, ops } => write!(f, "loop {passes} {ops}"),
        }
    }
}
