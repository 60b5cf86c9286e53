//! What the hypervisor says of itself (public/version.h, public/features.h).

use super::layout;

/// Asks for the release, answered in the result (XENVER_version).
pub const VERSION: u64 = 0;
/// Asks for what follows the release (XENVER_extraversion).
pub const EXTRA: u64 = 1;
/// Asks for 32 features (XENVER_get_features).
pub const FEATURES: u64 = 6;

/// Release 4.20, whose layouts these are.
pub const RELEASE: u64 = 4 << 16 | 20;
/// What follows the release, in a buffer of 16 bytes.
pub const EXTRA_VERSION: &[u8; 16] = b"-refhv\0\0\0\0\0\0\0\0\0\0";

/// Guest-physical addresses are the domain's own (XENFEAT_auto_translated_physmap).
pub const AUTO_TRANSLATED: u32 = 1 << 2;
/// The domain has the hardware (XENFEAT_dom0).
pub const DOM0: u32 = 1 << 11;

layout! {
    /// Thirty-two features (`struct xen_feature_info`).
    FeatureInfo: 8 {
        /// Which thirty-two.
        index: u32 = 0,
        /// Answered with one bit a feature.
        map: u32 = 4,
    }
}
