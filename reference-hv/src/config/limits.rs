//! How much of what trees say is read.

/// Most nodes of a host tree; large boards have some thousand.
pub const MAX_NODES: usize = 16384;

/// Most ranges that the host's description may name; large boards name some thousand.
pub const MAX_REGIONS: usize = 16384;

/// Most host bridges that are used.
pub const MAX_BRIDGES: usize = 8;

/// Most ranges of static memory.
pub const MAX_BANKS: usize = 64;

/// Most nodes of one partial tree that may ask for something of the host.
pub const MAX_DEVICES: usize = 1024;

/// Most ranges that one partial tree may ask for.
pub const MAX_TUPLES: usize = 4096;

/// Most functions of one domain: a bus has room for as many devices.
pub const MAX_FUNCTIONS: usize = 32;
