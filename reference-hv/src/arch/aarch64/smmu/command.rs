//! Commands (4.1 to 4.7).

use crate::addr::{Address, Ipa};
use crate::ids::{IommuDomainId, SourceId};

/// Double words of a command.
pub const WORDS: usize = 2;
/// Bytes of a command.
pub const SIZE: u64 = 16;

/// What the SMMU is told to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Forget what it knows of the configuration of one stream (4.3.1 CMD_CFGI_STE).
    ForgetStream(SourceId),
    /// Forget what it knows of any configuration (4.3.2 CMD_CFGI_ALL).
    ForgetAllStreams,
    /// Forget every translation of the non-secure EL1 regime, both stages (4.4.4 CMD_TLBI_NSNH_ALL).
    ForgetAllTranslations,
    /// Forget every translation of the EL2 regime (4.4.2 CMD_TLBI_EL2_ALL).
    ForgetHypervisorTranslations,
    /// Forget every translation with this tag, both stages (4.4.3 CMD_TLBI_S12_VMALL).
    ForgetTag(IommuDomainId),
    /// Forget the second-stage translation of one page with this tag (4.4.3 CMD_TLBI_S2_IPA). What was cached
    /// of both stages at once stays (4.4.1): it is for streams with the second stage alone.
    ForgetPage(IommuDomainId, Ipa),
    /// Be done with every command before this one, and with every access that was translated by what these
    /// have made it forget (4.6.3 CMD_SYNC).
    Sync,
}

impl Command {
    /// Returns what goes into the queue.
    pub fn encode(self) -> [u64; WORDS] {
        let stream = |id: SourceId| u64::from(id.0) << 32;
        let tagged = |tag: IommuDomainId| u64::from(tag.number()) << 32;
        match self {
            // Leaf = 0: the descriptor of its table may have changed as well.
            Self::ForgetStream(id) => [0x03 | stream(id), 0],
            // CMD_CFGI_STE_RANGE with the range that means all (4.3.2).
            Self::ForgetAllStreams => [0x04, 31],
            Self::ForgetHypervisorTranslations => [0x20, 0],
            Self::ForgetTag(tag) => [0x28 | tagged(tag), 0],
            Self::ForgetPage(tag, at) => [0x2a | tagged(tag), at.page_start().raw()],
            Self::ForgetAllTranslations => [0x30, 0],
            // Completion is seen by SMMU_CMDQ_CONS alone: CS = SIG_NONE.
            Self::Sync => [0x46, 0],
        }
    }
}
