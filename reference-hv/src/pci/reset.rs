//! Taking a function back: it stops, is brought back to its state after power-on, and gets back what the firmware set.
//!
//! Nothing here waits. A reset is a run of steps, each of which says how long to leave the function alone before the
//! next; whoever carries it out has the clock. A function that is pulled out meanwhile ends it.

use super::function::answers;
use super::iommu_groups::switch_on;
use super::registers as at;
use super::{BarKind, Function, Inventory, Kind, Registers, Reset};
use crate::fault::{self, Fault};
use crate::hal::ConfigSpace;
use crate::ids::Sbdf;

/// Microseconds that a function is left alone after its own reset (PCIe 6.6.2), and after one of its bus (PCIe 6.6.1).
const AFTER_RESET: u32 = 100_000;
/// Microseconds that it is left alone when it goes to D3hot or comes back (PCI PM 1.2, 5.6.1).
const AFTER_POWER: u32 = 10_000;
/// Microseconds for which a bus is held in reset; one millisecond is the least (PCI 4.3.2).
const HOLD: u32 = 2_000;
/// How often, and how many microseconds apart, is asked whether transactions are still on their way.
const DRAIN: (u8, u32) = (10, 10_000);
/// How often is asked whether a function is ready, one second in all (PCIe 6.6.1).
const SETTLE: u8 = 10;

/// Has a function stop: it masters nothing, answers nothing but configuration, and does not interrupt.
pub fn quiesce<S: ConfigSpace>(space: &mut S, function: &Function) {
    let registers = &mut Registers::new(space, function.at);
    let mut command = at::Command::NO_INTX;
    command.set(at::Command::MASTER, fault::on(Fault::PciMasterLeftOn));
    command.set(at::Command::MEMORY, fault::on(Fault::PciDecodeLeftOn));
    command.set(at::Command::NO_INTX, !fault::on(Fault::PciInterruptsLeftOn));
    registers.set_half(at::COMMAND, command.bits());
    if !fault::on(Fault::PciInterruptsLeftOn) {
        for (id, enable) in [
            (at::CAP_MSI, at::MSI_ENABLE),
            (at::CAP_MSIX, at::MSIX_ENABLE),
        ] {
            if let Some(offset) = function.capability(id) {
                clear(registers, u16::from(offset) + at::MSI_CONTROL, enable);
            }
        }
    }
    if function.kind == Kind::Endpoint {
        clear(registers, at::ROM, at::ROM_ENABLE);
    }
}

/// Clears bits of a register. What is not there any more is left alone.
fn clear<S: ConfigSpace>(registers: &mut Registers<'_, S>, offset: u16, bits: u16) {
    let value = registers.half(offset);
    if value & bits != 0 && value != u16::MAX {
        registers.set_half(offset, value & !bits);
    }
}

/// Gives a function back what the firmware has set in it. It stays quiet.
fn restore<S: ConfigSpace>(space: &mut S, function: &Function) {
    if fault::on(Fault::PciSettingsLost) {
        return;
    }
    quiesce(space, function);
    let registers = &mut Registers::new(space, function.at);
    let settings = function.settings;
    registers.set_byte(at::CACHE_LINE, settings.cache_line);
    registers.set_byte(at::LATENCY, settings.latency);
    registers.set_byte(at::LINE, settings.line);
    for bar in &function.bars {
        let offset = at::BAR0 + 4 * u16::from(bar.index);
        let [a, b, c, d, high @ ..] = bar.address.to_le_bytes();
        registers.set_word(offset, u32::from_le_bytes([a, b, c, d]));
        if bar.kind == BarKind::Memory64 {
            registers.set_word(offset + 4, u32::from_le_bytes(high));
        }
    }
    if let Some(offset) = function.capability(at::CAP_EXPRESS) {
        registers.set_half(u16::from(offset) + at::DEVICE_CONTROL, settings.control);
    }
    if let Some(acs) = function.acs.filter(|acs| acs.holds) {
        let _ = switch_on(registers, acs.offset, acs.can);
    }
}

/// How a reset goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// By [`ResetRun::advance`], but not before so many microseconds have passed.
    Wait(u32),
    /// Not at all: this has come of it.
    Done(End),
}

/// What comes of a reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The function is as after power-on, but where the firmware put it.
    Reset,
    /// Nothing resets the function. It has stopped, but what its owner left in it is still there.
    Stopped,
    /// The function does not answer any more, or another one does.
    Gone,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// It has been told to stop.
    Stopped,
    /// It is in D0; so often is asked again whether transactions are on their way.
    Awake(u8),
    /// It is in D3hot.
    Asleep,
    /// Its bus is held in reset, by a bridge whose control register held this before.
    Held(u16),
    /// It has been reset; so often is asked again whether it is ready.
    Settling(u8),
    Over(End),
}

/// A function's reset, as far as it has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResetRun {
    at: Sbdf,
    how: Reset,
    step: Step,
}

impl ResetRun {
    /// Has a function stop, to be reset in this way: its own, or [`Reset::None`] where that would hurt others. A reset
    /// of its bus is one of everything that is [behind](Inventory::behind) the bridge.
    pub fn begin<S: ConfigSpace>(space: &mut S, function: &Function, how: Reset) -> Self {
        quiesce(space, function);
        Self {
            at: function.at,
            how: if fault::on(Fault::PciResetSkipped) {
                Reset::None
            } else {
                how
            },
            step: Step::Stopped,
        }
    }

    /// Takes the next steps, up to one that has to be waited for.
    pub fn advance<S: ConfigSpace>(&mut self, space: &mut S, inventory: &Inventory) -> Progress {
        loop {
            let Some(function) = inventory.get(self.at) else {
                self.step = Step::Over(End::Gone);
                return Progress::Done(End::Gone);
            };
            let (next, wait) = match self.step {
                Step::Stopped => wake(space, function),
                Step::Awake(left) if left > 0 && is_busy(space, function) => {
                    (Step::Awake(left - 1), Some(DRAIN.1))
                }
                Step::Awake(_) => self.trigger(space),
                Step::Asleep => {
                    if let Reset::Power(offset) = self.how {
                        set_power(space, self.at, offset, 0);
                    }
                    (Step::Settling(SETTLE), Some(AFTER_POWER))
                }
                Step::Held(control) => {
                    if let Reset::Bus(bridge) = self.how {
                        let registers = &mut Registers::new(space, bridge);
                        registers.set_half(at::BRIDGE_CONTROL, control & !at::BRIDGE_RESET);
                    }
                    (Step::Settling(SETTLE), Some(AFTER_RESET))
                }
                Step::Settling(left) => self.settle(space, inventory, function, left),
                Step::Over(end) => return Progress::Done(end),
            };
            self.step = next;
            if let Some(wait) = wait {
                return Progress::Wait(wait);
            }
        }
    }

    /// Does what resets the function.
    fn trigger<S: ConfigSpace>(&self, space: &mut S) -> (Step, Option<u32>) {
        match self.how {
            Reset::Function(offset) => {
                let registers = &mut Registers::new(space, self.at);
                let offset = u16::from(offset) + at::DEVICE_CONTROL;
                let control = registers.half(offset);
                registers.set_half(offset, control | at::DEVICE_RESET);
                (Step::Settling(SETTLE), Some(AFTER_RESET))
            }
            Reset::Advanced(offset) => {
                let registers = &mut Registers::new(space, self.at);
                registers.set_byte(u16::from(offset) + at::ADVANCED_CONTROL, 1);
                (Step::Settling(SETTLE), Some(AFTER_RESET))
            }
            Reset::Power(offset) => {
                set_power(space, self.at, offset, 3);
                (Step::Asleep, Some(AFTER_POWER))
            }
            Reset::Bus(bridge) => {
                let registers = &mut Registers::new(space, bridge);
                let control = registers.half(at::BRIDGE_CONTROL);
                if control == u16::MAX {
                    return (Step::Over(End::Gone), None);
                }
                registers.set_half(at::BRIDGE_CONTROL, control | at::BRIDGE_RESET);
                (Step::Held(control), Some(HOLD))
            }
            Reset::None => (Step::Settling(0), None),
        }
    }

    /// Restores everything that has been reset, as soon as it is ready.
    fn settle<S: ConfigSpace>(
        &self,
        space: &mut S,
        inventory: &Inventory,
        function: &Function,
        left: u8,
    ) -> (Step, Option<u32>) {
        let others = match self.how {
            Reset::Bus(bridge) => Some(inventory.behind(bridge)),
            _ => None,
        };
        let others = others.into_iter().flatten();
        let all =
            || core::iter::once(function).chain(others.clone().filter(|one| one.at != self.at));
        let mut is_ready = |function: &Function| {
            let id = Registers::new(space, function.at).word(at::VENDOR);
            answers(id).then(|| id == function.id())
        };
        if left > 0 && all().any(|function| is_ready(function).is_none()) {
            return (Step::Settling(left - 1), Some(AFTER_RESET));
        }
        if is_ready(function) != Some(true) {
            return (Step::Over(End::Gone), None);
        }
        for function in all() {
            restore(space, function);
        }
        let end = if self.how == Reset::None {
            End::Stopped
        } else {
            End::Reset
        };
        (Step::Over(end), None)
    }
}

/// Brings a function to D0, where it can be asked and told things.
fn wake<S: ConfigSpace>(space: &mut S, function: &Function) -> (Step, Option<u32>) {
    let registers = &mut Registers::new(space, function.at);
    if !answers(registers.word(at::VENDOR)) {
        return (Step::Over(End::Gone), None);
    }
    let awake = Step::Awake(DRAIN.0);
    let Some(offset) = function.capability(at::CAP_POWER) else {
        return (awake, None);
    };
    let control = registers.half(u16::from(offset) + at::POWER_CONTROL);
    if control & at::POWER_STATE == 0 {
        return (awake, None);
    }
    set_power(space, function.at, offset, 0);
    (awake, Some(AFTER_POWER))
}

fn set_power<S: ConfigSpace>(space: &mut S, place: Sbdf, offset: u8, state: u16) {
    let registers = &mut Registers::new(space, place);
    let offset = u16::from(offset) + at::POWER_CONTROL;
    let control = registers.half(offset);
    registers.set_half(offset, control & !at::POWER_STATE | state);
}

/// Tells whether transactions of a function are on their way, where it lets one know. One that is gone has none.
fn is_busy<S: ConfigSpace>(space: &mut S, function: &Function) -> bool {
    let registers = &mut Registers::new(space, function.at);
    let express = function.capability(at::CAP_EXPRESS).is_some_and(|offset| {
        let status = registers.half(u16::from(offset) + at::DEVICE_STATUS);
        status & at::DEVICE_PENDING != 0 && status != u16::MAX
    });
    express
        || function.capability(at::CAP_ADVANCED).is_some_and(|offset| {
            let status = registers.byte(u16::from(offset) + at::ADVANCED_STATUS);
            status & 1 != 0 && status != u8::MAX
        })
}
