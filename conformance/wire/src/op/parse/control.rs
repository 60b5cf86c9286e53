//! The ops of a control domain.

use super::error;
use crate::op::error::{OpError, OpErrorKind};
use crate::op::operand::{MAX_VALUES, Path, Place, Value, Values};
use crate::op::words::Words;
use crate::op::{Hv, MAX_REPEATED, Op, Width};

const VERBS: &[&str] = &[
    "version",
    "free",
    "list",
    "info",
    "pages",
    "wait",
    "create",
    "destroy",
    "pause",
    "unpause",
    "shutdown",
    "populate",
    "depopulate",
    "foreign",
    "unforeign",
    "iomem",
    "map",
    "unmap",
    "bind",
    "unbind",
    "assign",
    "testassign",
    "deassign",
    "load",
    "start",
    "pciadd",
    "pciremove",
    "pcireset",
    "pciassign",
    "pcitest",
    "pcideassign",
    "pcigroup",
    "pciknown",
    "pcilist",
];

/// `createdomain` flags of a hardware-virtualized domain: hvm, hap.
const FLAGS: u32 = 3;

pub(super) fn op(words: &mut Words<'_>, word: &str) -> Option<Result<Op, OpError>> {
    Some(match word {
        "hc" => hypercall(words),
        "hcmem" => fill(words),
        "hcaim" => aim(words),
        "hcr" => read(words),
        "hv" => hv(words).map(Op::Hv),
        "loop" => repeat(words),
        _ => return None,
    })
}

fn hypercall(words: &mut Words<'_>) -> Result<Op, OpError> {
    Ok(Op::Hypercall {
        number: words.short("the hypercall")?,
        args: words.values(0)?,
    })
}

fn fill(words: &mut Words<'_>) -> Result<Op, OpError> {
    Ok(Op::ScratchWrite {
        at: words.place()?,
        values: words.values(1)?,
    })
}

fn aim(words: &mut Words<'_>) -> Result<Op, OpError> {
    Ok(Op::WriteScratchAddress {
        at: words.address()?,
        place: words.place()?,
    })
}

fn read(words: &mut Words<'_>) -> Result<Op, OpError> {
    Ok(Op::ScratchRead {
        at: words.place()?,
        width: words.one_of("width", &["8", "16", "32", "64"], |word| {
            Width::after("", word)
        })?,
    })
}

fn repeat(words: &mut Words<'_>) -> Result<Op, OpError> {
    Ok(Op::Loop {
        passes: words.small("the number of passes", 2, u32::MAX)?,
        ops: u8::try_from(words.small("the number of ops", 1, u32::from(MAX_REPEATED))?)
            .unwrap_or(MAX_REPEATED),
    })
}

fn hv(words: &mut Words<'_>) -> Result<Hv, OpError> {
    let (at, verb) = words.word("what to ask")?;
    Ok(match verb {
        "version" => Hv::Version,
        "free" => Hv::Free,
        "list" => Hv::List,
        "foreign" => Hv::Foreign {
            gfn: words.any("the frame")?,
            dom: words.dom()?,
            from: words.any("the other's frame")?,
        },
        "unforeign" => Hv::Unforeign {
            gfn: words.any("the frame")?,
        },
        _ if !VERBS.contains(&verb) => {
            return Err(error(
                at,
                OpErrorKind::Word {
                    what: "question to the hypervisor",
                    known: VERBS,
                },
            ));
        }
        "pciadd" => Hv::PciAdd {
            at: words.function()?,
            flags: words.or("the flags", u32::MAX, 0)?,
            physfn: {
                let physfn = words.or("the other function", u32::from(u16::MAX), 0)?;
                u16::try_from(physfn).unwrap_or(u16::MAX)
            },
        },
        "pciremove" => Hv::PciRemove {
            at: words.function()?,
        },
        "pcireset" => Hv::PciReset {
            at: words.function()?,
            flags: words.or("the flags", u32::MAX, 0)?,
        },
        "pciknown" => Hv::PciKnown {
            at: words.function()?,
        },
        "pcilist" => Hv::PciList {
            at: words.function()?,
        },
        _ => of_domain(words, verb)?,
    })
}

/// Reads the verbs whose first operand is the domain.
fn of_domain(words: &mut Words<'_>, verb: &str) -> Result<Hv, OpError> {
    let dom = words.dom()?;
    Ok(match verb {
        "info" => Hv::Info { dom },
        "pages" => Hv::Pages { dom },
        "destroy" => Hv::Destroy { dom },
        "pause" => Hv::Pause { dom },
        "unpause" => Hv::Unpause { dom },
        "wait" => Hv::Wait {
            dom,
            mask: words.any("the mask")?,
            value: words.any("the value")?,
            ms: words.ms()?,
        },
        "create" => Hv::Create {
            dom,
            kib: words.any("the memory in KiB")?,
            cpus: words.small("the CPUs", 0, u32::MAX)?,
            lines: words.small("the interrupts", 0, u32::MAX)?,
            flags: words.or("the flags", u32::MAX, FLAGS)?,
        },
        "shutdown" => Hv::Shutdown {
            dom,
            reason: words.small("the reason", 0, u32::MAX)?,
        },
        "populate" => Hv::Populate {
            dom,
            gfn: words.any("the frame")?,
            order: words.small("the order", 0, u32::MAX)?,
            count: words.count()?,
        },
        "depopulate" => Hv::Depopulate {
            dom,
            gfn: words.any("the frame")?,
        },
        "iomem" => Hv::Iomem {
            dom,
            mfn: words.any("the host page")?,
            count: words.any("the number of pages")?,
            allow: words.number("whether it is given", 0, 1)? != 0,
        },
        "map" | "unmap" => {
            let (gfn, mfn) = (words.any("the frame")?, words.any("the host page")?);
            let count = words.any("the number of pages")?;
            if verb == "map" {
                Hv::Map {
                    dom,
                    gfn,
                    mfn,
                    count,
                }
            } else {
                Hv::Unmap {
                    dom,
                    gfn,
                    mfn,
                    count,
                }
            }
        }
        "bind" | "unbind" => {
            let line = words.short("the interrupt")?;
            if verb == "bind" {
                Hv::Bind { dom, line }
            } else {
                Hv::Unbind { dom, line }
            }
        }
        "pciassign" | "pcitest" | "pcideassign" | "pcigroup" => {
            let at = words.function()?;
            match verb {
                "pciassign" => Hv::PciAssign { dom, at },
                "pcitest" => Hv::PciTest { dom, at },
                "pcideassign" => Hv::PciDeassign { dom, at },
                _ => Hv::PciGroup { dom, at },
            }
        }
        "load" => Hv::Load {
            dom,
            entry: words.short("the entry")?,
            at: words.multiple("the address", 0, 4096)?,
        },
        "start" => Hv::Start {
            dom,
            pc: words.any("where it begins")?,
            argument: words.any("the argument")?,
        },
        _ => {
            let path = words.path()?;
            match verb {
                "assign" => Hv::Assign { dom, path },
                "testassign" => Hv::TestAssign { dom, path },
                _ => Hv::Deassign { dom, path },
            }
        }
    })
}

impl Words<'_> {
    fn any(&mut self, what: &'static str) -> Result<u64, OpError> {
        self.number(what, 0, u64::MAX)
    }

    fn short(&mut self, what: &'static str) -> Result<u16, OpError> {
        let value = self.small(what, 0, u32::from(u16::MAX))?;
        Ok(u16::try_from(value).unwrap_or(u16::MAX))
    }

    fn dom(&mut self) -> Result<u16, OpError> {
        self.short("the domain")
    }

    fn function(&mut self) -> Result<u32, OpError> {
        self.small("the function", 0, u32::MAX)
    }

    /// Reads an optional number.
    fn or(&mut self, what: &'static str, max: u32, otherwise: u32) -> Result<u32, OpError> {
        match self.clone().next() {
            Some(_) => self.small(what, 0, max),
            None => Ok(otherwise),
        }
    }

    fn place(&mut self) -> Result<Place, OpError> {
        let (at, word) = self.word("the slot")?;
        Place::from_word(word).ok_or(error(at, OpErrorKind::Place))
    }

    fn path(&mut self) -> Result<Path, OpError> {
        let (at, word) = self.word("the path")?;
        Path::new(word).ok_or(error(at, OpErrorKind::Path))
    }

    /// Reads the remaining words as values; fails if there are more than fit.
    fn values(&mut self, min: usize) -> Result<Values, OpError> {
        let mut values = Values::NONE;
        while values.len() < min || values.len() < MAX_VALUES && self.clone().next().is_some() {
            let mut look = self.clone();
            let value = match look.word("a value")? {
                (at, word) if word.starts_with('@') => {
                    self.next();
                    let place = word.strip_prefix('@').and_then(Place::from_word);
                    Value::At(place.ok_or(error(at, OpErrorKind::Place))?)
                }
                _ => Value::Number(self.any("a value")?),
            };
            // The check above leaves room.
            _ = values.push(value);
        }
        Ok(values)
    }
}
