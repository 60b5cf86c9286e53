//! How domains synchronize, and how a control domain creates others.

use wire::{Hv, Op, Width};

use super::{Made, Writer, mark};
use crate::arch;
use crate::case::expect::Expect;
use crate::language::operand::{Operands, PATIENCE};
use crate::scenario::{DOMAIN_MEMORY_KIB, Domain};

pub const VERBS: &[&str] = &[
    "post",
    "wait",
    "remote-post",
    "remote-wait",
    "stay-up",
    "make",
    "give",
    "start",
    "build",
];

/// Smallest page, as a power of two.
const PAGE: u32 = 12;
/// Maximum number of pages in one request for memory: 2 MiB, and Xen's limit on Arm.
const CHUNK: u64 = 512;
/// Maximum number of pages in one request for a mapping.
const MAPPED: u64 = 64;
/// Flags of a new domain (Xen, public/domctl.h: `XEN_DOMCTL_CDF_hvm`, `XEN_DOMCTL_CDF_hap`).
const FLAGS: u32 = 3;
/// How often a domain that stays up can wait.
const MOST_NAPS: u32 = 100;
/// How long a domain that stays up waits at a time, in milliseconds.
const NAP: u32 = 2;

impl Writer<'_> {
    pub(super) fn of_domains(
        &self,
        verb: &str,
        words: &mut Operands<'_, '_>,
    ) -> Result<Option<Made>, String> {
        Ok(Some(match verb {
            "post" => {
                let own = self.table.entry(self.name)?.flag();
                vec![set(own, words)?]
            }
            "wait" => {
                let own = self.table.entry(self.name)?.flag();
                vec![until(own, words)?]
            }
            "remote-post" => {
                let name = words.word("a domain")?;
                let line = set(self.scope.foreign()?, words)?;
                self.within(name, line)?
            }
            "remote-wait" => {
                let name = words.word("a domain")?;
                let line = until(self.scope.foreign()?, words)?;
                self.within(name, line)?
            }
            "stay-up" => {
                let own = self.table.entry(self.name)?.flag();
                let naps = words.number32("a count")?;
                if naps > MOST_NAPS {
                    return Err(format!("`stay-up {naps}`: {MOST_NAPS} are the most"));
                }
                let nap = Op::Timer { ms: NAP };
                let naps = (0..naps).map(|_| (nap, None));
                let up = [(Op::Mark(mark("up")?), None), (written(own, 1), None)];
                up.into_iter().chain(naps).collect()
            }
            "make" => make(self.child(words)?)?,
            "give" => give(self.child(words)?)?,
            "start" => vec![start(self.child(words)?)],
            "build" => {
                let child = self.child(words)?;
                [make(child)?, give(child)?, vec![start(child)]].concat()
            }
            _ => return Ok(None),
        }))
    }

    fn child(&self, words: &mut Operands<'_, '_>) -> Result<&Domain, String> {
        let name = words.word("a domain")?;
        let found = self.children.iter().find(|child| child.name == name);
        found.ok_or_else(|| format!("`{}` has no child `{name}`", self.name))
    }

    /// Returns the operations that apply `line` to the flag of a domain.
    fn within(&self, name: &str, line: (Op, Option<Expect>)) -> Result<Made, String> {
        let other = self.table.entry(name)?;
        let gfn = self.scope.foreign()? >> PAGE;
        let map = Hv::Foreign {
            gfn,
            dom: other.id,
            from: other.flag() >> PAGE,
        };
        Ok(vec![
            (Op::Hv(map), None),
            line,
            (Op::Hv(Hv::Unforeign { gfn }), None),
        ])
    }
}

const fn written(flag: u64, value: u64) -> Op {
    Op::Write {
        width: Width::W32,
        at: flag,
        value,
    }
}

fn set(flag: u64, words: &mut Operands<'_, '_>) -> Result<(Op, Option<Expect>), String> {
    let value = words.value("a value", Width::W32)?;
    Ok((written(flag, value), None))
}

/// Waits until a flag has a value.
fn until(flag: u64, words: &mut Operands<'_, '_>) -> Result<(Op, Option<Expect>), String> {
    let value = words.value("a value", Width::W32)?;
    let op = Op::Wait {
        width: Width::W32,
        at: flag,
        mask: Width::W32.max(),
        value,
        ms: PATIENCE,
    };
    let expect = Expect::Value {
        value,
        mask: u64::MAX,
    };
    Ok((op, Some(expect)))
}

fn calls(all: Vec<Hv>) -> Made {
    all.into_iter().map(|one| (Op::Hv(one), None)).collect()
}

/// Creates the domain and fills its memory.
fn make(child: &Domain) -> Result<Made, String> {
    let Some(plan) = child.child else {
        return Ok(Vec::new());
    };
    let kib = child.memory_kib.unwrap_or(DOMAIN_MEMORY_KIB);
    let ram = child.ram;
    let (dom, cpus) = (plan.id, child.cpus);
    let lines = child.guest_lines.unwrap_or(arch::GUEST_LINES);
    let pages = kib.div_ceil(4);
    let (large, small) = (pages / CHUNK, pages % CHUNK);
    let mut all = vec![Hv::Create {
        dom,
        kib,
        cpus,
        lines,
        flags: FLAGS,
    }];
    let count = |count: u64| {
        let made = u32::try_from(count);
        made.map_err(|_| format!("`{}`: {kib} KiB are too many for one request", child.name))
    };
    if large > 0 {
        all.push(Hv::Populate {
            dom,
            gfn: ram >> PAGE,
            order: 9,
            count: count(large)?,
        });
    }
    if small > 0 {
        all.push(Hv::Populate {
            dom,
            gfn: (ram >> PAGE) + large * CHUNK,
            order: 0,
            count: count(small)?,
        });
    }
    let load = |entry: u8, at: u64| Hv::Load {
        dom,
        entry: u16::from(entry),
        at,
    };
    all.push(load(0, ram));
    all.push(load(plan.entry, plan.tree));
    all.push(load(plan.entry + 1, plan.ramdisk));
    Ok(calls(all))
}

/// Assigns the domain its devices.
fn give(child: &Domain) -> Result<Made, String> {
    let Some(plan) = child.child else {
        return Ok(Vec::new());
    };
    let dom = plan.id;
    let mut all = Vec::new();
    for device in child.partial.iter().flat_map(|partial| &partial.devices) {
        for range in &device.ranges {
            let (gfn, mfn) = (range.guest >> PAGE, range.host >> PAGE);
            let pages = range.size.div_ceil(1 << PAGE);
            all.push(Hv::Iomem {
                dom,
                mfn,
                count: pages,
                allow: true,
            });
            for done in (0..pages).step_by(64) {
                all.push(Hv::Map {
                    dom,
                    gfn: gfn + done,
                    mfn: mfn + done,
                    count: (pages - done).min(MAPPED),
                });
            }
        }
        for line in &device.interrupts {
            let line = u16::try_from(*line).map_err(|_| {
                let node = &device.node;
                format!("`{node}`: interrupt {line} does not fit the 16 bits of a request")
            })?;
            all.push(Hv::Bind { dom, line });
        }
    }
    all.extend(child.pci.iter().map(|[segment, bus, devfn]| Hv::PciAssign {
        dom,
        at: segment << 16 | bus << 8 | devfn,
    }));
    Ok(calls(all))
}

fn start(child: &Domain) -> (Op, Option<Expect>) {
    let plan = child.child.map(|plan| (plan.id, plan.tree));
    let (dom, argument) = plan.unwrap_or_default();
    let start = Hv::Start {
        dom,
        pc: child.ram,
        argument,
    };
    (Op::Hv(start), None)
}
