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

#[cfg(test)]
mod tests {
    use crate::sample::scenario;
    use crate::scenario::Scenario;

    fn run_time(script: &str) -> Scenario {
        scenario(&format!(
            "    domains:
      - name: ctl
        role: control
        children:
          - name: dB
            memory_kib: 2056
            devices: [{{node: edu, reg: [0x10000000 0x42000 0x20000000], lines: [38]}}]
            script: [see 6, flag 7]
        script: [{script}]
"
        ))
    }

    fn check(script: &str, wanted: &[&str]) {
        let made = run_time(script);
        let said: Vec<String> = made.domains[0]
            .lines
            .iter()
            .map(|line| line.op.to_string())
            .collect();
        let read = |text: &&str| text.parse::<wire::Op>().unwrap().to_string();
        assert_eq!(said, wanted.iter().map(read).collect::<Vec<_>>());
    }

    /// Each word stands for the calls that a toolstack makes, in the sizes that the hypervisor accepts.
    #[test]
    fn words_stand_for_calls() {
        check(
            "make dB",
            &[
                "hv create 3 2056 1 256",
                "hv populate 3 0x40000 9 1",
                "hv populate 3 0x40200 0 2",
                "hv load 3 0 0x40000000",
                "hv load 3 1 0x40180000",
                "hv load 3 2 0x401a0000",
            ],
        );
        check(
            "give dB",
            &[
                "hv iomem 3 0x10000 0x42 1",
                "hv map 3 0x20000 0x10000 0x40",
                "hv map 3 0x20040 0x10040 2",
                "hv bind 3 38",
            ],
        );
        check("start dB", &["hv start 3 0x40000000 0x40180000"]);
        let built = run_time("build dB").domains[0].lines.len();
        assert_eq!(built, 6 + 4 + 1);
        check(
            "signal dB 8",
            &[
                "hv foreign 0x3000000 3 0x40100",
                "w32 0x3000000000 8",
                "hv unforeign 0x3000000",
            ],
        );
        check(
            "await dB 7",
            &[
                "hv foreign 0x3000000 3 0x40100",
                "wait32 0x3000000000 0xffffffff 7 5000",
                "hv unforeign 0x3000000",
            ],
        );
        let child = run_time("start dB").domains.pop().unwrap();
        let own: Vec<wire::Op> = child
            .lines
            .iter()
            .rev()
            .take(2)
            .map(|line| line.op)
            .collect();
        let wanted = ["w32 0x40100000 7", "wait32 0x40100000 0xffffffff 6 5000"];
        assert_eq!(own, wanted.map(|text| text.parse().unwrap()));
    }

    /// A function is named by its name in the case, whatever its number in the domain.
    #[test]
    fn functions_are_called_by_their_names() {
        let made = |role: &str, script: &str| {
            let direct = if role == "guest" {
                ", static: [0x58000000 0x800000], direct_map: true"
            } else {
                ""
            };
            let made = scenario(&format!(
                "    machine:
      pci: [{{name: one, device: edu, slot: 3}}, {{name: two, device: nvme, slot: 5.1}}]
    domains:
      - {{name: dA, role: {role}{direct}, pci: {}, script: [{script}]}}
",
                if role == "hardware" {
                    "[]"
                } else {
                    "[two, one]"
                }
            ));
            let lines = made.domains[0].lines.iter();
            lines.map(|line| line.op.to_string()).collect::<Vec<_>>()
        };
        let ecam = |at: u64| format!("r16 {:#x}", 0x40_1000_0000 + at);
        assert_eq!(
            made("hardware", "pci read16 one 2, pci read16 5.1 2"),
            [ecam(0x18002), ecam(0x29002)]
        );
        assert_eq!(
            made("guest", "pci read16 one 2, pci read16 2:31.7 2"),
            [ecam(0x8002), ecam(0x2ff002)]
        );
        assert_eq!(
            made(
                "control",
                "pci enable two bar0 0x23000000 bar4 0x180000000, hv pciremove one"
            ),
            [
                "w32 0x10000010 0x23000000",
                "w32 0x10000014 0x0",
                "w32 0x10000020 0x80000000",
                "w32 0x10000024 0x1",
                "w16 0x10000004 0x6",
                "hv pciremove 0x18",
            ]
        );
        assert_eq!(
            made(
                "control",
                "hv pciadd two 2 one, hv pcitest dA two, hv pciassign invalid 0x10418"
            ),
            [
                "hv pciadd 0x29 0x2 0x18",
                "hv pcitest 1 0x29",
                "hv pciassign 32756 0x10418"
            ]
        );
        assert_eq!(
            made("hardware", "dma read @1+8 8")[0],
            "hcaim 0x10000080 1+0x8"
        );
        assert_eq!(
            made("guest", "dma@0x23000000 write 0x58000000 8 begin")
                .last()
                .map(String::as_str),
            Some("w64 0x23000098 0x3")
        );
    }

    /// An expectation of `give` applies to each of its calls.
    #[test]
    fn a_refusal_is_wanted_of_each_call() {
        let made = run_time("give dB => EBUSY");
        let expects = made.domains[0]
            .lines
            .iter()
            .map(|line| line.expect.to_string());
        assert_eq!(expects.collect::<Vec<_>>(), ["EBUSY"; 4]);
    }
}
