//! The walk over a tree, and what is made of it: a node's properties, its children, its path. All
//! of it rests on the check in [`Blob::new`]: where that check would have failed, these end early.

use core::fmt;

use super::MAX_DEPTH;
use super::blob::{BEGIN_NODE, Blob, END, END_NODE, NOP, PROP, aligned, length, until_nul};
use super::node::{Node, Prop};

/// One thing met on a walk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event<'t> {
    /// A node begins.
    Begin(Node<'t>),
    /// A property of the node that is open.
    Prop(Prop<'t>),
    /// The node that is open ends.
    End,
}

/// A walk over a tree or a part of it, in the order in which things stand. It ends behind the
/// end of the node it began in.
#[derive(Clone, Copy, Debug)]
pub struct Walk<'t> {
    blob: Blob<'t>,
    at: usize,
    open: usize,
    done: bool,
}

impl<'t> Walk<'t> {
    /// Begins at the token of a node.
    pub(super) fn from(blob: Blob<'t>, at: usize) -> Self {
        Self {
            blob,
            at,
            open: 0,
            done: false,
        }
    }

    /// Tells how many nodes are open.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Goes to the end of the node that is open, without telling what is in between.
    pub fn leave(&mut self) {
        let outside = self.open.saturating_sub(1);
        while self.open > outside && self.next().is_some() {}
    }
}

impl<'t> Iterator for Walk<'t> {
    type Item = Event<'t>;

    fn next(&mut self) -> Option<Event<'t>> {
        while !self.done {
            let at = self.at;
            match self.blob.word(at) {
                Some(NOP) => self.at = at + 4,
                Some(BEGIN_NODE) => {
                    let name = until_nul(self.blob.rest(at + 4)).unwrap_or_default();
                    self.at = aligned(at + 4 + name.len() + 1);
                    self.open += 1;
                    return Some(Event::Begin(Node::at(self.blob, at)));
                }
                Some(END_NODE) => {
                    self.at = at + 4;
                    self.open = self.open.saturating_sub(1);
                    self.done = self.open == 0;
                    return Some(Event::End);
                }
                Some(PROP) => {
                    let len = length(self.blob.word(at + 4).unwrap_or(0));
                    self.at = aligned(at.saturating_add(12).saturating_add(len));
                    return Some(Event::Prop(Prop::at(self.blob, at)));
                }
                Some(END | _) | None => self.done = true,
            }
        }
        None
    }
}

/// The properties of a node.
#[derive(Clone, Debug)]
pub struct Props<'t>(Walk<'t>);

impl<'t> Props<'t> {
    /// Takes the properties that a walk inside a node meets first.
    pub(super) fn of(walk: Walk<'t>) -> Self {
        Self(walk)
    }
}

impl<'t> Iterator for Props<'t> {
    type Item = Prop<'t>;

    fn next(&mut self) -> Option<Prop<'t>> {
        // Properties come before children, so the first thing that is none ends them.
        match self.0.next() {
            Some(Event::Prop(prop)) => Some(prop),
            Some(Event::Begin(_) | Event::End) | None => {
                self.0.done = true;
                None
            }
        }
    }
}

/// The children of a node.
#[derive(Clone, Debug)]
pub struct Children<'t>(Walk<'t>);

impl<'t> Children<'t> {
    /// Takes the children that a walk inside a node meets.
    pub(super) fn of(walk: Walk<'t>) -> Self {
        Self(walk)
    }
}

impl<'t> Iterator for Children<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        loop {
            match self.0.next()? {
                Event::Begin(node) => {
                    self.0.leave();
                    return Some(node);
                }
                Event::Prop(_) | Event::End => {}
            }
        }
    }
}

/// The path of a node, found by a walk when it is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path<'t>(Node<'t>);

impl<'t> Path<'t> {
    pub(super) fn of(node: Node<'t>) -> Self {
        Self(node)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (blob, at) = (self.0.blob(), self.0.offset());
        if self.0 == blob.root() {
            return f.write_str("/");
        }
        let mut names = [""; MAX_DEPTH];
        let mut walk = blob.walk();
        while let Some(event) = walk.next() {
            let Event::Begin(node) = event else { continue };
            let depth = walk.open();
            if let Some(slot) = depth.checked_sub(1).and_then(|place| names.get_mut(place)) {
                *slot = node.name();
            }
            if node.offset() == at {
                // The root itself is the slash in front of the first name.
                for name in names.get(1..depth).unwrap_or_default() {
                    write!(f, "/{name}")?;
                }
                return Ok(());
            }
        }
        Ok(())
    }
}
