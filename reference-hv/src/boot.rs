//! From a bare machine and its tree to the first domain.
//!
//! What a start decides is decided here, the same on every architecture. A [`Platform`] maps, opens and sets up what it
//! is told, and becomes the [`Machine`] that domains run on.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::addr::{Pa, Span};
use crate::assign::{self, Taken};
use crate::config::{Bindings, Host, HostBridge, HostError, domain_requests};
use crate::dt::{Blob, DtError};
use crate::hal::{Console, Cpu, Machine};
use crate::paging::MapError;
use crate::vm::{Guest, Hypervisor};

mod domains;
#[cfg(feature = "seeded-faults")]
mod faults;
mod functions;
mod ram_plan;

pub use ram_plan::RamPlan;

/// A machine of which the image and the host tree are mapped, and nothing else.
pub trait Platform {
    /// What it becomes.
    type Machine: Machine<Arch: Guest>;
    /// Names the CPU, how privileged it is, and its counter's frequency.
    fn describe(&self) -> String;
    /// Prints a line, once the console is open.
    fn line(&mut self, text: fmt::Arguments<'_>);
    /// Returns the memory that nobody may get: the image first.
    fn taken(&self) -> Vec<Taken>;
    /// Opens the console with these registers, or does without.
    ///
    /// # Errors
    /// Fails when they cannot be mapped.
    fn open_console(&mut self, registers: Option<Span<Pa>>) -> Result<(), Error>;
    /// Has every IOMMU that is on stop all accesses.
    ///
    /// # Errors
    /// Fails when one's registers cannot be mapped.
    fn block_iommus(&mut self, host: &Host<'_>) -> Result<(), Error>;
    /// Sets CPU, interrupt controller, RAM and IOMMUs up for domains, in that order. Says what the machine is, beyond
    /// what its tree says: all but the PCI functions.
    ///
    /// # Errors
    /// Fails when one lacks what domains need.
    fn hand_over(
        self,
        host: &Host<'_>,
        plan: RamPlan,
    ) -> Result<(Self::Machine, assign::Machine), Error>;
    /// Maps the configuration space behind a host bridge.
    ///
    /// # Errors
    /// Refuses what is mapped already.
    fn open_config_space(machine: &mut Self::Machine, bridge: &HostBridge) -> Result<(), MapError>;
}

/// Why there is nothing to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// The host tree is none.
    Tree(DtError<'static>),
    /// The host tree lacks what any hypervisor needs.
    Host(HostError),
    /// Something cannot be mapped.
    Map(MapError),
    /// The platform says why it cannot be used.
    Platform(String),
    /// RAM has no room for so many bytes of the hypervisor's own.
    NoRoom(u64),
    /// No seeded fault is called so.
    #[cfg(feature = "seeded-faults")]
    Fault(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tree(error) => write!(f, "host device tree: {error}"),
            Self::Host(error) => error.fmt(f),
            Self::Map(error) => write!(f, "address space of the hypervisor: {error}"),
            Self::Platform(what) => f.write_str(what),
            Self::NoRoom(size) => write!(f, "no room in RAM for a pool of {size:#x} bytes"),
            #[cfg(feature = "seeded-faults")]
            Self::Fault(name) => write!(f, "no seeded fault is called {name}"),
        }
    }
}

impl core::error::Error for Error {}

impl From<MapError> for Error {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}

/// Returns what device trees of a platform say in their own way.
fn bindings<P: Platform>() -> &'static Bindings {
    <P::Machine as Cpu>::Arch::BINDINGS
}

/// Gets as far as the first domain; `None` when that was not what the arguments ask for.
///
/// # Errors
/// Says what the tree or the machine lacks.
pub fn start<P: Platform>(
    mut platform: P,
    tree: &'static [u8],
) -> Result<Option<Hypervisor<P::Machine>>, Error> {
    let blob = Blob::new(tree).map_err(Error::Tree)?;
    let host = Host::read(blob, bindings::<P>()).map_err(Error::Host)?;
    let wanted = host.argument("console") != Some("none");
    let console = host.console.as_ref().filter(|_| wanted);
    platform.open_console(console.map(|console| console.span))?;
    let (version, kind) = (env!("CARGO_PKG_VERSION"), platform.describe());
    platform.line(format_args!("refhv {version}, {kind}"));
    for warning in host.warnings.clone().into_lines() {
        platform.line(format_args!("{warning}"));
    }
    #[cfg(feature = "seeded-faults")]
    let Some(host) = faults::select(&mut platform, blob, host)? else {
        return Ok(None);
    };

    // Devices may be at work already: before memory is given to anybody, they are kept from it.
    platform.block_iommus(&host)?;
    let requests = domain_requests(&host);
    let plan = RamPlan::new(&host, &requests, platform.taken())?;
    let (mut machine, mut about) = platform.hand_over(&host, plan)?;
    // What is claimed later is judged by what the tree says, so that stays.
    let host = Box::leak(Box::new(host));
    let Host {
        machine: described,
        index,
    } = host;
    described.bridges.retain(|bridge| {
        let opened = P::open_config_space(&mut machine, bridge);
        if let Err(error) = &opened {
            let path = index.node(bridge.id).path();
            machine.line(format_args!(
                "{path}: `reg` cannot be mapped: {error}; nothing behind it is assignable"
            ));
        }
        opened.is_ok()
    });
    about.functions = functions::discover(&mut machine, host, &requests);
    Ok(Some(domains::populate(machine, host, &about)))
}

#[cfg(test)]
mod tests;
