//! A physical GIC, a virtual CPU interface and a guest, as far as the virtual GIC can tell.

use std::collections::BTreeMap;

use crate::access::{Width, low32};
use crate::arch::aarch64::gic::{self, ListRegister};
use crate::arch::aarch64::vgic::{Frame, Lists, Vgic};
use crate::hal::VirtualInterrupts;
use crate::hal::fake::lines::{Line, Lines};
use crate::ids::{IrqLine, Trigger};

/// A domain with its GIC, on a machine with one CPU.
pub struct Rig {
    pub vgic: Vgic,
    pub chip: Lines,
    /// What a vCPU that runs has in its list registers.
    pub running: Option<(u32, Lists)>,
    pub eoi_count: u64,
    /// Priorities of what each vCPU has acknowledged and not ended.
    pub stack: BTreeMap<u32, Vec<(u8, u32)>>,
}

/// The physical line that is an edge.
pub const EDGE: u32 = 40;
/// The physical line that is a level.
pub const LEVEL: u32 = 41;
/// A physical line in another bank, a level.
pub const FAR: u32 = 70;
/// The line of an emulated device.
pub const UART: u32 = 32;
/// A number behind which nothing stands.
pub const NOTHING: u32 = 50;

impl Rig {
    /// Makes a domain whose guest has switched group 1 on and routed everything to its first vCPU.
    pub fn new(vcpus: u32, list_registers: u8) -> Self {
        let lines = [
            (EDGE, Trigger::Edge),
            (LEVEL, Trigger::Level),
            (FAR, Trigger::Level),
        ]
        .map(|(intid, trigger)| (IrqLine::new(intid), trigger));
        let mut vgic = super::gic(vcpus, 64, &[], (list_registers, 5)).unwrap();
        let mut chip = Lines::default();
        for (line, trigger) in lines {
            let edge = trigger == Trigger::Edge;
            chip.lines.insert(
                line.number(),
                Line {
                    edge,
                    enabled: true,
                    ..Line::default()
                },
            );
            vgic.connect(&mut chip, line, trigger).unwrap();
        }
        let mut rig = Self {
            vgic,
            chip,
            running: None,
            eoi_count: 0,
            stack: BTreeMap::new(),
        };
        rig.write(gic::GICD_CTLR, 0x12);
        rig
    }

    pub fn read(&mut self, offset: u64) -> u32 {
        low32(
            self.vgic
                .read(&mut self.chip, Frame::Distributor, offset, Width::Word)
                .unwrap(),
        )
    }

    pub fn write(&mut self, offset: u64, value: u32) {
        let value = u64::from(value);
        self.vgic
            .write(
                &mut self.chip,
                Frame::Distributor,
                offset,
                Width::Word,
                value,
            )
            .unwrap();
    }

    /// Writes a one to an interrupt's place in a register of one bit an interrupt.
    pub fn set(&mut self, register: u64, intid: u32) {
        self.write(register + u64::from(intid / 32) * 4, 1 << (intid % 32));
    }

    /// Reads an interrupt's place in a register of one bit an interrupt.
    pub fn get(&mut self, register: u64, intid: u32) -> bool {
        self.read(register + u64::from(intid / 32) * 4) & 1 << (intid % 32) != 0
    }

    pub fn write_private(&mut self, vcpu: u32, offset: u64, value: u32) {
        let offset = gic::REDISTRIBUTOR_STRIDE * u64::from(vcpu) + gic::FRAME_SIZE + offset;
        let value = u64::from(value);
        self.vgic
            .write(
                &mut self.chip,
                Frame::Redistributor,
                offset,
                Width::Word,
                value,
            )
            .unwrap();
    }

    pub fn priority(&mut self, intid: u32, priority: u8) {
        let offset = gic::GICD_IPRIORITYR + u64::from(intid);
        let value = u64::from(priority);
        self.vgic
            .write(
                &mut self.chip,
                Frame::Distributor,
                offset,
                Width::Byte,
                value,
            )
            .unwrap();
    }

    /// Drives a physical line.
    pub fn drive(&mut self, intid: u32, high: bool) {
        self.chip.drive(IrqLine::new(intid), high);
    }

    /// Lowers a physical line, where there is one of this number.
    pub fn lower(&mut self, intid: u32) {
        if self.chip.lines.contains_key(&intid) {
            self.drive(intid, false);
        }
    }

    /// Gives an edge on a physical line.
    pub fn pulse(&mut self, intid: u32) {
        self.drive(intid, true);
        self.drive(intid, false);
    }

    /// Takes every physical interrupt that is signalled, as the hypervisor does.
    pub fn take_physical(&mut self) {
        assert!(self.running.is_none(), "a guest that runs is left first");
        let signalled = |line: &Line| line.enabled && line.pending() && !line.active;
        let now: Vec<u32> = self
            .chip
            .lines
            .iter()
            .filter(|(_, line)| signalled(line))
            .map(|(intid, _)| *intid)
            .collect();
        for intid in now {
            self.chip.take(IrqLine::new(intid));
            self.vgic
                .raise(&mut self.chip, IrqLine::new(intid))
                .unwrap();
        }
    }

    /// Lets a vCPU run.
    pub fn enter(&mut self, vcpu: u32) {
        self.take_physical();
        let lists = self.vgic.load(&mut self.chip, vcpu);
        self.running = Some((vcpu, lists));
    }

    /// Brings the vCPU that runs back.
    pub fn exit(&mut self) {
        let (vcpu, mut lists) = self.running.take().expect("a vCPU runs");
        lists.unlisted = core::mem::take(&mut self.eoi_count);
        self.vgic.fold(&mut self.chip, vcpu, &lists);
    }

    /// The guest acknowledges (ICC_IAR1_EL1): the most urgent interrupt, if it preempts.
    pub fn acknowledge(&mut self) -> Option<u32> {
        let (vcpu, lists) = self.running.as_mut().expect("a vCPU runs");
        let stack = self.stack.entry(*vcpu).or_default();
        let ceiling = stack
            .iter()
            .map(|(priority, _)| *priority)
            .min()
            .unwrap_or(0xff);
        let used = lists.used;
        let (raw, mut register) = lists.lr[..used]
            .iter_mut()
            .map(|raw| (ListRegister::decode(*raw), raw))
            .filter(|(register, _)| register.pending && !register.active)
            .min_by_key(|(register, _)| (register.priority, register.intid))
            .filter(|(register, _)| register.priority < ceiling)
            .map(|(register, raw)| (raw, register))?;
        register.pending = false;
        register.active = true;
        *raw = register.encode();
        stack.push((register.priority, register.intid));
        Some(register.intid)
    }

    /// The guest ends an interrupt (ICC_EOIR1_EL1 with EOImode 0).
    pub fn end(&mut self, intid: u32) {
        let (vcpu, lists) = self.running.as_mut().expect("a vCPU runs");
        self.stack
            .entry(*vcpu)
            .or_default()
            .retain(|(_, held)| *held != intid);
        let used = lists.used;
        let found = lists.lr[..used].iter_mut().find(|raw| {
            let register = ListRegister::decode(**raw);
            register.intid == intid && register.active
        });
        let Some(raw) = found else {
            self.eoi_count += 1;
            return;
        };
        let mut register = ListRegister::decode(*raw);
        register.active = false;
        *raw = register.encode();
        // The timer's line is private and none of the chip's.
        if let Some(line) = register.physical.filter(|line| *line >= 32) {
            self.chip
                .lines
                .get_mut(&line)
                .expect("tied to an own line")
                .active = false;
        }
    }

    /// Lets a vCPU run, acknowledge one interrupt, end it and come back.
    pub fn handle(&mut self, vcpu: u32) -> Option<u32> {
        self.enter(vcpu);
        let taken = self.acknowledge();
        if let Some(intid) = taken {
            self.end(intid);
        }
        self.exit();
        taken
    }

    /// Lets the first vCPU handle interrupts until none comes, at most 100; returns them in order.
    pub fn drain(&mut self) -> Vec<u32> {
        core::iter::from_fn(|| self.handle(0)).take(100).collect()
    }

    /// Checks what holds whenever no guest runs, and what the list registers of one that runs obey.
    pub fn check(&self) {
        if let Some((vcpu, lists)) = &self.running {
            let mut seen = Vec::new();
            for raw in &lists.lr[..lists.used] {
                let register = ListRegister::decode(*raw);
                assert!(!seen.contains(&register.intid), "{register:?} stands twice");
                seen.push(register.intid);
                if let Some(line) = register.physical {
                    assert_eq!(line, register.intid, "numbers are the same on both sides");
                    assert!(
                        line == 27 || self.chip.lines.contains_key(&line),
                        "{register:?}"
                    );
                    assert!(
                        !(register.active && register.pending),
                        "{register:?} of {vcpu}"
                    );
                }
            }
        } else {
            for (intid, line) in &self.chip.lines {
                let tied =
                    self.vgic.shared.iter().any(|bank| {
                        bank.intid(0) == intid & !31 && bank.tied & 1 << (intid % 32) != 0
                    });
                assert_eq!(line.active, tied, "line {intid}: {line:?}");
                let enabled = self.vgic.shared.iter().any(|bank| {
                    bank.intid(0) == intid & !31 && bank.enabled & 1 << (intid % 32) != 0
                });
                assert_eq!(line.enabled, enabled, "line {intid}: {line:?}");
            }
        }
    }
}
