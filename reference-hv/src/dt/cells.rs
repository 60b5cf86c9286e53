//! Numbers of one or two cells, and lists of them.

use super::blob::{be32, be64};
use super::error::{PropError, PropFlaw};
use super::node::Node;

/// How many cells a number takes: one or two. More exists (PCI has three), but not in the places
/// where this type is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CellCount {
    /// 32 bits.
    One,
    /// 64 bits.
    Two,
}

impl CellCount {
    /// Takes the count that a tree states.
    ///
    /// # Errors
    /// Refuses anything but 1 and 2.
    pub fn new(stated: u32) -> Result<Self, PropFlaw> {
        match stated {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            is => Err(PropFlaw::CellCount(is)),
        }
    }

    /// Returns the count.
    pub const fn cells(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// Returns the number of bytes.
    pub const fn bytes(self) -> usize {
        self.cells() * 4
    }
}

/// How wide addresses and sizes are in the children of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cells {
    /// Of an address.
    pub address: CellCount,
    /// Of a size.
    pub size: CellCount,
}

impl Cells {
    /// What holds for the children of a node that does not say (Devicetree Specification 2.3.5).
    pub const DEFAULT: Self = Self {
        address: CellCount::Two,
        size: CellCount::One,
    };

    /// Reads what `node` says about its children; `default` stands in for what it does not say.
    ///
    /// # Errors
    /// Refuses counts other than 1 and 2, naming the property.
    pub fn of<'t>(node: Node<'t>, default: Self) -> Result<Self, PropError<'t>> {
        let count = |name, default| {
            node.read(name, |prop| prop.u32().and_then(CellCount::new))
                .map(|stated| stated.unwrap_or(default))
        };
        Ok(Self {
            address: count("#address-cells", default.address)?,
            size: count("#size-cells", default.size)?,
        })
    }

    /// Splits a list of pairs of address and size.
    ///
    /// # Errors
    /// Refuses a list that is empty or does not end with a whole pair.
    pub fn pairs(self, value: &[u8]) -> Result<Tuples<'_, 2>, PropFlaw> {
        Tuples::new(value, [self.address, self.size])
    }
}

/// Tells whether a value is exactly `wanted` bytes long.
pub(super) fn exact(value: &[u8], wanted: usize) -> Result<(), PropFlaw> {
    let is = value.len();
    if is == wanted {
        Ok(())
    } else {
        Err(PropFlaw::Length(is, wanted))
    }
}

/// Reads a number of `cells` cells from the front and returns it with the rest; `None` where there
/// are too few bytes or the count is neither 1 nor 2.
pub fn read_cells(value: &[u8], cells: usize) -> Option<(u64, &[u8])> {
    match cells {
        1 => Some((u64::from(be32(value, 0)?), value.get(4..)?)),
        2 => Some((be64(value, 0)?, value.get(8..)?)),
        _ => None,
    }
}

/// A list of tuples of `N` numbers, known to end with a whole one.
#[derive(Clone, Debug)]
pub struct Tuples<'t, const N: usize> {
    rest: &'t [u8],
    widths: [CellCount; N],
}

impl<'t, const N: usize> Tuples<'t, N> {
    /// Splits `value` into tuples of numbers of these widths.
    ///
    /// # Errors
    /// Refuses a list that is empty or does not end with a whole tuple.
    pub fn new(value: &'t [u8], widths: [CellCount; N]) -> Result<Self, PropFlaw> {
        let unit: usize = widths.iter().map(|width| width.bytes()).sum();
        let is = value.len();
        if is == 0 {
            return Err(PropFlaw::Empty);
        }
        if !is.is_multiple_of(unit) {
            return Err(PropFlaw::Remainder(is, unit));
        }
        Ok(Self {
            rest: value,
            widths,
        })
    }

    /// Splits `value` likewise and drops what is left over behind the last whole tuple.
    pub fn truncated(value: &'t [u8], widths: [CellCount; N]) -> Self {
        let unit: usize = widths.iter().map(|width| width.bytes()).sum();
        let whole = value.len().checked_div(unit).unwrap_or(0) * unit;
        Self {
            rest: value.get(..whole).unwrap_or_default(),
            widths,
        }
    }
}

impl<const N: usize> Iterator for Tuples<'_, N> {
    type Item = [u64; N];

    fn next(&mut self) -> Option<[u64; N]> {
        let mut rest = self.rest;
        let mut numbers = [0; N];
        for (number, width) in numbers.iter_mut().zip(self.widths) {
            (*number, rest) = read_cells(rest, width.cells())?;
        }
        self.rest = rest;
        // An empty tuple would never use the list up.
        (N != 0).then_some(numbers)
    }
}
