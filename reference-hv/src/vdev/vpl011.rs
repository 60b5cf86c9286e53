//! An emulated PL011: a serial port for a domain's console.
//!
//! Register numbers and reset values are those of the PrimeCell UART (PL011) reference manual, Arm
//! DDI 0183. What is sent leaves at once, so the transmitter is never full and never busy.

use super::text_line::Line;
use crate::access::Width;

/// Bytes that the receiver holds (r1p4 and earlier).
const FIFO: usize = 16;

const DR: u64 = 0x00;
const RSR: u64 = 0x04;
const FR: u64 = 0x18;
const ILPR: u64 = 0x20;
const IBRD: u64 = 0x24;
const FBRD: u64 = 0x28;
const LCR_H: u64 = 0x2c;
const CR: u64 = 0x30;
const IFLS: u64 = 0x34;
const IMSC: u64 = 0x38;
const RIS: u64 = 0x3c;
const MIS: u64 = 0x40;
const ICR: u64 = 0x44;
const DMACR: u64 = 0x48;
/// First identification register; there are eight.
const ID: u64 = 0xfe0;
/// UARTPeriphID0 to 3 (part 0x011, designer 0x41, revision 1) and UARTPCellID0 to 3.
const IDENTITY: [u8; 8] = [0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

const FR_RECEIVE_EMPTY: u32 = 1 << 4;
const FR_RECEIVE_FULL: u32 = 1 << 6;
const FR_TRANSMIT_EMPTY: u32 = 1 << 7;
const LCR_H_FIFO: u32 = 1 << 4;
const CR_LOOPBACK: u32 = 1 << 7;
/// UARTCR after reset: receiver and transmitter on, the whole off.
const CR_RESET: u32 = 0x300;
/// UARTIFLS after reset: both levels at half.
const IFLS_RESET: u32 = 0x12;
const INT_RECEIVE: u32 = 1 << 4;
const INT_TRANSMIT: u32 = 1 << 5;
const INT_TIMEOUT: u32 = 1 << 6;
/// Interrupts that exist.
const INT_ALL: u32 = 0x7ff;

/// One serial port.
#[derive(Clone, Debug)]
pub struct Pl011 {
    received: [u8; FIFO],
    waiting: usize,
    line: Line,
    low_power: u32,
    divisor: u32,
    fraction: u32,
    control: u32,
    line_control: u32,
    levels: u32,
    dma: u32,
    mask: u32,
    raw: u32,
}

impl Default for Pl011 {
    fn default() -> Self {
        Self::new()
    }
}

impl Pl011 {
    /// Makes a port as it is after reset.
    pub const fn new() -> Self {
        Self {
            received: [0; FIFO],
            waiting: 0,
            line: Line::new(),
            low_power: 0,
            divisor: 0,
            fraction: 0,
            control: CR_RESET,
            line_control: 0,
            levels: IFLS_RESET,
            dma: 0,
            mask: 0,
            raw: 0,
        }
    }

    /// Tells the level of the interrupt line.
    pub const fn irq(&self) -> bool {
        self.raw & self.mask != 0
    }

    /// Reads at an offset in the register page. Total: what is no register reads as zero, and a narrow
    /// read gets its part of the register.
    pub fn read(&mut self, offset: u64, width: Width) -> u64 {
        let register = offset & !3;
        let mut value = u64::from(self.read_register(register));
        if width == Width::Double {
            value |= u64::from(self.read_register(register + 4)) << 32;
        }
        (value >> (8 * (offset & 3))) & width.mask()
    }

    /// Writes at an offset in the register page, and returns the [`Line`] that this finished, if any.
    pub fn write(&mut self, offset: u64, width: Width, value: u64) -> Option<&[u8]> {
        // The bus of a PL011 has no byte lanes: only writes that begin a register reach it.
        if !offset.is_multiple_of(4) {
            return None;
        }
        let low = crate::access::low32(value & width.mask());
        let high = crate::access::low32(value >> 32);
        let sent = self.write_register(offset, low);
        if width == Width::Double {
            // The register behind UARTDR is no data register, so that one byte is sent at most.
            self.write_register(offset + 4, high);
        }
        self.line.push(sent?)
    }

    /// Hands out what stands in a line that was never finished.
    pub fn flush(&mut self) -> Option<&[u8]> {
        self.line.flush()
    }

    /// Receives a byte; false means that there is no room, and nothing has changed.
    pub fn feed(&mut self, byte: u8) -> bool {
        let depth = self.depth();
        let Some(slot) = self
            .received
            .get_mut(self.waiting)
            .filter(|_| self.waiting < depth)
        else {
            return false;
        };
        *slot = byte;
        self.waiting += 1;
        // The time that a byte may wait for company has passed by the time the guest looks.
        self.raw |= INT_TIMEOUT;
        if self.waiting >= self.trigger() {
            self.raw |= INT_RECEIVE;
        }
        true
    }

    /// Returns how many bytes fit into the receiver: with the FIFO off it is a holding register.
    const fn depth(&self) -> usize {
        if self.line_control & LCR_H_FIFO != 0 {
            FIFO
        } else {
            1
        }
    }

    /// Returns how many bytes raise the receive interrupt (UARTIFLS.RXIFLSEL).
    const fn trigger(&self) -> usize {
        if self.line_control & LCR_H_FIFO == 0 {
            return 1;
        }
        match (self.levels >> 3) & 7 {
            0 => FIFO / 8,
            1 => FIFO / 4,
            2 => FIFO / 2,
            3 => FIFO * 3 / 4,
            _ => FIFO * 7 / 8,
        }
    }

    fn read_register(&mut self, register: u64) -> u32 {
        match register {
            DR => u32::from(self.receive()),
            FR => {
                let empty = if self.waiting == 0 {
                    FR_RECEIVE_EMPTY
                } else {
                    0
                };
                let full = if self.waiting >= self.depth() {
                    FR_RECEIVE_FULL
                } else {
                    0
                };
                FR_TRANSMIT_EMPTY | empty | full
            }
            ILPR => self.low_power,
            IBRD => self.divisor,
            FBRD => self.fraction,
            LCR_H => self.line_control,
            CR => self.control,
            IFLS => self.levels,
            IMSC => self.mask,
            RIS => self.raw,
            MIS => self.raw & self.mask,
            DMACR => self.dma,
            // No receive error ever happens, and UARTICR can only be written.
            RSR | ICR => 0,
            _ => register
                .checked_sub(ID)
                .and_then(|distance| IDENTITY.get(usize::try_from(distance / 4).ok()?))
                .map_or(0, |byte| u32::from(*byte)),
        }
    }

    /// Writes a register; returns the byte that this sends.
    fn write_register(&mut self, register: u64, value: u32) -> Option<u8> {
        match register {
            DR => {
                let byte = value.to_le_bytes()[0];
                self.raw |= INT_TRANSMIT;
                if self.control & CR_LOOPBACK == 0 {
                    return Some(byte);
                }
                // What does not fit is lost, as on a real line.
                self.feed(byte);
            }
            ILPR => self.low_power = value & 0xff,
            IBRD => self.divisor = value & 0xffff,
            FBRD => self.fraction = value & 0x3f,
            LCR_H => {
                let before = self.line_control;
                self.line_control = value & 0xff;
                if (before ^ value) & LCR_H_FIFO != 0 {
                    // Switching the FIFO on or off empties it.
                    self.waiting = 0;
                    self.raw &= !(INT_RECEIVE | INT_TIMEOUT);
                }
            }
            CR => self.control = value & 0xff87,
            IFLS => self.levels = value & 0x3f,
            IMSC => self.mask = value & INT_ALL,
            ICR => self.raw &= !value,
            DMACR => self.dma = value & 7,
            // UARTECR clears errors that never happen; the others cannot be written.
            _ => {}
        }
        None
    }

    /// Takes the oldest byte out of the receiver; zero where there is none.
    fn receive(&mut self) -> u8 {
        if self.waiting == 0 {
            return 0;
        }
        let [oldest, ..] = self.received;
        self.received.rotate_left(1);
        self.waiting -= 1;
        if self.waiting < self.trigger() {
            self.raw &= !INT_RECEIVE;
        }
        if self.waiting == 0 {
            self.raw &= !INT_TIMEOUT;
        }
        oldest
    }
}

#[cfg(test)]
mod tests;
