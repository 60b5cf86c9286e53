//! Who asks to be a domain.

use alloc::vec::Vec;

use super::chosen;
use super::domain::{DomainClaim, STATIC_MEMORY};
use super::error::ConfigError;
use super::flaw::Flaw;
use super::limits::MAX_BANKS;
use super::tree::{Host, one};
use crate::addr::{Pa, Span};
use crate::dt::{Cells, Node};
use crate::ids::DomainId;

/// Somebody who asks to be a domain.
#[derive(Clone, Debug)]
pub struct DomainRequest<'t> {
    /// The number it has if it becomes one.
    pub number: usize,
    /// What it is called.
    pub name: &'t str,
    /// The host memory that its node names, read or not read whole: nobody else gets it.
    pub reserved: Vec<Span<Pa>>,
    /// What it asks for.
    pub claim: Result<DomainClaim<'t>, ConfigError>,
}

/// Returns who asks to be a domain: the one that modules under /chosen make, then the domain nodes in
/// the order in which they stand.
pub fn domain_requests<'t>(host: &Host<'t>) -> Vec<DomainRequest<'t>> {
    let Some(chosen) = one(host.index.by_path("/chosen")) else {
        return Vec::new();
    };
    let children: Vec<Node<'t>> = host
        .index
        .children(chosen)
        .map(|id| host.node(id))
        .collect();
    let is_domain =
        |node: &Node<'t>| node.compatible(|name| name.eq_ignore_ascii_case("xen,domain"));
    let (nodes, others): (Vec<_>, Vec<_>) = children.into_iter().partition(is_domain);
    let chosen = host.node(chosen);
    let first = chosen::claim(host, chosen, &others).map(|claim| DomainRequest {
        number: 0,
        name: chosen::NAME,
        reserved: Vec::new(),
        claim,
    });
    let rest = nodes.into_iter().zip(1..).map(|(node, number)| {
        let banks = static_memory(node, chosen);
        let reserved = banks.clone().ok().flatten().unwrap_or_default();
        let id = u16::try_from(number)
            .ok()
            .and_then(DomainId::new)
            .ok_or_else(|| ConfigError::new(node, "compatible", Flaw::Domains));
        DomainRequest {
            number,
            name: node.name(),
            reserved,
            claim: id.and_then(|id| DomainClaim::read(id, node, banks?)),
        }
    });
    first.into_iter().chain(rest).collect()
}

/// Reads the memory that a domain's node names, in the cells of the node around it.
fn static_memory(node: Node<'_>, chosen: Node<'_>) -> Result<Option<Vec<Span<Pa>>>, ConfigError> {
    let Some(prop) = node.optional(STATIC_MEMORY)? else {
        return Ok(None);
    };
    let cells = Cells::of(chosen, Cells::DEFAULT)?;
    let pairs = cells
        .pairs(prop.value())
        .map_err(|flaw| node.flaw(STATIC_MEMORY, flaw))?;
    let mut banks = Vec::new();
    for [base, size] in pairs {
        let bank = Span::new(Pa::new(base), size);
        banks.push(bank.map_err(|error| ConfigError::new(node, STATIC_MEMORY, error))?);
    }
    if banks.len() > MAX_BANKS {
        let flaw = Flaw::Banks(banks.len());
        return Err(ConfigError::new(node, STATIC_MEMORY, flaw));
    }
    Ok(Some(banks))
}
