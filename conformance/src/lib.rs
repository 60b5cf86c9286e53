//! Requirements, scenarios, oracle and verdicts of the device-passthrough conformance suite.
//!
//! The data flow: requirement files ([`oft`]) and [`case`] files become [`scenario`]s; [`dtb`] builds a scenario's
//! device trees, and [`run_request`] the request for its run; [`observe`] records the run, [`verdict`] judges it, and
//! [`ledger_builder`] keeps the result. [`pipeline`] joins the stages.

pub mod adapter_run;
mod arch;
pub mod baseline;
pub mod benchmark;
mod capability_detection;
pub mod case;
pub mod cli;
pub mod compare;
pub mod dtb;
pub mod evidence;
pub mod groups;
pub mod iommu;
pub mod kinds;
pub mod language;
pub mod ledger_builder;
pub mod library;
pub mod observe;
pub mod pages;
pub mod panic_log;
pub mod pci;
pub mod pipeline;
pub mod run_request;
#[cfg(test)]
mod sample;
pub mod scenario;
pub mod selfcheck;
pub mod verdict;
pub mod waiver;
