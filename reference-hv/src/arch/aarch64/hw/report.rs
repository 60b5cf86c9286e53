//! The last words: panics, and exceptions of the hypervisor itself.

use core::fmt;
use core::panic::PanicInfo;

use aarch64_cpu::registers::{CurrentEL, Readable};

use super::sysreg::halt;
use super::{image, pl011, start};

/// Registers at an exception taken from EL2 to EL2; filled in by vectors.S.
#[repr(C)]
#[derive(Debug)]
struct Crash {
    x: [u64; 31],
    sp: u64,
    elr: u64,
    spsr: u64,
    esr: u64,
    far: u64,
    hpfar: u64,
    reported: u64,
}

const _: () = assert!(core::mem::offset_of!(Crash, sp) == 248);
const _: () = assert!(core::mem::offset_of!(Crash, elr) == 256);
const _: () = assert!(core::mem::offset_of!(Crash, esr) == 272);
const _: () = assert!(core::mem::offset_of!(Crash, hpfar) == 288);
const _: () = assert!(core::mem::offset_of!(Crash, reported) == 296);

// SAFETY: vectors.S reserves 304 bytes there, aligned to 16, and writes them at the offsets asserted
// above.
// SAFETY: vectors.S defines it, with the layout asserted above.
unsafe extern "C" {
    static refhv_crash: Crash;
}

const VECTORS: [&str; 8] = [
    "synchronous exception with SP_EL0",
    "IRQ with SP_EL0",
    "FIQ with SP_EL0",
    "SError with SP_EL0",
    "synchronous exception",
    "IRQ",
    "FIQ",
    "SError",
];

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = image::whole().start;
        writeln!(
            f,
            "ESR {:#010x} (class {:#04x}) ELR {:#x} (image+{:#x}) FAR {:#x} HPFAR {:#x} SPSR {:#x} SP {:#x}\r",
            self.esr,
            self.esr >> 26 & 0x3f,
            self.elr,
            self.elr.wrapping_sub(base),
            self.far,
            self.hpfar,
            self.spsr,
            self.sp
        )?;
        for (n, x) in self.x.iter().enumerate() {
            let end = if n % 4 == 3 || n == 30 { "\r\n" } else { " " };
            let mark = if n % 4 == 0 { "(HV)   " } else { "" };
            write!(f, "{mark}x{n:<2} {x:#018x}{end}")?;
        }
        Ok(())
    }
}

/// Reports an exception of the hypervisor itself and halts.
// SAFETY: The name is called by vectors.S alone and defined nowhere else.
#[unsafe(no_mangle)]
extern "C" fn refhv_fatal(vector: u64) -> ! {
    // SAFETY: vectors.S has filled the structure in and writes no more to it: a second fault halts.
    let crash = unsafe { &refhv_crash };
    start::last_resort_console();
    let what = usize::try_from(vector)
        .ok()
        .and_then(|vector| VECTORS.get(vector));
    pl011::line(format_args!(
        "fatal: {} in the hypervisor",
        what.unwrap_or(&"exception")
    ));
    if image::guard().contains(&crash.far) {
        pl011::line(format_args!("the stack has overflowed"));
    }
    pl011::line(format_args!("{crash}(HV) halted"));
    halt()
}

/// Reports a panic and halts.
pub fn report_panic(info: &PanicInfo<'_>) -> ! {
    start::last_resort_console();
    pl011::line(format_args!("fatal: {info}"));
    pl011::line(format_args!(
        "halted at EL{}",
        CurrentEL.read(CurrentEL::EL)
    ));
    halt()
}
