//! What is worth a line when functions are looked through: everything that is not believed.

use core::fmt;

use super::{FunctionDefect, MAX_FUNCTIONS};
use crate::ids::Sbdf;

/// Something about a function that is not believed, and what comes of that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Warning {
    /// A bridge says that there are buses behind it that cannot be there.
    Numbers {
        /// The bridge.
        bridge: Sbdf,
        /// The first bus that it names.
        secondary: u8,
        /// The last one.
        subordinate: u8,
        /// The last bus that can be behind it.
        last: u8,
    },
    /// Two bridges of one bus name the same buses.
    Overlap {
        /// One of them.
        bridge: Sbdf,
        /// The first bus that it names.
        secondary: u8,
        /// The last one.
        subordinate: u8,
    },
    /// A header of a kind that is not looked into.
    Header {
        /// The function.
        at: Sbdf,
        /// The kind.
        kind: u8,
    },
    /// A list of capabilities that leaves its place or comes back to itself.
    List {
        /// The function.
        at: Sbdf,
        /// Where the list goes on.
        next: u8,
    },
    /// A function that is given to nobody.
    FunctionDefect {
        /// The function.
        at: Sbdf,
        /// What is wrong with it.
        flaw: FunctionDefect,
    },
    /// A function that does not keep accesses from its neighbours although it says that it can.
    Leaky(Sbdf),
    /// There is no room for this function; nothing else is looked for.
    Full(Sbdf),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numbers {
                bridge,
                secondary,
                subordinate,
                last,
            } => write!(
                f,
                "{bridge}: buses {secondary:#04x} to {subordinate:#04x} cannot be behind it, only ones up to {last:#04x}; \
                 what is there is not looked at"
            ),
            Self::Overlap {
                bridge,
                secondary,
                subordinate,
            } => write!(
                f,
                "{bridge}: another bridge names some of its buses {secondary:#04x} to {subordinate:#04x} as well; \
                 what is there is not looked at"
            ),
            Self::Header { at, kind } => {
                write!(f, "{at}: header type {kind:#04x} is not looked into")
            }
            Self::List { at, next } => write!(
                f,
                "{at}: its list of capabilities cannot go on at {next:#04x}, and is cut"
            ),
            Self::FunctionDefect { at, flaw } => write!(f, "{at}: {flaw}; nobody gets it"),
            Self::Leaky(at) => write!(
                f,
                "{at}: access control cannot be switched on, so it keeps nothing apart"
            ),
            Self::Full(at) => write!(
                f,
                "{at}: no room for more functions, of which {MAX_FUNCTIONS} can be known; the others are left out"
            ),
        }
    }
}

impl fmt::Display for FunctionDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Virtual(physical) => write!(f, "is a virtual function of {physical}"),
            Self::Size(index) => {
                write!(f, "base address register {index} decodes no power of two")
            }
            Self::Kind(index) => write!(
                f,
                "base address register {index} decodes something that there is not"
            ),
            Self::Address(index) => write!(
                f,
                "base address register {index} is not aligned to what it decodes"
            ),
            Self::Bridge(bridge) => write!(
                f,
                "has base address registers in a page with those of the bridge {bridge}"
            ),
        }
    }
}
