//! The host's PL011, used for the hypervisor's own lines and those of the domains.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Base of the registers; zero while there is no console.
static BASE: AtomicU64 = AtomicU64::new(0);
/// Whether it is known which device the console is, or that there is none.
static DECIDED: AtomicBool = AtomicBool::new(false);

const DATA: u64 = 0x00;
const FLAGS: u64 = 0x18;
const LINE_CONTROL: u64 = 0x2c;
const CONTROL: u64 = 0x30;
const INTERRUPT_MASK: u64 = 0x38;

/// UARTFR.TXFF: no room for another byte.
const TRANSMIT_FULL: u32 = 1 << 5;
/// UARTCR.UARTEN and TXE.
const TRANSMITTING: u32 = 1 << 8 | 1;
/// UARTLCR_H: eight bits, FIFO.
const EIGHT_BITS_FIFO: u32 = 0x70;

/// The console.
#[derive(Clone, Copy, Debug)]
pub struct Console(());

/// Starts to use the PL011 at `base`.
///
/// # Safety
/// There must be a PL011 at `base`, mapped as a device (or the MMU off), that nobody else uses.
pub unsafe fn open(base: u64) {
    BASE.store(base, Ordering::Relaxed);
    DECIDED.store(true, Ordering::Relaxed);
    // Firmware usually leaves it running; QEMU starts without firmware.
    if register(CONTROL).is_some_and(|control| control & TRANSMITTING != TRANSMITTING) {
        set(LINE_CONTROL, EIGHT_BITS_FIFO);
        set(CONTROL, TRANSMITTING);
    }
    set(INTERRUPT_MASK, 0);
}

/// Does without a console: every device may belong to somebody else.
pub fn close() {
    BASE.store(0, Ordering::Relaxed);
    DECIDED.store(true, Ordering::Relaxed);
}

/// Tells whether neither [`open`] nor [`close`] has been called.
pub fn undecided() -> bool {
    !DECIDED.load(Ordering::Relaxed)
}

/// Returns the console, if there is one.
pub fn console() -> Option<Console> {
    (BASE.load(Ordering::Relaxed) != 0).then_some(Console(()))
}

fn register(offset: u64) -> Option<u32> {
    let base = BASE.load(Ordering::Relaxed);
    let at: *const u32 = core::ptr::with_exposed_provenance((base + offset) as usize);
    // SAFETY: While `BASE` is not zero, `open`'s caller has vouched for a mapped PL011 there.
    (base != 0).then(|| unsafe { at.read_volatile() })
}

fn set(offset: u64, value: u32) {
    let base = BASE.load(Ordering::Relaxed);
    if base != 0 {
        let at: *mut u32 = core::ptr::with_exposed_provenance_mut((base + offset) as usize);
        // SAFETY: As for `register`; no register of a PL011 makes it touch memory.
        unsafe { at.write_volatile(value) }
    }
}

impl Console {
    /// Prints bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            while register(FLAGS).is_some_and(|flags| flags & TRANSMIT_FULL != 0) {
                core::hint::spin_loop();
            }
            set(DATA, u32::from(byte));
        }
    }
}

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

/// Prints one line of the hypervisor's, if there is a console.
pub fn line(text: fmt::Arguments<'_>) {
    if let Some(mut console) = console() {
        // Printing to a register cannot fail.
        let _ = console.write_fmt(format_args!("(HV) {text}\r\n"));
    }
}
