//! Console output on a PL011 or an SBSA UART (Arm DDI 0183G, chapter 3), or through the hypervisor.

use wire::{Frame, MAX_FRAME, Note, Width};

use super::access;
use crate::arch::aarch64::board::Uart;
use crate::machine::Abort;

const DR: u64 = 0x00;
const FR: u64 = 0x18;
const LCR_H: u64 = 0x2c;
const CR: u64 = 0x30;

const FR_FULL: u64 = 1 << 5;
const FR_EMPTY: u64 = 1 << 7;
/// Eight bits, FIFOs on.
const LCR_H_8N1_FIFO: u64 = 0b11 << 5 | 1 << 4;
const CR_ON: u64 = 1 << 9 | 1 << 8 | 1;

/// The size of the FIFO in the smallest PL011. Under a hypervisor each register access is a trap, so
/// the flags are read once for that many bytes.
const FIFO: u32 = 16;

/// The hypercall `console_io`; its write command is 0.
const XEN_CONSOLE_IO: u64 = 18;

/// The probe's console: a UART or the hypervisor's, and the number of frames sent.
#[derive(Debug)]
pub struct Console {
    uart: Option<Uart>,
    nonce: u32,
    dom: u8,
    seq: u16,
}

impl Console {
    /// Sets the UART up for a run. Writes the registers of a full PL011 only on one.
    pub fn new(uart: Option<Uart>, nonce: u32, dom: u8) -> Self {
        if let Some(uart) = uart
            && uart.whole
        {
            // If the UART aborts, there is no other way to report it.
            let _abort = put(uart.base + LCR_H, LCR_H_8N1_FIFO);
            let _abort = put(uart.base + CR, CR_ON);
        }
        Self {
            uart,
            nonce,
            dom,
            seq: 0,
        }
    }

    /// Sends a note as the next frame, on a separate line.
    pub fn say(&mut self, note: Note) {
        let line = Frame {
            nonce: self.nonce,
            dom: self.dom,
            seq: self.seq,
            note,
        }
        .encode();
        self.seq = self.seq.wrapping_add(1);
        let Some(uart) = self.uart else {
            ask_to_print(line.as_bytes());
            return;
        };
        let mut room = 0;
        for byte in line.as_bytes().iter().chain(b"\n") {
            while room == 0 {
                room = match access::read(Width::W32, uart.base + FR) {
                    Ok(flags) if flags & FR_EMPTY != 0 => FIFO,
                    Ok(flags) if flags & FR_FULL == 0 => 1,
                    Ok(_) => 0,
                    Err(_) => return,
                };
            }
            room -= 1;
            if put(uart.base + DR, u64::from(*byte)).is_err() {
                return;
            }
        }
    }
}

/// Prints a line through the hypervisor.
fn ask_to_print(line: &[u8]) {
    let mut text = [b'\n'; MAX_FRAME + 1];
    text.iter_mut().zip(line).for_each(|(to, byte)| *to = *byte);
    let place = text.as_ptr().expose_provenance() as u64;
    let len = (line.len() + 1).min(text.len()) as u64;
    // If the hypervisor refuses, there is no other way to report it.
    let _refusal = access::xen_call(XEN_CONSOLE_IO, [0, len, place, 0, 0]);
}

fn put(register: u64, value: u64) -> Result<(), Abort> {
    // SAFETY: The tree, or Xen's interface, says that these are a UART's registers. If a tree names the
    // probe's own memory here, the probe overwrites itself.
    unsafe { access::write(Width::W32, register, value) }
}
