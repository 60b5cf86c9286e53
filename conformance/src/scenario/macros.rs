//! Words of scripts that stand for several operations: how a control domain creates a domain, and how the two
//! synchronize.

use crate::arch;
use crate::case::Role;
use crate::case::value::number;
use crate::dtb::EDU_BASE;
use crate::pci::Topology;
use crate::scenario::domain_table::DomainTable;
use crate::scenario::{DOMAIN_MEMORY_KIB, Domain};

mod pci;
#[cfg(test)]
mod tests;

/// Page through which a control domain accesses the memory of others: no machine of this suite has anything there.
const WINDOW: u64 = 0x30_0000_0000;
/// Smallest page, as a power of two.
const PAGE: u32 = 12;
/// Maximum number of pages in one request for memory or for a mapping: 2 MiB, and Xen's limit on Arm.
const CHUNK: u64 = 512;
const MAPPED: u64 = 64;
/// Timeout for waiting on another domain, in milliseconds. No wait takes that long unless something is wrong.
const PATIENCE: u32 = 5000;

/// The domain that a script is written for.
pub struct Writer<'a> {
    /// Its name in the case.
    pub name: &'a str,
    /// All domains of the case.
    pub table: &'a DomainTable,
    /// Its privilege over other domains.
    pub role: Role,
    /// The domains that it creates.
    pub children: &'a [Domain],
    /// The machine's PCI functions.
    pub functions: Option<&'a Topology>,
    /// The functions assigned to it: segment, bus, and device and function.
    pub own: &'a [[u32; 3]],
    /// Address at which it finds their configuration space.
    pub ecam: Option<u64>,
}

impl Writer<'_> {
    /// Returns the lines that `text` stands for; `text` itself if it stands for nothing else.
    pub fn lines(&self, text: &str) -> Result<Vec<String>, String> {
        let (body, expect) = match text.split_once("=>") {
            Some((body, expect)) => (body.trim(), Some(expect.trim())),
            None => (text.trim(), None),
        };
        let words: Vec<&str> = body.split_whitespace().collect();
        let plain = |lines: Vec<String>| match expect {
            None => Ok(lines),
            Some(_) => Err(format!(
                "`{body}` stands for several operations, which must work"
            )),
        };
        match words.as_slice() {
            ["flag", value] => {
                let own = self.table.entry(self.name)?;
                plain(vec![format!("w32 {:#x} {value}", own.flag())])
            }
            ["see", value] => {
                let own = self.table.entry(self.name)?;
                plain(vec![until(own.flag(), value)])
            }
            ["await", name, value] => plain(self.within(name, until(WINDOW, value))?),
            ["signal", name, value] => {
                plain(self.within(name, format!("w32 {WINDOW:#x} {value}"))?)
            }
            [dma, verb, address, count] if is_dma(dma) => {
                plain(transfer(registers(dma)?, verb, address, count, true)?)
            }
            [dma, verb, address, count, "begin"] if is_dma(dma) => {
                plain(transfer(registers(dma)?, verb, address, count, false)?)
            }
            ["pci", words @ ..] => self.pci(words, expect),
            ["make", name] => plain(make(self.child(name)?)),
            ["start", name] => plain(vec![start(self.child(name)?)]),
            ["build", name] => {
                let child = self.child(name)?;
                plain([make(child), give(child), vec![start(child)]].concat())
            }
            ["give", name] => {
                let behind = expect.map_or_else(String::new, |expect| format!(" => {expect}"));
                let lines = give(self.child(name)?).into_iter();
                Ok(lines.map(|line| line + &behind).collect())
            }
            ["hv" | "hc" | "hcmem", ..] => {
                let behind = expect.map_or_else(String::new, |expect| format!(" => {expect}"));
                let body = self.functions_by_number(&words).join(" ");
                Ok(vec![self.table.resolve(&body) + &behind])
            }
            _ => Ok(vec![text.to_owned()]),
        }
    }

    fn child(&self, name: &str) -> Result<&Domain, String> {
        let found = self.children.iter().find(|child| child.name == name);
        found.ok_or_else(|| format!("`{}` has no child `{name}`", self.name))
    }

    /// Returns the lines that apply `line` to the flag of a domain.
    fn within(&self, name: &str, line: String) -> Result<Vec<String>, String> {
        let other = self.table.entry(name)?;
        let (window, page) = (WINDOW >> PAGE, other.flag() >> PAGE);
        Ok(vec![
            format!("hv foreign {window:#x} {} {page:#x}", other.id),
            line,
            format!("hv unforeign {window:#x}"),
        ])
    }
}

/// Waits until a flag has this value.
fn until(flag: u64, value: &str) -> String {
    format!("wait32 {flag:#x} 0xffffffff {value} {PATIENCE} => {value}")
}

/// Tells whether the word is `dma`, or `dma@ADDRESS` for a device whose registers are there.
fn is_dma(word: &str) -> bool {
    word == "dma" || word.starts_with("dma@")
}

fn registers(word: &str) -> Result<u64, String> {
    let place = word.strip_prefix("dma@");
    place.map_or(Ok(EDU_BASE), number)
}

/// Has the edu device at `base` (by default where the host has it as a platform device) copy memory to its buffer
/// (`read`) or its buffer to memory (`write`), and waits until it is done, unless only the start is asked for.
fn transfer(
    base: u64,
    verb: &str,
    address: &str,
    count: &str,
    to_its_end: bool,
) -> Result<Vec<String>, String> {
    const BUFFER: &str = "0x40000";
    let (from, to, command) = match verb {
        "read" => (address, BUFFER, 1),
        "write" => (BUFFER, address, 3),
        _ => return Err(format!("`{verb}` is neither read nor write")),
    };
    let register = |offset: u64| base.wrapping_add(offset);
    // Only the domain's probe knows where its scratch memory is.
    let aim = |offset: u64, address: &str| match address.strip_prefix('@') {
        Some(place) => format!("hcaim {:#x} {place}", register(offset)),
        None => format!("w64 {:#x} {address}", register(offset)),
    };
    let mut lines = vec![
        aim(0x80, from),
        aim(0x88, to),
        format!("w64 {:#x} {count}", register(0x90)),
        format!("w64 {:#x} {command}", register(0x98)),
    ];
    if to_its_end {
        let (at, done) = (register(0x98), command & !1);
        lines.push(format!("wait32 {at:#x} 0xff {done} {PATIENCE} => {done}"));
    }
    Ok(lines)
}

/// Creates the domain and fills its memory.
fn make(child: &Domain) -> Vec<String> {
    let Some(plan) = child.child else {
        return Vec::new();
    };
    let kib = child.memory_kib.unwrap_or(DOMAIN_MEMORY_KIB);
    let ram = child.ram;
    let (id, cpus) = (plan.id, child.cpus);
    let irq_lines = child.guest_lines.unwrap_or(arch::GUEST_LINES);
    let pages = kib.div_ceil(4);
    let (large, small) = (pages / CHUNK, pages % CHUNK);
    let mut lines = vec![format!("hv create {id} {kib} {cpus} {irq_lines}")];
    if large > 0 {
        lines.push(format!("hv populate {id} {:#x} 9 {large}", ram >> PAGE));
    }
    if small > 0 {
        let from = (ram >> PAGE) + large * CHUNK;
        lines.push(format!("hv populate {id} {from:#x} 0 {small}"));
    }
    let next = plan.entry + 1;
    lines.push(format!("hv load {id} 0 {ram:#x}"));
    lines.push(format!("hv load {id} {} {:#x}", plan.entry, plan.tree));
    lines.push(format!("hv load {id} {next} {:#x}", plan.ramdisk));
    lines
}

/// Assigns the domain its devices.
fn give(child: &Domain) -> Vec<String> {
    let Some(plan) = child.child else {
        return Vec::new();
    };
    let id = plan.id;
    let mut lines = Vec::new();
    for device in child.partial.iter().flat_map(|partial| &partial.devices) {
        for range in &device.ranges {
            let (gfn, mfn) = (range.guest >> PAGE, range.host >> PAGE);
            let pages = range.size.div_ceil(1 << PAGE);
            lines.push(format!("hv iomem {id} {mfn:#x} {pages:#x} 1"));
            for done in (0..pages).step_by(64) {
                let count = (pages - done).min(MAPPED);
                let (gfn, mfn) = (gfn + done, mfn + done);
                lines.push(format!("hv map {id} {gfn:#x} {mfn:#x} {count:#x}"));
            }
        }
        lines.extend(
            device
                .interrupts
                .iter()
                .map(|line| format!("hv bind {id} {line}")),
        );
    }
    for [segment, bus, devfn] in &child.pci {
        let function = segment << 16 | bus << 8 | devfn;
        lines.push(format!("hv pciassign {id} {function:#x}"));
    }
    lines
}

fn start(child: &Domain) -> String {
    let plan = child.child.map(|plan| (plan.id, plan.tree));
    let (id, tree) = plan.unwrap_or_default();
    format!("hv start {id} {:#x} {tree:#x}", child.ram)
}
