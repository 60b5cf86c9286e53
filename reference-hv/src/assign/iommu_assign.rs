//! Protected devices that change hands while the machine runs: what stands between them and memory.

use super::device::judge_named;
use super::owner_table::Claimant;
use super::{AssignError, ResourceTable, streams};
use crate::config::{Found, NodeId};
use crate::fault::{self, Fault};
use crate::ids::{DomainId, Stream};

impl<'h> ResourceTable<'h> {
    /// Tells whether there is an IOMMU that works.
    pub fn has_iommu(&self) -> bool {
        self.machine.streams.iter().any(Option::is_some)
    }

    /// Finds the protected device with this path, and by what its IOMMU knows it.
    fn protected(&self, path: &str) -> Result<(NodeId, &'h [Stream]), AssignError<'h>> {
        let Found::One(id) = self.host.index.by_path(path) else {
            return Err(AssignError::NoSuchNode {});
        };
        let ground = self.ground(Claimant::default());
        let streams = self.host.streams(id);
        let streams = streams.map_err(|flaw| AssignError::IommuUnusable { flaw: flaw.into() })?;
        if streams.is_empty() {
            let node = ground.path(id);
            return Err(AssignError::NoIommu { node });
        }
        for stream in streams {
            streams::covered(ground, id, *stream)?;
        }
        Ok((id, streams))
    }

    /// Tells whether the protected device with this path is free to be given to a domain.
    ///
    /// # Errors
    /// Says why not.
    pub fn is_free(&self, path: &str) -> Result<(), AssignError<'h>> {
        let (id, streams) = self.protected(path)?;
        self.judge_free(None, id, streams)
    }

    /// Judges whether a device may be given to a domain, or to anybody at all.
    fn judge_free(
        &self,
        who: Option<DomainId>,
        id: NodeId,
        streams: &[Stream],
    ) -> Result<(), AssignError<'h>> {
        let ground = self.ground(Claimant { who, yields: None });
        let (owners, node) = (&self.owners, ground.path(id));
        // What it does by itself is given once, also to the domain that has its registers; those are nobody else's.
        let anybody = Claimant::default();
        let mut owned = streams.iter();
        let owned = owned.find_map(|stream| Some(owners.streams.rival(anybody, *stream)?.1));
        let registers = who.and_then(|_| owners.devices.rival(ground.by, id));
        if let Some(owner) = owned.or(registers.map(|(_, owner)| owner)) {
            return Err(AssignError::NodeOwned { node, owner });
        }
        judge_named(ground, id, false)?;
        let mut own = alloc::vec![id];
        own.extend(who.into_iter().flat_map(|who| owners.devices.of(who)));
        let mut shared = streams.iter();
        let shared = shared.find_map(|stream| streams::sharers(self.host, *stream, &own).next());
        match shared.filter(|_| !fault::on(Fault::StreamSharerForgotten)) {
            Some(other) => {
                let other = ground.path(other);
                Err(AssignError::StreamShared { node, other })
            }
            None => Ok(()),
        }
    }

    /// Gives a domain what the protected device with this path does by itself, and returns by what its IOMMU
    /// knows it.
    ///
    /// # Errors
    /// Says why not; then nothing has changed.
    pub fn claim_streams(
        &mut self,
        who: DomainId,
        path: &str,
    ) -> Result<&'h [Stream], AssignError<'h>> {
        let (id, streams) = self.protected(path)?;
        self.judge_free(Some(who), id, streams)?;
        self.owners.devices.add(who, id);
        for stream in streams {
            self.owners.streams.add(who, *stream);
        }
        Ok(streams)
    }

    /// Takes what a device does by itself from the domain that has it, and returns by what its IOMMU knows it.
    ///
    /// # Errors
    /// Says why not: it is not the domain's. Then nothing has changed.
    pub fn release_streams(
        &mut self,
        who: DomainId,
        path: &str,
    ) -> Result<&'h [Stream], AssignError<'h>> {
        let (id, streams) = self.protected(path)?;
        let is_own = |stream: &Stream| self.owners.streams.has(who, *stream);
        if !streams.iter().all(is_own) && !fault::on(Fault::DeassignedFromAnyone) {
            let node = self.host.node(id).path();
            return Err(AssignError::NodeNotHad { node, who });
        }
        for stream in streams {
            self.owners.streams.remove(who, *stream);
        }
        self.drop_devices(who);
        Ok(streams)
    }
}
