//! Handles accidents: unexpected exceptions, and the probe's own panics.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU16, Ordering};

use wire::arch::aarch64::{Syndrome, Vector};
use wire::{Fault, Note, ScriptError};

use super::console::Console;
use super::hardware::{HARDWARE, Hardware, idle};
use crate::arch::aarch64::board::Uart;
use crate::machine::Machine;

/// The number of answered ops.
pub static DONE: AtomicU16 = AtomicU16::new(0);

/// Reports an exception that no op expected. Called by the vectors.
#[expect(unsafe_code, reason = "boot.S finds it by its name")]
// SAFETY: No other symbol of the image has this name.
#[unsafe(no_mangle)]
extern "C" fn probe_accident(kind: u64, esr: u64, elr: u64, far: u64) -> ! {
    let vector = match kind {
        0 => Vector::Sync,
        1 => Vector::Irq,
        2 => Vector::Fiq,
        _ => Vector::Serror,
    };
    accident(Note::Fault {
        fault: Fault::new(Syndrome::new(vector, esr).into(), far),
        pc: elr,
    })
}

/// Reports a panic of the probe itself.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let at = info.location().map_or(0, |location| location.line());
    accident(Note::Bad {
        at,
        why: ScriptError::Panic,
    })
}

fn accident(note: Note) -> ! {
    static ACCIDENTS: AtomicU16 = AtomicU16::new(0);
    // An accident during the report of another one is not reported, which prevents endless output.
    if ACCIDENTS.fetch_add(1, Ordering::Relaxed) > 0 {
        idle();
    }
    match HARDWARE.get() {
        Some(hardware) => give_up(hardware, note),
        None => {
            Console::new(Some(Uart::default()), 0, 0).say(note);
            idle()
        }
    }
}

/// Sends a last note and the number of answered ops, and idles.
pub fn give_up(hardware: &Hardware, note: Note) -> ! {
    if hardware.console.is_locked() {
        // SAFETY: The holder of the lock is the code on this CPU that the accident interrupted, and it does
        // not continue. If another CPU is just sending its hello, that line is damaged, which is detected.
        unsafe { hardware.console.force_unlock() };
    }
    hardware.say(note);
    hardware.say(Note::End {
        ops: DONE.load(Ordering::Relaxed),
    });
    idle()
}
