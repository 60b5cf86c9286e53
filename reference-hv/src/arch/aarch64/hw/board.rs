//! The machine behind the seam of [`crate::hal`].

use core::fmt;

use aarch64_cpu::asm::barrier::{SY, dsb, isb};
use aarch64_cpu::registers::{
    ICH_HCR_EL2, ID_AA64DFR0_EL1, ID_AA64ISAR0_EL1, ID_AA64ISAR1_EL1, ID_AA64MMFR0_EL1,
    ID_AA64MMFR1_EL1, ID_AA64MMFR2_EL1, ID_AA64PFR0_EL1, ID_AA64PFR1_EL1, Readable, Writeable,
};
use arm_sysregs::el1::accessors::read_id_aa64isar2_el1;
use arm_sysregs::el2::accessors::read_ich_vmcr_el2;
use arm_sysregs::el2::registers::IchVmcrEl2;

use super::ecam::Ecam;
use super::el2::{self, Stage2};
use super::gicv3::{self, Features, Gic};
use super::mmu::Mmu;
use super::ram::{Frames, Ram};
use super::smmu::Registers;
use super::sysreg;
use super::vcpu::{Left, Vcpu, el1};
use super::{heap, pl011, timer};
use crate::access::Width;
use crate::addr::{Ipa, Pa};
use crate::arch::aarch64::VcpuContext;
use crate::arch::aarch64::esr;
use crate::arch::aarch64::gic::VIRTUAL_TIMER;
use crate::arch::aarch64::guest_layout::LINES;
use crate::arch::aarch64::inject::{self, Exception, Interrupted};
use crate::arch::aarch64::smmu::{Owner, Set};
use crate::arch::aarch64::stage2;
use crate::arch::aarch64::sysreg::IdRegister;
use crate::arch::aarch64::vgic::{self, Lists};
use crate::arch::aarch64::{Aarch64, exit::Exit};
use crate::config::{Host, HostLine};
use crate::hal::{
    Clock, ConfigSpace, Console, Cpu, Event, Interrupt, InterruptController, Iommu, IrqChip,
    Translation,
};
use crate::ids::{DomainId, IommuDomainId, IrqLine, Sbdf, Stream, Trigger, VcpuId, Vmid};
use crate::paging::Shape;

/// PSTATE.SS and BTYPE, which completing an instruction clears.
const STEP_AND_BRANCH: u64 = 1 << 21 | 0b11 << 10;

/// The machine.
#[derive(Debug)]
pub struct Board {
    pub(super) mmu: Mmu,
    /// RAM of modules and domains.
    pub(super) ram: Ram,
    gic: Gic,
    /// INTID of the hypervisor's timer.
    alarm_line: u32,
    features: Features,
    stage2: Stage2,
    smmus: Set<Registers>,
    /// The configuration space of PCI functions.
    pub(super) ecam: Ecam,
    /// What the alarm is set to.
    alarm: Option<u64>,
    /// List registers that may hold something.
    listed: usize,
    /// Whether the virtual timer's physical line may be active.
    timer_active: bool,
    /// Which virtual CPU of each address space was here last.
    last: [Option<u32>; Vmid::COUNT],
}

impl Board {
    /// Puts the parts together and switches the hypervisor's own lines on, those of SMMUs included.
    pub fn new(
        host: &Host<'_>,
        mmu: Mmu,
        ram: Ram,
        mut gic: Gic,
        stage2: Stage2,
        smmus: Set<Registers>,
    ) -> Self {
        let alarm_line = host.timer.hypervisor.number();
        let upkeep = host.controller.maintenance.map(|line| line.number());
        for line in [alarm_line, VIRTUAL_TIMER].into_iter().chain(upkeep) {
            gic.enable_private(line);
        }
        let active = host.iommus.iter().filter(|iommu| iommu.active);
        let read = active.map(|iommu| host.interrupts(iommu.id).unwrap_or_default());
        for HostLine { line, trigger } in read.flat_map(|interrupts| interrupts.lines) {
            if smmus.has_line(line) {
                gic.configure(line, trigger);
                gic.set_enabled(line, true);
            }
        }
        Self {
            mmu,
            ram,
            gic,
            alarm_line,
            features: gicv3::features(),
            stage2,
            smmus,
            ecam: Ecam::default(),
            alarm: None,
            listed: 0,
            timer_active: false,
            last: [None; Vmid::COUNT],
        }
    }

    /// Reports what SMMUs have stopped.
    fn look_at_smmus(&mut self) {
        let now = timer::now();
        self.smmus.look(&self.mmu.frames, now, pl011::line);
    }

    /// Returns when to look up at the latest, if by `until` nothing else is to be done.
    fn until(&self, until: Option<u64>) -> Option<u64> {
        match (until, self.smmus.due()) {
            (Some(until), Some(due)) => Some(until.min(due)),
            (until, due) => until.or(due),
        }
    }

    fn set_alarm(&mut self, at: Option<u64>) {
        if self.alarm != at {
            timer::set_alarm(at);
            self.alarm = at;
        }
    }

    /// Makes the virtual timer's physical line active or inactive. The guest's own deactivation may
    /// have made it inactive meanwhile.
    fn set_timer_active(&mut self, active: bool) {
        if self.timer_active || active {
            if self.gic.is_private_active(VIRTUAL_TIMER) != active {
                self.gic.set_private_active(VIRTUAL_TIMER, active);
                // The redistributor has it before the guest can look.
                dsb(SY);
            }
            self.timer_active = active;
        }
    }

    fn fill_lists(&mut self, lists: &Lists) {
        for (n, &register) in lists.lr.iter().take(lists.used).enumerate() {
            gicv3::set_list_register(n, register);
        }
        for n in lists.used..self.listed {
            gicv3::set_list_register(n, 0);
        }
        self.listed = lists.used;
        ICH_HCR_EL2.set(lists.hcr);
    }

    /// Reads the list registers back and switches the virtual interface off, so that it asks for no
    /// upkeep meanwhile.
    fn drain_lists(lists: &mut Lists) {
        for (n, register) in lists.lr.iter_mut().take(lists.used).enumerate() {
            *register = gicv3::list_register(n);
        }
        lists.unlisted = match ICH_HCR_EL2.read(ICH_HCR_EL2::EOIcount) {
            0 => 0,
            // The guest's EOI drops the priority only.
            _ if read_ich_vmcr_el2().contains(IchVmcrEl2::VEOIM) => 0,
            count => count,
        };
        ICH_HCR_EL2.set(0);
    }
}

impl Console for Board {
    fn line(&mut self, text: fmt::Arguments<'_>) {
        pl011::line(text);
    }

    fn domain_line(&mut self, domain: DomainId, text: &[u8]) {
        if let Some(mut console) = pl011::console() {
            // Printing to a register cannot fail.
            let _ = fmt::write(&mut console, format_args!("(HV) {domain}: "));
            console.bytes(text);
            console.bytes(b"\r\n");
        }
    }
}

impl Clock for Board {
    fn now(&self) -> u64 {
        timer::now()
    }

    fn frequency(&self) -> u64 {
        timer::frequency()
    }

    fn idle(&mut self, until: Option<u64>) {
        self.set_alarm(self.until(until));
        isb(SY);
        sysreg::wait_for_interrupt();
    }
}

impl IrqChip for Board {
    fn set_enabled(&mut self, line: IrqLine, on: bool) {
        self.gic.set_enabled(line, on);
    }
    fn is_pending(&mut self, line: IrqLine) -> bool {
        self.gic.is_pending(line)
    }
    fn clear_pending(&mut self, line: IrqLine) {
        self.gic.clear_pending(line);
    }
    fn deactivate(&mut self, line: IrqLine) {
        self.gic.deactivate(line);
    }
}

impl InterruptController for Board {
    fn configure(&mut self, line: IrqLine, trigger: Trigger) {
        self.gic.configure(line, trigger);
    }

    fn unroute(&mut self, line: IrqLine) {
        self.gic.unroute(line);
    }

    fn acknowledge(&mut self) -> Option<Interrupt> {
        let intid = self.gic.acknowledge()?;
        if intid == VIRTUAL_TIMER {
            // It stays active until its guest has dealt with it.
            self.timer_active = true;
            return Some(Interrupt::Own);
        }
        let line = IrqLine::new(intid);
        if LINES.index(line).is_some() {
            if !self.smmus.has_line(line) {
                return Some(Interrupt::Line(line));
            }
            self.look_at_smmus();
            self.gic.deactivate(line);
            return Some(Interrupt::Own);
        }
        if intid == self.alarm_line {
            // The line is level: it must be low before the interrupt is over.
            self.set_alarm(None);
            isb(SY);
            if self.smmus.due().is_some() {
                self.look_at_smmus();
            }
        }
        self.gic.deactivate_own(intid);
        Some(Interrupt::Own)
    }
}

impl Translation for Board {
    type Format = stage2::Stage2;
    type Tables = Frames;

    fn layout(&self) -> (Shape, stage2::Stage2) {
        (self.stage2.shape, self.stage2.format)
    }
    fn tables(&mut self) -> &mut Frames {
        &mut self.mmu.frames
    }
    fn publish(&mut self) {
        sysreg::publish_tables();
    }
    fn invalidate(&mut self, root: Pa, tag: Vmid) {
        el2::invalidate_space(stage2::base(root, tag));
        self.smmus
            .invalidate(&mut self.mmu.frames, tag.iommu_domain());
    }
    fn retire(&mut self, root: Pa, tag: Vmid) {
        el2::retire_space(stage2::base(root, tag));
        // Whoever has the tag next has not been here.
        if let Some(last) = self.last.get_mut(usize::from(tag.number())) {
            *last = None;
        }
    }
}

impl Iommu for Board {
    fn attach(&mut self, stream: Stream, domain: DomainId, root: Pa, tag: IommuDomainId) -> bool {
        let owner = Owner { domain, tag, root };
        let done = self.smmus.attach(&mut self.mmu.frames, stream, owner);
        if let Err(error) = done {
            pl011::line(format_args!("{}: {error}", stream.id));
        }
        done.is_ok()
    }
    fn detach(&mut self, stream: Stream) {
        self.smmus.detach(&mut self.mmu.frames, stream);
    }
    fn release(&mut self, tag: IommuDomainId) {
        self.smmus.release(&mut self.mmu.frames, tag);
    }
}

impl ConfigSpace for Board {
    fn config_read(&mut self, at: Sbdf, offset: u16, width: Width) -> u32 {
        self.ecam.config_read(at, offset, width)
    }
    fn config_write(&mut self, at: Sbdf, offset: u16, width: Width, value: u32) {
        self.ecam.config_write(at, offset, width, value);
    }

    fn any_answer(&mut self, first: Sbdf) -> bool {
        self.ecam.any_answer(first)
    }
}

impl crate::hal::Board for Board {
    fn free_heap(&self) -> u64 {
        heap::free()
    }
    fn off(&mut self) {
        sysreg::system_off();
    }
}

impl Cpu for Board {
    type Arch = Aarch64;
    type Vcpu = Vcpu;

    fn create(&mut self, id: VcpuId, root: Pa, tag: Vmid, since: u64) -> Vcpu {
        Vcpu::new(vgic::mpidr(id.index), root, tag, since)
    }

    fn reset(&mut self, vcpu: &mut Vcpu, entry: Ipa, context: u64) {
        vcpu.reset(entry.raw(), context);
    }

    fn set_context(&mut self, vcpu: &mut Vcpu, context: &VcpuContext) {
        vcpu.set_context(context);
    }

    fn load(&mut self, id: VcpuId, vcpu: &mut Vcpu) {
        let last = self.last.get_mut(usize::from(vcpu.tag().number()));
        let before = last.and_then(|last| last.replace(id.index));
        vcpu.load(
            &self.features,
            before.is_some_and(|before| before != id.index),
        );
    }

    fn save(&mut self, vcpu: &mut Vcpu) -> bool {
        vcpu.save(&self.features)
    }

    fn enter(&mut self, vcpu: &mut Vcpu, lists: &mut Lists, until: Option<u64>) -> Event<Exit> {
        self.set_alarm(self.until(until));
        self.set_timer_active(lists.timer_active);
        self.fill_lists(lists);
        // The exception return is a context synchronization event: all of the above holds in the guest.
        let left = vcpu.enter();
        Self::drain_lists(lists);
        match left {
            Left::Exception => Event::Exit(esr::decode(vcpu.syndrome(), vcpu.registers())),
            Left::Interrupt => Event::Interrupt,
            Left::Error => Event::Error,
        }
    }

    fn interrupt_features(&self) -> vgic::Features {
        self.features.guest
    }

    fn timer(&self, vcpu: &Vcpu) -> (bool, Option<u64>) {
        vcpu.timer()
    }

    fn register(&self, vcpu: &Vcpu, n: u8) -> u64 {
        vcpu.registers().get(usize::from(n)).copied().unwrap_or(0)
    }

    fn set_register(&mut self, vcpu: &mut Vcpu, n: u8, value: u64) {
        vcpu.set_register(n, value);
    }

    fn skip(&mut self, vcpu: &mut Vcpu, bytes: u64) {
        let (pc, pstate) = vcpu.position();
        vcpu.set_position(pc.wrapping_add(bytes), pstate & !STEP_AND_BRANCH);
    }

    fn inject(&mut self, vcpu: &mut Vcpu, exception: &Exception) {
        let (pc, pstate) = vcpu.position();
        let at = Interrupted {
            pc,
            pstate,
            vbar: el1::vectors(),
            sctlr: el1::control(),
        };
        let entered = inject::enter(exception, &at);
        el1::take(entered.elr, entered.spsr, entered.esr, entered.far);
        vcpu.set_position(entered.pc, entered.pstate);
    }

    fn stage1(&mut self, va: u64, write: bool) -> Option<Ipa> {
        el1::translate(va, write).map(Ipa::new)
    }

    fn identify(&self, register: IdRegister) -> u64 {
        match register {
            IdRegister::Pfr0 => ID_AA64PFR0_EL1.get(),
            IdRegister::Pfr1 => ID_AA64PFR1_EL1.get(),
            IdRegister::Dfr0 => ID_AA64DFR0_EL1.get(),
            IdRegister::Isar0 => ID_AA64ISAR0_EL1.get(),
            IdRegister::Isar1 => ID_AA64ISAR1_EL1.get(),
            IdRegister::Isar2 => read_id_aa64isar2_el1().bits(),
            IdRegister::Mmfr0 => ID_AA64MMFR0_EL1.get(),
            IdRegister::Mmfr1 => ID_AA64MMFR1_EL1.get(),
            IdRegister::Mmfr2 => ID_AA64MMFR2_EL1.get(),
        }
    }

    fn describe(&self, vcpu: &Vcpu, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pc, pstate) = vcpu.position();
        let last = vcpu.syndrome();
        write!(
            f,
            "pc {pc:#x} pstate {pstate:#x} ESR {:#010x} FAR {:#x} HPFAR {:#x}",
            last.esr, last.far, last.hpfar
        )
    }
}
