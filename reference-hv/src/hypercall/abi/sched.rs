//! Turns and ends (public/sched.h).

use super::layout;

/// Gives way (SCHEDOP_yield).
pub const YIELD: u64 = 0;
/// Waits for an interrupt (SCHEDOP_block).
pub const BLOCK: u64 = 1;
/// Ends the caller's domain (SCHEDOP_shutdown).
pub const SHUTDOWN: u64 = 2;
/// Ends another domain (SCHEDOP_remote_shutdown).
pub const REMOTE_SHUTDOWN: u64 = 4;

layout! {
    /// Why a domain ends (`struct sched_shutdown`).
    Shutdown: 4 {
        /// Zero for power off, 1 for a restart, 3 for a crash.
        reason: u32 = 0,
    }

    /// Which domain ends, and why (`struct sched_remote_shutdown`).
    RemoteShutdown: 8 {
        /// Which one.
        domain: u16 = 0,
        /// As in [`Shutdown`].
        reason: u32 = 4,
    }
}
