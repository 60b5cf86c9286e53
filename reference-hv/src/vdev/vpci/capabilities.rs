//! The capabilities that a guest sees (PCI 6.7).

use alloc::vec::Vec;

use crate::access::Width;
use crate::fault::{self, Fault};
use crate::hal::ConfigSpace;
use crate::ids::Sbdf;
use crate::pci::Capability;
use crate::pci::registers::{
    CAP_EXPRESS, CAP_MSI, CAP_VENDOR, DEVICE_CAPABILITIES, DEVICE_FLR, DEVICE_SPECIFIC, EXTENDED,
};

/// Double words between the header and the extended space.
const COUNT: usize = 48;
/// Bytes of a PCI Express capability of version 2 (PCIe 7.5.3), and of version 1 for an endpoint.
const EXPRESS_LENGTH: [u16; 2] = [0x3c, 0x14];
/// Bytes of an MSI capability with everything that it may have (PCI 6.8.1).
const MSI_LENGTH: u16 = 0x18;

/// A double word behind the header.
#[derive(Clone, Copy, Debug, Default)]
enum Word {
    /// Is not shown.
    #[default]
    Hidden,
    /// Reads as it did when the function was given.
    Kept(u32),
    /// Reads as the hardware has it.
    Live,
}

/// What of a function's capabilities is shown.
#[derive(Clone, Debug)]
pub struct Capabilities {
    first: u8,
    words: [Word; COUNT],
}

impl Capabilities {
    /// Reads what is shown of the capabilities that a function lists.
    pub fn new(port: &mut impl ConfigSpace, at: Sbdf, listed: &[Capability]) -> Self {
        let mut words = [Word::Hidden; COUNT];
        let shown: Vec<Capability> = listed
            .iter()
            .filter(|capability| is_shown(capability.id) && place(capability.offset).is_some())
            .copied()
            .collect();
        let mut next = shown.iter().skip(1).map(|behind| behind.offset);
        for capability in &shown {
            let begin = u16::from(capability.offset);
            let head = port.config_read(at, begin, Width::Word);
            // However long it says it is, it ends where another one begins, shown or not.
            let end = listed
                .iter()
                .map(|other| u16::from(other.offset))
                .filter(|other| *other > begin)
                .fold(EXTENDED, u16::min)
                .min(begin + length(capability.id, head));
            for register in (begin..end).step_by(4) {
                let word = match capability.id {
                    // Its status registers live; nothing comes of reading one.
                    CAP_EXPRESS if register != begin + DEVICE_CAPABILITIES => Word::Live,
                    CAP_EXPRESS => {
                        Word::Kept(port.config_read(at, register, Width::Word) & !DEVICE_FLR)
                    }
                    // Nobody knows what comes of reading it, so no guest can have it read again.
                    _ => Word::Kept(port.config_read(at, register, Width::Word)),
                };
                if let Some(slot) = index(register).and_then(|index| words.get_mut(index)) {
                    *slot = word;
                }
            }
            let [id, _, low, high] = head.to_le_bytes();
            let linked = u32::from_le_bytes([id, next.next().unwrap_or_default(), low, high]);
            if let Some(slot) = index(begin).and_then(|index| words.get_mut(index)) {
                *slot = Word::Kept(linked);
            }
        }
        Self {
            first: shown.first().map_or(0, |capability| capability.offset),
            words,
        }
    }

    /// Returns where the list begins; zero, where it is empty.
    pub const fn first(&self) -> u8 {
        self.first
    }

    /// Tells whether a register is part of a capability that is shown.
    pub fn has(&self, register: u16) -> bool {
        !matches!(self.word(register), Word::Hidden)
    }

    /// Reads a double word; nothing, where no capability that is shown is.
    pub fn read(&self, port: &mut impl ConfigSpace, at: Sbdf, register: u16) -> Option<u32> {
        match self.word(register) {
            Word::Hidden => None,
            Word::Kept(word) => Some(word),
            Word::Live => Some(port.config_read(at, register, Width::Word)),
        }
    }

    fn word(&self, register: u16) -> Word {
        index(register)
            .and_then(|index| self.words.get(index).copied())
            .unwrap_or_default()
    }
}

fn is_shown(id: u8) -> bool {
    matches!(id, CAP_EXPRESS | CAP_VENDOR) || (id == CAP_MSI && fault::on(Fault::MsiShown))
}

/// Returns how many bytes a capability has, whose first double word is given.
fn length(id: u8, head: u32) -> u16 {
    let [_, _, third, _] = head.to_le_bytes();
    match id {
        CAP_EXPRESS if third & 0xf >= 2 => EXPRESS_LENGTH[0],
        CAP_EXPRESS => EXPRESS_LENGTH[1],
        CAP_VENDOR => u16::from(third).max(4),
        _ => MSI_LENGTH,
    }
}

/// Returns the place of a capability among the double words, where one can begin (PCI 6.7).
fn place(offset: u8) -> Option<usize> {
    index(u16::from(offset)).filter(|_| offset.is_multiple_of(4))
}

fn index(register: u16) -> Option<usize> {
    Some(usize::from(register.checked_sub(DEVICE_SPECIFIC)? / 4)).filter(|index| *index < COUNT)
}
