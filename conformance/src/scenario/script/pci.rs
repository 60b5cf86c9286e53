//! Operations on PCI functions: accesses to configuration space that stand for several operations.

use wire::{Hv, Op, Width};

use super::{Made, Writer};
use crate::case::expect::Expect;
use crate::language::operand::Operands;
use crate::library::BarKind;

pub const VERBS: &[&str] = &["pci-enable", "pci-functions"];

/// First base address register, and the command register with memory decoder and bus master on (PCI 6.2.2, 6.2.5.1).
const BAR0: u64 = 0x10;
const COMMAND: u64 = 4;
const ON: u64 = 6;
/// Number of BARs of an endpoint.
const BARS: u8 = 6;
/// Number of functions that one query returns.
const LISTED: usize = 64;

impl Writer<'_> {
    pub(super) fn of_functions(
        &self,
        verb: &str,
        words: &mut Operands<'_, '_>,
    ) -> Result<Option<Made>, String> {
        match verb {
            "pci-enable" => self.enable(words).map(Some),
            "pci-functions" => self.known().map(Some),
            _ => Ok(None),
        }
    }

    /// Sets BARs and switches memory decoder and bus mastering on: `pci-enable FUNCTION [barN ADDRESS]...`.
    fn enable(&self, words: &mut Operands<'_, '_>) -> Result<Made, String> {
        let slot = words.word("a function")?;
        let config = self.scope.number(&format!("config:{slot}"))?;
        let mut made = Vec::new();
        let mut write = |width, at, value| made.push((Op::Write { width, at, value }, None));
        while !words.is_empty() {
            let bar = words.word("a BAR")?;
            let index = bar.strip_prefix("bar").and_then(|index| index.parse().ok());
            let index: u8 = index
                .filter(|index| *index < BARS)
                .ok_or_else(|| format!("`{bar}` is none of `bar0` to `bar5`"))?;
            let address = words.address()?;
            let low = config + BAR0 + 4 * u64::from(index);
            write(Width::W32, low, address & Width::W32.max());
            if self.is_wide(slot, index) || address >> 32 != 0 {
                write(Width::W32, low + 4, address >> 32);
            }
            self.scope.place_bar(slot, index, address);
        }
        write(Width::W16, config + COMMAND, ON);
        Ok(made)
    }

    fn is_wide(&self, slot: &str, index: u8) -> bool {
        let functions = self.scope.names.pci.as_ref();
        let one = functions.and_then(|all| all.find(slot).ok());
        let kind = one.and_then(|one| one.bar(index));
        kind.is_some_and(|bar| bar.kind != BarKind::Memory32)
    }

    /// Asks which functions the hypervisor knows: on all buses of the machine, on the one after them, and on the last
    /// possible one.
    fn known(&self) -> Result<Made, String> {
        let functions = self.scope.names.pci.as_ref();
        let functions = functions.ok_or("the machine of this case has no `pci`")?;
        let last = u32::from(functions.last_bus);
        let buses = (0..=(last + 1).min(0xff)).chain((last < 0xfe).then_some(0xff));
        let parts =
            buses.flat_map(|bus| (0..0x100).step_by(LISTED).map(move |part| bus << 8 | part));
        let list = |at| (Op::Hv(Hv::PciList { at }), Some(Expect::Listed));
        Ok(parts.map(list).collect())
    }
}
