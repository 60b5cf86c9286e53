//! Renders device-tree source for evidence folders and reports.

use std::fmt::{self, Display, Formatter, Write as _};

use crate::{Node, Prop, Tree};

/// How many bytes of an unreadable blob are shown.
const SHOWN: usize = 64;

/// Renders a blob as source. Total: an unreadable blob gives a comment with the reason and its first bytes.
pub fn dts(blob: &[u8]) -> String {
    match Tree::read(blob) {
        Ok(tree) => tree.to_string(),
        Err(error) => {
            let mut text = format!("// not a readable tree: {error}\n// {} bytes", blob.len());
            for row in blob.get(..SHOWN).unwrap_or(blob).chunks(16) {
                text.push_str("\n//");
                for byte in row {
                    // Writing to a string does not fail.
                    let _ = write!(text, " {byte:02x}");
                }
            }
            text.push('\n');
            text
        }
    }
}

impl Display for Tree {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "/dts-v1/;")?;
        for (address, size) in &self.reserved {
            writeln!(f, "/memreserve/ {address:#x} {size:#x};")?;
        }
        if self.boot_cpu != 0 {
            writeln!(f, "// boot CPU {:#x}", self.boot_cpu)?;
        }
        writeln!(f)?;
        node(f, &self.root, "/", 0)
    }
}

/// Writes one node. The depth of trees from a blob is bounded; other trees are as deep as the suite made them.
fn node(f: &mut Formatter<'_>, from: &Node, name: &str, depth: usize) -> fmt::Result {
    let indent = depth * 4;
    writeln!(f, "{:indent$}{name} {{", "")?;
    for prop in &from.props {
        let value = Shown(prop);
        writeln!(f, "{:indent$}    {}{value};", "", prop.name)?;
    }
    for (index, child) in from.children.iter().enumerate() {
        if index > 0 || !from.props.is_empty() {
            writeln!(f)?;
        }
        node(f, child, &child.name, depth + 1)?;
    }
    writeln!(f, "{:indent$}}};", "")
}

/// A value in its most readable form: nothing, strings, cells, or bytes.
struct Shown<'a>(&'a Prop);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.value.is_empty() {
            return Ok(());
        }
        write!(f, " = ")?;
        if let Some(texts) = self
            .0
            .texts()
            .filter(|texts| texts.iter().all(|text| speaks(text)))
        {
            let texts: Vec<_> = texts
                .iter()
                .map(|text| format!("\"{}\"", quoted(text)))
                .collect();
            return write!(f, "{}", texts.join(", "));
        }
        if let Some(cells) = self.0.cells() {
            let cells: Vec<_> = cells.iter().map(|cell| format!("{cell:#x}")).collect();
            return write!(f, "<{}>", cells.join(" "));
        }
        let bytes: Vec<_> = self
            .0
            .value
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        write!(f, "[{}]", bytes.join(" "))
    }
}

/// Tells whether a string is readable text: not empty, and printable ASCII throughout.
fn speaks(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
