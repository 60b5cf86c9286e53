//! Reading and writing one function's registers.

use crate::access::Width;
use crate::hal::ConfigSpace;
use crate::ids::Sbdf;

/// The registers of one function.
#[derive(Debug)]
pub struct Registers<'s, S> {
    space: &'s mut S,
    at: Sbdf,
}

impl<'s, S: ConfigSpace> Registers<'s, S> {
    /// Names the registers of a function.
    pub const fn new(space: &'s mut S, at: Sbdf) -> Self {
        Self { space, at }
    }

    /// Reads 8 bits.
    pub fn byte(&mut self, offset: u16) -> u8 {
        let [byte, ..] = self.read(offset, Width::Byte).to_le_bytes();
        byte
    }

    /// Reads 16 bits.
    pub fn half(&mut self, offset: u16) -> u16 {
        let [low, high, ..] = self.read(offset, Width::Half).to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    /// Reads 32 bits.
    pub fn word(&mut self, offset: u16) -> u32 {
        self.read(offset, Width::Word)
    }

    /// Writes 8 bits.
    pub fn set_byte(&mut self, offset: u16, value: u8) {
        self.write(offset, Width::Byte, value.into());
    }

    /// Writes 16 bits.
    pub fn set_half(&mut self, offset: u16, value: u16) {
        self.write(offset, Width::Half, value.into());
    }

    /// Writes 32 bits.
    pub fn set_word(&mut self, offset: u16, value: u32) {
        self.write(offset, Width::Word, value);
    }

    fn read(&mut self, offset: u16, width: Width) -> u32 {
        self.space.config_read(self.at, offset, width)
    }

    fn write(&mut self, offset: u16, width: Width, value: u32) {
        self.space.config_write(self.at, offset, width, value);
    }
}
