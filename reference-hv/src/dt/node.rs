//! Nodes and properties of a sound tree.

use core::fmt;

use super::blob::{BEGIN_NODE, Blob, PROP, length, text, until_nul};
use super::cells;
use super::error::{PropError, PropFlaw};
use super::walk::{Children, Path, Props, Walk};

/// A node of a sound tree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Node<'t> {
    blob: Blob<'t>,
    /// Where its token stands in the blob.
    at: usize,
}

/// A property of a sound tree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Prop<'t> {
    blob: Blob<'t>,
    /// Where its token stands in the blob.
    at: usize,
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.path())
    }
}

impl fmt::Debug for Prop<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prop({}, {} bytes)", self.name(), self.value().len())
    }
}

impl<'t> Node<'t> {
    pub(super) fn at(blob: Blob<'t>, at: usize) -> Self {
        Self { blob, at }
    }

    /// Returns the node whose token stands at `offset`, as [`Node::offset`] told it.
    pub fn from_offset(blob: Blob<'t>, offset: usize) -> Option<Self> {
        (blob.word(offset)? == BEGIN_NODE).then_some(Self { blob, at: offset })
    }

    /// Tells where in the blob the node begins; no two nodes of a tree begin at one place.
    pub fn offset(self) -> usize {
        self.at
    }

    /// Returns the tree.
    pub fn blob(self) -> Blob<'t> {
        self.blob
    }

    /// Returns the name, unit address included; the root's is usually empty.
    pub fn name(self) -> &'t str {
        until_nul(self.blob.rest(self.at + 4)).map_or("", text)
    }

    /// Tells whether it is called exactly `name`.
    pub fn is_called(self, name: &str) -> bool {
        let rest = self.blob.rest(self.at + 4);
        rest.starts_with(name.as_bytes()) && rest.get(name.len()) == Some(&0)
    }

    /// Returns the path for a message. Costs a walk over the tree.
    pub fn path(self) -> Path<'t> {
        Path::of(self)
    }

    /// Returns everything inside the node, from its first property to its end.
    pub fn walk(self) -> Walk<'t> {
        let mut walk = Walk::from(self.blob, self.at);
        walk.next();
        walk
    }

    /// Returns the properties in the order in which they stand.
    pub fn props(self) -> Props<'t> {
        Props::of(self.walk())
    }

    /// Returns the children in the order in which they stand.
    pub fn children(self) -> Children<'t> {
        Children::of(self.walk())
    }

    /// Returns the first child called exactly `name`.
    pub fn child(self, name: &str) -> Option<Self> {
        self.children().find(|child| child.is_called(name))
    }

    /// Returns the first property called `name`.
    pub fn prop(self, name: &str) -> Option<Prop<'t>> {
        self.props().find(|prop| prop.is(name))
    }

    /// Tells whether there is a property called `name`.
    pub fn has(self, name: &str) -> bool {
        self.prop(name).is_some()
    }

    /// Returns the property called `name` when there is one, and refuses to choose between two.
    ///
    /// # Errors
    /// Refuses a second property of that name.
    pub fn optional(self, name: &'static str) -> Result<Option<Prop<'t>>, PropError<'t>> {
        let mut named = self.props().filter(|prop| prop.is(name));
        let first = named.next();
        if named.next().is_some() {
            return Err(self.flaw(name, PropFlaw::Twice));
        }
        Ok(first)
    }

    /// Returns the property called `name`.
    ///
    /// # Errors
    /// Refuses its absence, and a second one of that name.
    pub fn required(self, name: &'static str) -> Result<Prop<'t>, PropError<'t>> {
        self.optional(name)?
            .ok_or(self.flaw(name, PropFlaw::Missing))
    }

    /// Reads the property called `name` with `read` when there is one.
    ///
    /// # Errors
    /// Whatever `read` refuses, with this node as the place.
    pub fn read<T>(
        self,
        name: &'static str,
        read: impl FnOnce(Prop<'t>) -> Result<T, PropFlaw>,
    ) -> Result<Option<T>, PropError<'t>> {
        match self.optional(name)? {
            Some(prop) => read(prop).map(Some).map_err(|flaw| self.flaw(name, flaw)),
            None => Ok(None),
        }
    }

    /// Makes the error about the property `property` of this node.
    pub fn flaw(self, property: &'static str, flaw: PropFlaw) -> PropError<'t> {
        PropError {
            node: self,
            property,
            flaw,
        }
    }

    /// Tells whether one of the strings of `compatible` satisfies `wanted`.
    pub fn compatible(self, wanted: impl Fn(&str) -> bool) -> bool {
        self.prop("compatible")
            .is_some_and(|prop| prop.strings().any(wanted))
    }
}

impl<'t> Prop<'t> {
    pub(super) fn at(blob: Blob<'t>, at: usize) -> Self {
        Self { blob, at }
    }

    /// Returns the property whose token stands at `offset`, as [`Prop::offset`] told it.
    pub fn from_offset(blob: Blob<'t>, offset: usize) -> Option<Self> {
        (blob.word(offset)? == PROP).then_some(Self { blob, at: offset })
    }

    /// Tells where in the blob the property begins; no two begin at one place.
    pub fn offset(self) -> usize {
        self.at
    }

    fn name_offset(self) -> u32 {
        self.blob.word(self.at + 8).unwrap_or(0)
    }

    /// Returns the name.
    pub fn name(self) -> &'t str {
        text(self.blob.property_name(self.name_offset()))
    }

    /// Returns the first byte of the name.
    pub fn initial(self) -> u8 {
        self.blob.property_initial(self.name_offset())
    }

    /// Tells whether it is called `name`.
    pub fn is(self, name: &str) -> bool {
        self.blob.is_property_name(self.name_offset(), name)
    }

    /// Returns the value.
    pub fn value(self) -> &'t [u8] {
        let len = length(self.blob.word(self.at + 4).unwrap_or(0));
        self.blob.rest(self.at + 12).get(..len).unwrap_or_default()
    }

    /// Returns the one number of 32 bits that it holds.
    ///
    /// # Errors
    /// Refuses another length.
    pub fn u32(self) -> Result<u32, PropFlaw> {
        cells::exact(self.value(), 4)?;
        Ok(cells::read_cells(self.value(), 1)
            .map_or(0, |(value, _)| u32::try_from(value).unwrap_or(0)))
    }

    /// Returns the one number of 64 bits that it holds.
    ///
    /// # Errors
    /// Refuses another length.
    pub fn u64(self) -> Result<u64, PropFlaw> {
        cells::exact(self.value(), 8)?;
        Ok(cells::read_cells(self.value(), 2).map_or(0, |(value, _)| value))
    }

    /// Returns that it is there and, as a flag should, has no value.
    ///
    /// # Errors
    /// Refuses a value: `= <0>` or `= "no"` may mean the opposite of what presence means.
    pub fn flag(self) -> Result<bool, PropFlaw> {
        cells::exact(self.value(), 0)?;
        Ok(true)
    }

    /// Returns the one string that it holds.
    ///
    /// # Errors
    /// Refuses no string, more than one, one without its NUL and unprintable bytes.
    pub fn text(self) -> Result<&'t str, PropFlaw> {
        let Some((last, body)) = self.value().split_last() else {
            return Err(PropFlaw::Empty);
        };
        if *last != 0 {
            return Err(PropFlaw::Unterminated);
        }
        let nuls = body.iter().filter(|byte| **byte == 0).count();
        if nuls != 0 {
            return Err(PropFlaw::Strings(nuls + 1));
        }
        if !body
            .iter()
            .all(|byte| byte.is_ascii_graphic() || *byte == b' ')
        {
            return Err(PropFlaw::NotText);
        }
        Ok(text(body))
    }

    /// Returns the strings it holds; what is not printable text or has no NUL is left out.
    pub fn strings(self) -> Strings<'t> {
        Strings(self.value())
    }

    /// Returns the words it holds; a remainder of fewer than four bytes is left out.
    pub fn words(self) -> impl Iterator<Item = u32> + use<'t> {
        let (words, _) = self.value().as_chunks::<4>();
        words.iter().map(|word| u32::from_be_bytes(*word))
    }
}

/// The strings of a list of strings.
#[derive(Clone, Debug)]
pub struct Strings<'t>(&'t [u8]);

impl<'t> Iterator for Strings<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let string = until_nul(self.0)?;
            self.0 = self.0.get(string.len() + 1..).unwrap_or_default();
            if string.is_ascii() && !string.is_empty() {
                return Some(text(string));
            }
        }
    }
}
