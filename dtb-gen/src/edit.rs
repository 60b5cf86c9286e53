//! Changes to a tree, as data. A missing path or property is an error that names it.

use crate::tree::split;
use crate::{Node, PlanError, Tree, Value};

/// One change to a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Sets a property of an existing node.
    Set {
        /// The node.
        path: String,
        /// The property.
        prop: String,
        /// Its new value.
        value: Value,
    },
    /// Deletes an existing property.
    Delete {
        /// The node.
        path: String,
        /// The property.
        prop: String,
    },
    /// Cuts bytes off a property's end, or appends zeros: half tuples, a string without its NUL.
    Resize {
        /// The node.
        path: String,
        /// The property.
        prop: String,
        /// Number of bytes to add or, if negative, to remove.
        by: i64,
    },
    /// Appends a child. Equal names are allowed, because tests need them.
    AddNode {
        /// The node that gets the child.
        parent: String,
        /// The child.
        node: Node,
    },
    /// Removes a node with its children.
    RemoveNode {
        /// The node.
        path: String,
    },
    /// Inserts a copy after a node, with another name and without phandles: a second description of the same device.
    CopyNode {
        /// The node.
        path: String,
        /// The copy's name.
        name: String,
    },
    /// Renames a node.
    RenameNode {
        /// The node.
        path: String,
        /// Its new name.
        name: String,
    },
    /// Makes a property refer to a node, `<before.. phandle after..>`, and gives that node a phandle if it has none.
    /// For loops of interrupt parents and interrupts of a second controller.
    Point {
        /// The node that refers.
        path: String,
        /// The property.
        prop: String,
        /// The node referred to.
        target: String,
        /// Cells before the phandle.
        before: Vec<u32>,
        /// Cells after the phandle.
        after: Vec<u32>,
    },
}

/// Applies edits in order, and stops at the first error.
pub fn apply_all(edits: &[Edit], tree: &mut Tree) -> Result<(), PlanError> {
    edits.iter().try_for_each(|edit| edit.apply(tree))
}

impl Edit {
    /// Returns the paths that it names.
    pub fn paths(&self) -> Vec<&str> {
        match self {
            Self::Set { path, .. }
            | Self::Delete { path, .. }
            | Self::Resize { path, .. }
            | Self::AddNode { parent: path, .. }
            | Self::RemoveNode { path }
            | Self::CopyNode { path, .. }
            | Self::RenameNode { path, .. } => vec![path],
            Self::Point { path, target, .. } => vec![path, target],
        }
    }

    /// Returns the edit with other paths in the place of its own.
    #[must_use]
    pub fn with_paths(mut self, other: impl Fn(&str) -> String) -> Self {
        match &mut self {
            Self::Set { path, .. }
            | Self::Delete { path, .. }
            | Self::Resize { path, .. }
            | Self::AddNode { parent: path, .. }
            | Self::RemoveNode { path }
            | Self::CopyNode { path, .. }
            | Self::RenameNode { path, .. } => *path = other(path),
            Self::Point { path, target, .. } => {
                *path = other(path);
                *target = other(target);
            }
        }
        self
    }

    /// Applies the edit. An error leaves the tree unchanged.
    pub fn apply(&self, tree: &mut Tree) -> Result<(), PlanError> {
        match self {
            Self::Set { path, prop, value } => at(tree, path)?.set(prop, value.clone()),
            Self::Delete { path, prop } => {
                let node = at(tree, path)?;
                node.remove(prop)
                    .ok_or_else(|| no_property(node, path, prop))?;
            }
            Self::Resize { path, prop, by } => resize(at(tree, path)?, path, prop, *by)?,
            Self::AddNode { parent, node } => at(tree, parent)?.children.push(node.clone()),
            Self::RemoveNode { path } => {
                own(tree, path, "removed")?;
                tree.remove(path).ok_or_else(|| tree.no_node(path))?;
            }
            Self::CopyNode { path, name } => copy(tree, path, name)?,
            Self::RenameNode { path, name } => {
                own(tree, path, "renamed")?;
                at(tree, path)?.name.clone_from(name);
            }
            Self::Point {
                path,
                prop,
                target,
                before,
                after,
            } => {
                at(tree, path)?;
                let phandle = [phandle(tree, target)?];
                let cells = [before.as_slice(), &phandle, after].concat();
                at(tree, path)?.set(prop, cells);
            }
        }
        Ok(())
    }
}

fn at<'a>(tree: &'a mut Tree, path: &str) -> Result<&'a mut Node, PlanError> {
    // Looked up twice, because a borrow that is returned on one path is held on all paths.
    if tree.find(path).is_none() {
        return Err(tree.no_node(path));
    }
    Ok(tree.ensure(path))
}

/// Splits the path of a node that has a parent.
fn own<'a>(
    tree: &Tree,
    path: &'a str,
    what: &'static str,
) -> Result<(&'a str, &'a str), PlanError> {
    match split(path) {
        Some(parts) if tree.find(path).is_some() => Ok(parts),
        _ if path == "/" => Err(PlanError::Root { what }),
        _ => Err(tree.no_node(path)),
    }
}

fn no_property(node: &Node, path: &str, prop: &str) -> PlanError {
    let known = node.props.iter().map(|other| other.name.as_str());
    let nearest = text::nearest(prop, known).map(str::to_owned);
    PlanError::NoProperty {
        path: path.to_owned(),
        prop: prop.to_owned(),
        nearest,
    }
}

fn resize(node: &mut Node, path: &str, prop: &str, by: i64) -> Result<(), PlanError> {
    let missing = no_property(node, path, prop);
    let value = &mut node.prop_mut(prop).ok_or(missing)?.value;
    let len = value.len();
    let wanted = i64::try_from(len).ok().and_then(|len| len.checked_add(by));
    // The length of a property is a 32-bit number in the blob.
    let wanted = wanted
        .and_then(|wanted| u32::try_from(wanted).ok())
        .and_then(|wanted| usize::try_from(wanted).ok());
    let wanted = wanted.ok_or_else(|| PlanError::Resize {
        path: path.to_owned(),
        prop: prop.to_owned(),
        len,
        by,
    })?;
    value.resize(wanted, 0);
    Ok(())
}

fn copy(tree: &mut Tree, path: &str, name: &str) -> Result<(), PlanError> {
    let (parent, own_name) = own(tree, path, "copied")?;
    let missing = tree.no_node(path);
    let siblings = &mut at(tree, parent)?.children;
    let at = siblings
        .iter()
        .position(|child| child.name == own_name)
        .ok_or(missing)?;
    if siblings.iter().any(|child| child.name == name) {
        return Err(PlanError::Taken {
            parent: parent.to_owned(),
            name: name.to_owned(),
        });
    }
    let mut copy = siblings[at].clone();
    copy.name = name.to_owned();
    without_phandles(&mut copy);
    siblings.insert(at + 1, copy);
    Ok(())
}

fn without_phandles(node: &mut Node) {
    node.props
        .retain(|prop| prop.name != "phandle" && prop.name != "linux,phandle");
    node.children.iter_mut().for_each(without_phandles);
}

/// Returns the phandle of a node, giving it the next free one if it has none.
fn phandle(tree: &mut Tree, path: &str) -> Result<u32, PlanError> {
    let next = tree.next_free_phandle();
    let node = at(tree, path)?;
    if let Some(phandle) = node.phandle() {
        return Ok(phandle);
    }
    if next >= crate::tree::PHANDLE_LIMIT {
        return Err(PlanError::NoPhandle {
            path: path.to_owned(),
        });
    }
    node.set("phandle", next);
    Ok(next)
}
