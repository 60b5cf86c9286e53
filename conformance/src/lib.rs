//! Requirements, scenarios, oracle and verdicts of the device-passthrough conformance suite.
//!
//! The way of the data: requirement files ([`oft`]) and [`case`] files become [`scenario`]s; [`dtb`] makes trees of one, [`rig`] a
//! request, [`observe`] collects what was seen, [`verdict`] compares, [`ledger`] keeps. [`pipeline`] joins the stages.

pub mod adapted;
mod arch;
pub mod baseline;
pub mod benchmark;
pub mod case;
pub mod cli;
pub mod compare;
pub mod dtb;
pub mod evidence;
pub mod groups;
pub mod iommu;
pub mod judged;
pub mod kinds;
pub mod last_words;
pub mod observe;
pub mod pci;
pub mod pipeline;
mod probing;
pub mod rig;
#[cfg(test)]
mod sample;
pub mod scenario;
pub mod selfcheck;
pub mod verdict;
pub mod waiver;
