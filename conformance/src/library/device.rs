//! A device: its registers by name, how it is operated, and what it is to the host.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::Width;

/// One file of `devices/`.
#[derive(Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// The name by which machines and cases refer to it; that of QEMU's model for PCI functions.
    pub device: String,
    /// What it is, in one line.
    pub title: String,
    /// The manual that defines its registers, with the clause.
    #[serde(default)]
    pub manual: Option<String>,
    /// `compatible` of a node that describes it.
    #[serde(default)]
    pub compatible: Vec<String>,
    /// Name of its node in the tree of a domain, without the unit address.
    #[serde(default)]
    pub node: Option<String>,
    /// Whether it accesses memory by itself (DMA).
    #[serde(default)]
    pub dma: bool,
    /// Whether its transfers take so long by the machine's clock that the clock should skip the time in which nothing
    /// else happens.
    #[serde(default)]
    pub slow: bool,
    /// What a reset of the machine does to it.
    #[serde(default)]
    pub reset: Reset,
    /// What of its registers a case assigns that does not say: offset and size in bytes. All of them if left out.
    #[serde(default)]
    pub assigned: Option<Part>,
    /// The register by which one knows that one talks to this very device, and its value.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// A register that keeps what is written and does nothing else.
    #[serde(default)]
    pub scratch: Option<String>,
    /// The registers: an offset, or more than that.
    #[serde(default)]
    pub registers: BTreeMap<String, Register>,
    /// Named values of its registers and parameters.
    #[serde(default)]
    pub values: BTreeMap<String, u64>,
    /// What cases have it do.
    #[serde(default)]
    pub procedures: BTreeMap<String, Procedure>,
    /// The function, if it is a PCI device.
    #[serde(default)]
    pub pci: Option<PciModel>,
}

/// What a reset of the machine does to a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reset {
    /// It is as new.
    #[default]
    Full,
    /// Some of its state remains.
    Partial,
    /// It is as before.
    None,
}

/// A part of a device's registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// First byte, from the start of the registers.
    #[serde(default)]
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

/// How one knows the device.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The register.
    pub register: String,
    /// Its value.
    pub value: u64,
}

/// A register, or several of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Register {
    /// A register of 32 bits at this offset.
    At(u64),
    /// Another one.
    Full(RegisterForm),
}

/// A register that is not 32 bits wide, not in the first region, or one of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterForm {
    /// Offset in bytes.
    pub offset: u64,
    /// Size in bits: 8, 16, 32 or 64.
    #[serde(default = "word")]
    #[schemars(range(min = 8, max = 64))]
    pub bits: u8,
    /// How many there are, one directly after the other: `NAME[0]`, `NAME[1]` ...
    #[serde(default = "one")]
    pub count: u64,
    /// The number of the BAR through which a PCI function shows it.
    #[serde(default)]
    pub bar: u8,
}

const fn word() -> u8 {
    32
}

const fn one() -> u64 {
    1
}

impl Register {
    /// Returns all that is known of it.
    pub const fn form(self) -> RegisterForm {
        match self {
            Self::At(offset) => RegisterForm {
                offset,
                bits: 32,
                count: 1,
                bar: 0,
            },
            Self::Full(form) => form,
        }
    }
}

impl RegisterForm {
    /// Returns the size of an access.
    pub const fn width(self) -> Option<Width> {
        match self.bits {
            8 => Some(Width::W8),
            16 => Some(Width::W16),
            32 => Some(Width::W32),
            64 => Some(Width::W64),
            _ => None,
        }
    }
}

/// Something that a device can be made to do: `VERB DEVICE ARGUMENT...` in a case.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Procedure {
    /// What it does, as a sentence for readers: `{device}` and `{PARAMETER}` are replaced.
    pub says: String,
    /// Names of its arguments.
    #[serde(default)]
    pub parameters: Vec<String>,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// One access to a register.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Step {
    /// Writes a register.
    Write(WriteStep),
    /// Waits until a register shows a value.
    Wait(WaitStep),
    /// Reads a register, which must have a value.
    Read(ReadStep),
}

/// Writes a register.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteStep {
    /// The register.
    pub write: String,
    /// What is written.
    pub value: Operand,
}

/// Waits until a register shows a value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitStep {
    /// The register.
    pub wait: String,
    /// The bits that are compared.
    pub mask: u64,
    /// Their value.
    pub value: Operand,
    /// Size of the accesses in bits, if it is not that of the register.
    #[serde(default)]
    pub bits: Option<u8>,
}

/// Reads a register, which must have a value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadStep {
    /// The register.
    pub read: String,
    /// The bits that are compared; all if left out.
    #[serde(default)]
    pub mask: Option<u64>,
    /// Their value.
    pub value: Operand,
}

/// A number, the name of a parameter, or that of one of the device's values.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Operand {
    /// A number.
    Number(u64),
    /// A name.
    Name(String),
}

impl Step {
    /// Returns the register that it accesses.
    pub fn register(&self) -> &str {
        match self {
            Self::Write(step) => &step.write,
            Self::Wait(step) => &step.wait,
            Self::Read(step) => &step.read,
        }
    }

    /// Returns its operand.
    pub const fn operand(&self) -> &Operand {
        match self {
            Self::Write(step) => &step.value,
            Self::Wait(step) => &step.value,
            Self::Read(step) => &step.value,
        }
    }
}

/// A PCI function as QEMU's model of it is. The suite's tests start QEMU with each and compare.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PciModel {
    /// Vendor id in the low half, device id in the high one (PCI 6.2.1).
    pub id: u32,
    /// Its INTx pin, 1 to 4; 0 for none.
    #[serde(default)]
    pub pin: u8,
    /// Its memory BARs.
    #[serde(default)]
    pub bars: Vec<BarModel>,
    /// Set for a PCI Express port: the offset of its slot control register (PCIe 7.5.3.10).
    #[serde(default)]
    pub port: Option<u16>,
    /// Set for a bridge to a bus: the first free device number there.
    #[serde(default)]
    pub bridge: Option<u8>,
    /// Options of QEMU's `-device` that it always needs here.
    #[serde(default)]
    pub options: String,
}

impl PciModel {
    /// Returns what it is to the functions behind it.
    pub const fn role(&self) -> Role {
        match (self.port, self.bridge) {
            (Some(control), _) => Role::Port(control),
            (None, Some(first)) => Role::Bridge(first),
            (None, None) => Role::Endpoint,
        }
    }
}

/// A memory BAR of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BarModel {
    /// Its number, 0 to 5.
    pub bar: u8,
    /// What it decodes.
    #[serde(default)]
    pub kind: BarKind,
    /// Its size in bytes.
    pub size: u64,
}

/// What addresses a BAR decodes (PCI 6.2.5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BarKind {
    /// Memory, with a 32-bit address.
    #[default]
    Memory32,
    /// Memory, with a 64-bit address.
    Memory64,
    /// Prefetchable memory, with a 64-bit address.
    Prefetchable64,
}

impl BarKind {
    /// Returns the low bits of the register, which are fixed by its kind.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Memory32 => 0,
            Self::Memory64 => 4,
            Self::Prefetchable64 => 0xc,
        }
    }

    /// Tells whether it uses the next register as well.
    pub const fn is_wide(self) -> bool {
        !matches!(self, Self::Memory32)
    }
}

/// What a function is to the functions behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// No function is behind it.
    Endpoint,
    /// A PCI Express port: one device is behind it, which can be unplugged. The offset of its slot control register
    /// (PCIe 7.5.3.10).
    Port(u16),
    /// A bridge to a bus; the first free device number there.
    Bridge(u8),
}

impl Device {
    /// Finds a register by its name, with an index if there are several.
    pub fn register(&self, name: &str) -> Option<RegisterForm> {
        let (name, index) = match name.strip_suffix(']').and_then(|open| open.split_once('[')) {
            Some((name, index)) => (name, index.parse::<u64>().ok()?),
            None => (name, 0),
        };
        let form = self.registers.get(name)?.form();
        let step = u64::from(form.bits / 8);
        let place = (index < form.count).then(|| index.checked_mul(step));
        let offset = form.offset.checked_add(place??)?;
        Some(RegisterForm { offset, ..form })
    }

    /// Returns what is wrong in the file: a text of it, and why.
    pub(super) fn check(&self) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let mut report = |place: &str, why: String| wrong.push((place.to_owned(), why));
        if !is_name(&self.device) {
            report(&self.device, format!("`{}` is no name", self.device));
        }
        for (name, register) in &self.registers {
            if register.form().width().is_none() {
                report(
                    name,
                    format!("`{name}`: a register has 8, 16, 32 or 64 bits"),
                );
            }
        }
        let named = [
            self.scratch.as_ref(),
            self.identity.as_ref().map(|is| &is.register),
        ];
        let steps = self
            .procedures
            .values()
            .flat_map(|procedure| &procedure.steps);
        let used = steps.map(|step| step.register().to_owned());
        for name in named.into_iter().flatten().cloned().chain(used) {
            if self.register(&name).is_none() {
                let known = self.registers.keys().map(String::as_str);
                let near = text::nearest(&name, known).unwrap_or("none");
                let why = format!("`{name}` is no register of the device; the nearest is `{near}`");
                report(&name, why);
            }
        }
        for procedure in self.procedures.values() {
            for step in &procedure.steps {
                let Operand::Name(name) = step.operand() else {
                    continue;
                };
                if !procedure.parameters.contains(name) && !self.values.contains_key(name) {
                    let why = format!("`{name}` is neither a parameter nor one of the `values`");
                    report(name, why);
                }
            }
        }
        wrong
    }
}

/// Tells whether a text can be a name of the library: a letter, then letters, digits, `-` and `_`. In an expression a
/// `-` before a digit is a difference, so names of devices have none.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain)
}

/// Tells whether a name can stand in an expression.
pub(super) fn is_symbol(text: &str) -> bool {
    let digit = |part: &str| part.starts_with(|c: char| !c.is_ascii_alphabetic());
    is_name(text) && !text.split('-').skip(1).any(digit)
}
