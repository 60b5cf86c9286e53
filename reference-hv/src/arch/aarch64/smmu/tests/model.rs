//! A model of an SMMU: registers, a command queue that is consumed as it is filled, and an entry cache and a
//! translation cache that forget nothing by themselves.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::string::String;
use std::vec::Vec;

use super::QEMU;
use crate::addr::{PAGE_SIZE, Pa};
use crate::arch::aarch64::smmu::{Port, register};
use crate::hal::fake::one_by_one;
use crate::paging::Tables;

/// What memory and the SMMU share.
#[derive(Debug, Default)]
pub struct World {
    words: BTreeMap<u64, u64>,
    next: u64,
    /// How many frames are left.
    pub left: u64,
    registers: BTreeMap<u32, u64>,
    /// What was done, in order.
    pub log: Vec<String>,
    /// Entries that the SMMU remembers: first to fourth double word.
    entries: BTreeMap<u32, [u64; 4]>,
    /// Tags of which it remembers translations.
    pub remembered: BTreeSet<u64>,
    /// The register that takes nothing.
    pub stuck: Option<u32>,
    /// Whether commands are no longer carried out.
    pub deaf: bool,
}

/// Memory and SMMU, each seen from its side.
#[derive(Clone, Debug)]
pub struct Model(pub Rc<RefCell<World>>);

/// What becomes of an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Stopped.
    Stopped,
    /// Passed as it is.
    Passed,
    /// Translated by these tables, with this tag.
    Translated(u64, u64),
}

impl Model {
    pub fn new() -> Self {
        let mut world = World {
            next: 0x8000_0000,
            left: 64,
            ..World::default()
        };
        for (offset, value) in [
            (register::IDR0, QEMU.idr0),
            (register::IDR1, QEMU.idr1),
            (register::IDR3, QEMU.idr3),
            (register::IDR5, QEMU.idr5),
        ] {
            world.registers.insert(offset, u64::from(value));
        }
        Self(Rc::new(RefCell::new(world)))
    }

    pub fn set(&self, offset: u32, value: u64) {
        self.0.borrow_mut().registers.insert(offset, value);
    }

    pub fn get(&self, offset: u32) -> u64 {
        self.0.borrow().get(offset)
    }

    /// Lets a device make an access.
    pub fn access(&self, stream: u32) -> Fate {
        self.0.borrow_mut().access(stream)
    }

    /// Puts an event into the queue, or loses it.
    pub fn event(&self, words: [u64; 4]) {
        self.0.borrow_mut().event(words);
    }

    /// Returns what was done since the last call.
    pub fn log(&self) -> Vec<String> {
        core::mem::take(&mut self.0.borrow_mut().log)
    }
}

impl World {
    fn get(&self, offset: u32) -> u64 {
        self.registers.get(&offset).copied().unwrap_or(0)
    }

    fn word(&self, at: u64) -> u64 {
        self.words.get(&at).copied().unwrap_or(0)
    }

    fn write(&mut self, offset: u32, value: u64) {
        if self.stuck == Some(offset) {
            return;
        }
        let name = match offset {
            register::CR0 => "CR0",
            register::GBPA => "GBPA",
            register::STRTAB_BASE => "STRTAB_BASE",
            register::IRQ_CTRL => "IRQ_CTRL",
            _ => "",
        };
        if !name.is_empty() {
            self.log.push(format!("{name} {value:#x}"));
        }
        let value = match offset {
            register::GBPA => value & !(1 << 31),
            _ => value,
        };
        self.registers.insert(offset, value);
        match offset {
            register::CR0 => {
                self.registers.insert(register::CR0ACK, value);
            }
            register::IRQ_CTRL => {
                self.registers.insert(register::IRQ_CTRLACK, value);
            }
            register::CMDQ_PROD if !self.deaf => self.consume(),
            _ => {}
        }
    }

    fn consume(&mut self) {
        let base = self.get(register::CMDQ_BASE);
        let (mask, count) = ((2 << (base & 0x1f)) - 1, 1 << (base & 0x1f));
        let page = base & 0x000f_ffff_ffff_ffe0;
        let mut at = self.get(register::CMDQ_CONS) & mask;
        while at != self.get(register::CMDQ_PROD) & mask {
            let place = page + at % count * 16;
            self.carry_out(self.word(place), self.word(place + 8));
            at = (at + 1) & mask;
        }
        self.registers.insert(register::CMDQ_CONS, at);
    }

    fn carry_out(&mut self, first: u64, second: u64) {
        let high = first >> 32;
        let text = match first & 0xff {
            0x03 => {
                self.entries.remove(&u32::try_from(high).unwrap());
                format!("CFGI_STE {high:#x}")
            }
            0x04 if second & 0x1f == 31 => {
                self.entries.clear();
                "CFGI_ALL".into()
            }
            0x28 => {
                self.remembered.remove(&high);
                format!("TLBI_S12_VMALL {high}")
            }
            0x2a => format!("TLBI_S2_IPA {high} {second:#x}"),
            0x30 => {
                self.remembered.clear();
                "TLBI_NSNH_ALL".into()
            }
            0x46 => "SYNC".into(),
            other => panic!("command {other:#x}"),
        };
        self.log.push(text);
    }

    fn access(&mut self, stream: u32) -> Fate {
        if self.get(register::CR0) & 1 == 0 {
            return match self.get(register::GBPA) & 1 << 20 {
                0 => Fate::Passed,
                _ => Fate::Stopped,
            };
        }
        let entry = match self.entries.get(&stream) {
            Some(entry) => *entry,
            None => match self.fetch(stream) {
                Some(entry) => entry,
                None => return Fate::Stopped,
            },
        };
        if entry[0] & 1 == 0 {
            return Fate::Stopped;
        }
        self.entries.insert(stream, entry);
        match entry[0] >> 1 & 7 {
            0b100 => Fate::Passed,
            0b110 => {
                let tag = entry[2] & 0xffff;
                self.remembered.insert(tag);
                Fate::Translated(entry[3], tag)
            }
            _ => Fate::Stopped,
        }
    }

    fn fetch(&self, stream: u32) -> Option<[u64; 4]> {
        let (base, config) = (
            self.get(register::STRTAB_BASE) & 0x000f_ffff_ffff_ffc0,
            self.get(register::STRTAB_BASE_CFG),
        );
        let stream = u64::from(stream);
        if stream >> (config & 0x3f) != 0 {
            return None;
        }
        let at = if config >> 16 & 3 == 0 {
            base + stream * 64
        } else {
            let split = config >> 6 & 0x1f;
            let descriptor = self.word(base + (stream >> split) * 8);
            if descriptor & 0x1f != split + 1 {
                return None;
            }
            (descriptor & 0x000f_ffff_ffff_ffc0) + stream % (1 << split) * 64
        };
        Some([0, 8, 16, 24].map(|offset| self.word(at + offset)))
    }

    fn event(&mut self, words: [u64; 4]) {
        let base = self.get(register::EVENTQ_BASE);
        let (mask, count) = ((2 << (base & 0x1f)) - 1, 1 << (base & 0x1f));
        let (produced, consumed) = (
            self.get(register::EVENTQ_PROD),
            self.get(register::EVENTQ_CONS),
        );
        let overflow = 1 << 31;
        if (produced ^ consumed) & mask == count {
            if (produced ^ consumed) & overflow == 0 {
                self.registers
                    .insert(register::EVENTQ_PROD, produced ^ overflow);
            }
            return;
        }
        let place = (base & 0x000f_ffff_ffff_ffe0) + produced % count * 32;
        for (word, nth) in words.into_iter().zip(0..) {
            self.words.insert(place + nth * 8, word);
        }
        let next = (produced + 1) & mask | produced & overflow;
        self.registers.insert(register::EVENTQ_PROD, next);
    }
}

impl Port for Model {
    fn read(&mut self, offset: u32) -> u32 {
        u32::try_from(self.get(offset) & 0xffff_ffff).unwrap()
    }
    fn write(&mut self, offset: u32, value: u32) {
        self.0.borrow_mut().write(offset, u64::from(value));
    }
    fn write_double(&mut self, offset: u32, value: u64) {
        self.0.borrow_mut().write(offset, value);
    }
    fn order(&mut self) {}
}

impl Tables for Model {
    fn take(&mut self, frames: u64) -> Option<Pa> {
        let mut world = self.0.borrow_mut();
        world.left = world.left.checked_sub(frames)?;
        let at = world.next.next_multiple_of(frames * PAGE_SIZE);
        world.next = at + frames * PAGE_SIZE;
        Some(Pa::new(at))
    }
    fn give_back(&mut self, _: Pa, _: u64) {
        panic!("an SMMU gives nothing back");
    }
    fn left(&self) -> u64 {
        self.0.borrow().left
    }
    fn load(&self, table: Pa, index: u64) -> u64 {
        self.0.borrow().word(table.raw() + index * 8)
    }
    fn replace(
        &mut self,
        table: Pa,
        first: u64,
        count: u64,
        new: impl FnMut(u64, u64) -> Option<u64>,
    ) -> u64 {
        let row = (table, first..first + count);
        one_by_one(self, row, new, |pool, index, entry| {
            let at = table.raw() + index * 8;
            pool.0.borrow_mut().words.insert(at, entry);
        })
    }
}
