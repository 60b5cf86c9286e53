//! Writes a [`Tree`] as a blob. The only file that uses vm-fdt.

use vm_fdt::{FdtReserveEntry, FdtWriter};

use crate::tree::join;
use crate::{EmitError, Node, Tree};

impl Tree {
    /// Flattens the tree: version 17, properties and nodes in the order given.
    pub fn emit(&self) -> Result<Vec<u8>, EmitError> {
        let reserved = self.reserved.iter().map(|&(address, size)| {
            FdtReserveEntry::new(address, size).map_err(|error| EmitError::Reservation {
                address,
                size,
                why: error.to_string(),
            })
        });
        let reserved = reserved.collect::<Result<Vec<_>, _>>()?;
        let mut writer = FdtWriter::new_with_mem_reserv(&reserved).map_err(whole)?;
        writer.set_boot_cpuid_phys(self.boot_cpu);
        node(&mut writer, &self.root, "/")?;
        writer.finish().map_err(whole)
    }
}

/// Writes one node. The recursion ends with vm-fdt's own limit on depth.
fn node(writer: &mut FdtWriter, from: &Node, path: &str) -> Result<(), EmitError> {
    let refused = |error: vm_fdt::Error| EmitError::Node {
        path: path.to_owned(),
        name: from.name.clone(),
        why: error.to_string(),
    };
    // vm-fdt accepts empty names anywhere, because the root has one; readers do not.
    if from.name.is_empty() && path != "/" {
        return Err(refused(vm_fdt::Error::InvalidNodeName));
    }
    let open = writer.begin_node(&from.name).map_err(refused)?;
    for prop in &from.props {
        // Phandles are written like any other property: tests need trees in which two nodes have the same one.
        writer
            .property(&prop.name, &prop.value)
            .map_err(|error| EmitError::Property {
                path: path.to_owned(),
                prop: prop.name.clone(),
                len: prop.value.len(),
                why: error.to_string(),
            })?;
    }
    for child in &from.children {
        node(writer, child, &join(path, &child.name))?;
    }
    writer.end_node(open).map_err(refused)
}

fn whole(error: vm_fdt::Error) -> EmitError {
    EmitError::Whole {
        why: error.to_string(),
    }
}
