//! Protected devices that change hands while the machine runs: what stands between them and memory.

use alloc::format;

use super::device::judge_named;
use super::resource_table::{AssignError, ResourceTable};
use super::{streams, taken_by};
use crate::config::{Found, NodeId};
use crate::fault::{self, Fault};
use crate::ids::{DomainId, Stream};

impl<'h> ResourceTable<'h> {
    /// Tells whether there is an IOMMU that works.
    pub fn has_iommu(&self) -> bool {
        self.machine.streams.iter().any(Option::is_some)
    }

    /// Finds the protected device with this path, and by what its IOMMU knows it.
    fn protected(&self, path: &str) -> Result<(NodeId, &'h [Stream]), AssignError> {
        let host = self.host;
        let Found::One(id) = host.index.by_path(path) else {
            return Err(AssignError::Absent("names no one host node".into()));
        };
        let streams = host.streams(id);
        let streams = streams.map_err(|flaw| AssignError::Unprotected(format!("{flaw}")))?;
        if streams.is_empty() {
            let what = format!(
                "names {}, before which no IOMMU stands",
                host.node(id).path()
            );
            return Err(AssignError::Unprotected(what));
        }
        for stream in streams {
            let judged = streams::covered(host, &self.machine, host.node(id).into(), *stream);
            judged.map_err(|flaw| match self.machine.streams.get(stream.iommu) {
                Some(Some(_)) => AssignError::Range(format!("{flaw}")),
                Some(None) | None => AssignError::Unprotected(format!("{flaw}")),
            })?;
        }
        Ok((id, streams))
    }

    /// Tells whether the protected device with this path is free to be given to a domain.
    ///
    /// # Errors
    /// Says why not.
    pub fn is_free(&self, path: &str) -> Result<(), AssignError> {
        let (id, streams) = self.protected(path)?;
        self.judge_free(None, id, streams)
    }

    /// Judges whether a device may be given to a domain, or to anybody at all.
    fn judge_free(
        &self,
        who: Option<DomainId>,
        id: NodeId,
        streams: &[Stream],
    ) -> Result<(), AssignError> {
        let host = self.host;
        let path = host.node(id).path();
        // Its domain may have its registers without what it does by itself, but nobody else may.
        let owner = self
            .owners
            .of_device(id)
            .filter(|owner| Some(*owner) != who);
        let owner = streams
            .iter()
            .find_map(|stream| self.owners.of_stream(*stream))
            .or(owner.filter(|_| who.is_some()));
        if let Some(owner) = owner
            && !fault::on(Fault::SecondStreamOwner)
        {
            return Err(AssignError::Owned(taken_by(
                format_args!("names {path}"),
                owner,
            )));
        }
        let root = host.node(NodeId::ROOT);
        let judged = judge_named(host, &self.machine, root.into(), id, false);
        judged.map_err(|flaw| AssignError::Forbidden(format!("{}", flaw.flaw)))?;
        let mut own = alloc::vec![id];
        own.extend(who.into_iter().flat_map(|who| self.owners.devices_of(who)));
        let shared = streams
            .iter()
            .find_map(|stream| streams::sharers(host, *stream, &own).next());
        if let Some(other) = shared.filter(|_| !fault::on(Fault::StreamSharerForgotten)) {
            let other = host.node(other).path();
            let what = format!("names {path}, which its IOMMU cannot tell from {other}");
            return Err(AssignError::Forbidden(what));
        }
        Ok(())
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
    ) -> Result<&'h [Stream], AssignError> {
        let (id, streams) = self.protected(path)?;
        self.judge_free(Some(who), id, streams)?;
        self.owners.add_device(who, id);
        for stream in streams {
            self.owners.add_stream(who, *stream);
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
    ) -> Result<&'h [Stream], AssignError> {
        let (id, streams) = self.protected(path)?;
        let is_own = |stream: &Stream| self.owners.of_stream(*stream) == Some(who);
        if !streams.iter().all(is_own) && !fault::on(Fault::DeassignedFromAnyone) {
            let path = self.host.node(id).path();
            return Err(AssignError::Absent(format!(
                "names {path}, which {who} does not have"
            )));
        }
        for stream in streams {
            self.owners.drop_stream(who, *stream);
        }
        self.drop_devices(who);
        Ok(streams)
    }
}
