//! Handles interrupts, which the vectors pass on.

use core::sync::atomic::Ordering;

use wire::{Irq, Note, Width};

use super::accident::give_up;
use super::cpu;
use super::hardware::{HARDWARE, INTERFACE, IRQS, TAKEN};
use crate::arch::aarch64::TIMER;
use crate::machine::Machine;
use crate::run;

const GICC_IAR: u64 = 0x0c;
const GICC_EOIR: u64 = 0x10;

/// Serves one interrupt; called by the vector, inside `open_window`.
#[expect(unsafe_code, reason = "boot.S finds it by its name")]
// SAFETY: No other symbol of the image has this name.
#[unsafe(no_mangle)]
extern "C" fn probe_interrupt() {
    /// The first INTID that stands for no interrupt.
    const SPURIOUS: u32 = 1020;
    let Some(hardware) = HARDWARE.get() else {
        return;
    };
    let interface = INTERFACE.load(Ordering::Relaxed);
    // EOI needs the value as acknowledged: on a GICv2 it includes the sender of an SGI.
    let token = match interface {
        0 => cpu::acknowledge(),
        base => hardware
            .read(Width::W32, base + GICC_IAR)
            .map_or(SPURIOUS, |token| u32::try_from(token).unwrap_or(SPURIOUS)),
    };
    let irq = Irq(if interface == 0 { token } else { token & 0x3ff });
    if irq.0 >= SPURIOUS {
        return;
    }
    TAKEN.fetch_add(1, Ordering::Relaxed);
    if irq == TIMER {
        cpu::silence_timer();
    }
    match (run::handle(hardware, &IRQS, irq), interface) {
        (Some(true), 0) => cpu::end_interrupt(token),
        (Some(true), base) => {
            // An abort is unlikely here: the interface has just answered.
            let _abort = hardware.write(Width::W32, base + GICC_EOIR, u64::from(token));
        }
        (Some(false), _) => {}
        (None, _) => give_up(hardware, Note::Stray(irq)),
    }
}
