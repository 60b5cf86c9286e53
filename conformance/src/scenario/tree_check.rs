//! Checks of a domain's own device tree: rules of a case, and rules that hold for every domain.

use std::fmt;

use dtb_gen::{Node, Tree, Value};
use serde::Serialize;

use crate::arch;
use crate::case::value::{cut, property};
use crate::language::Scope;
use crate::language::Value::Text;

mod host_bridge;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TreeCheck {
    /// This node exists.
    Node(String),
    /// This node does not exist.
    NoNode(String),
    /// The property has this value.
    Property(
        String,
        String,
        #[serde(serialize_with = "super::as_debug")] Value,
    ),
    /// The node lacks the property.
    NoProperty(String, String),
    /// No node anywhere has the property.
    NowhereProperty(String),
    /// No node anywhere has this `compatible`.
    NowhereCompatible(String),
    /// Some node has this `compatible`.
    Compatible(String),
    /// The only PCI host bridge is described completely, with its ECAM and its 32-bit and 64-bit windows at these
    /// addresses.
    HostBridge([u64; 3]),
    /// Device and pin on the first bus of the PCI host bridge are routed to this shared interrupt.
    PciLine(u32, u32, u32),
    /// No two nodes share a phandle.
    PhandlesUnique,
    /// `interrupt-parent` of the node names the interrupt controller of the domain.
    ParentIsController(String),
    /// /passthrough is a copy of the partial tree, except for what only the hypervisor reads.
    PassthroughKept,
}

impl TreeCheck {
    /// Parses one rule.
    pub fn parse(text: &str, scope: &Scope<'_>) -> Result<Self, String> {
        let (verb, rest) = cut(text);
        let (first, after) = cut(rest);
        let (second, value) = cut(after);
        let owned = str::to_owned;
        // A device of the domain stands for its node in /passthrough.
        let own = |path: &str| match scope.value(&format!("{path}.node")) {
            Ok(Text(node)) => Ok(format!("/passthrough/{node}")),
            Err(why) if !path.starts_with('/') => Err(why),
            _ => Ok(path.to_owned()),
        };
        Ok(match (verb, first, second) {
            ("node", path, "") if !path.is_empty() => Self::Node(own(path)?),
            ("no-node", path, "") if !path.is_empty() => Self::NoNode(own(path)?),
            ("property", path, name) if !name.is_empty() => {
                Self::Property(own(path)?, owned(name), property(value, scope)?)
            }
            ("no-property", path, name) if !name.is_empty() => {
                Self::NoProperty(own(path)?, owned(name))
            }
            ("nowhere", name, "") if !name.is_empty() => Self::NowhereProperty(owned(name)),
            ("nowhere-compatible", name, "") if !name.is_empty() => {
                Self::NowhereCompatible(owned(name))
            }
            ("compatible", name, "") if !name.is_empty() => Self::Compatible(owned(name)),
            ("host-bridge", ecam, low) if !low.is_empty() => Self::HostBridge([
                scope.number(ecam)?,
                scope.number(low)?,
                scope.number(value)?,
            ]),
            ("pci-line", device, pin) if !pin.is_empty() => Self::PciLine(
                scope.number32(device)?,
                scope.number32(pin)?,
                scope.number32(value)?,
            ),
            ("phandles-unique", "", "") => Self::PhandlesUnique,
            ("parent-is-controller", path, "") if !path.is_empty() => {
                Self::ParentIsController(own(path)?)
            }
            ("passthrough-kept", "", "") => Self::PassthroughKept,
            _ => {
                return Err(format!(
                    "`{text}` is no rule for a tree; rules are `{}`",
                    FORMS.join("`, `")
                ));
            }
        })
    }

    /// Returns the rules that hold for the tree of every domain.
    pub fn always() -> Vec<Self> {
        let hidden = [
            "iommus",
            "iommu-map",
            "iommu-map-mask",
            "msi-map",
            "#iommu-cells",
            "xen,passthrough",
        ];
        let reader = [
            "xen,reg",
            "xen,path",
            "xen,force-assign-without-iommu",
            "xen,pci-assigned",
        ];
        let mut rules: Vec<Self> = reader
            .iter()
            .chain(&hidden)
            .map(|name| Self::NowhereProperty((*name).to_owned()))
            .collect();
        rules.extend(
            arch::IOMMUS
                .iter()
                .map(|name| Self::NowhereCompatible((*name).to_owned())),
        );
        rules.push(Self::PhandlesUnique);
        rules
    }

    /// Says how `tree` breaks the rule; none if it does not. `partial` is the partial tree of the domain.
    pub fn broken_by(&self, tree: &Tree, partial: Option<&Tree>) -> Option<String> {
        match self {
            Self::Node(path) => tree
                .find(path)
                .is_none()
                .then(|| format!("there is no {path}")),
            Self::NoNode(path) => tree.find(path).map(|_| format!("{path} is there")),
            Self::Property(path, name, value) => {
                let Some(node) = tree.find(path) else {
                    return Some(format!("there is no {path}"));
                };
                let Some(prop) = node.get(name) else {
                    return Some(format!("{path} lacks `{name}`"));
                };
                (value.bytes() != prop.value).then(|| format!("`{name}` is {}", shown(&prop.value)))
            }
            Self::NoProperty(path, name) => match tree.find(path) {
                None => Some(format!("there is no {path}")),
                Some(node) => node
                    .get(name)
                    .map(|prop| format!("`{name}` is {}", shown(&prop.value))),
            },
            Self::NowhereProperty(name) => {
                let has = |path: &String| tree.find(path).is_some_and(|node| node.has(name));
                tree.paths()
                    .into_iter()
                    .find(has)
                    .map(|path| format!("{path} has `{name}`"))
            }
            Self::NowhereCompatible(name) => {
                compatible(tree, name).map(|path| format!("{path} is compatible with `{name}`"))
            }
            Self::Compatible(name) => compatible(tree, name)
                .is_none()
                .then(|| format!("no node is compatible with `{name}`")),
            Self::HostBridge(places) => host_bridge::broken(tree, *places),
            Self::PciLine(device, pin, line) => {
                host_bridge::line_broken(tree, *device, *pin, *line)
            }
            Self::PhandlesUnique => shared_phandle(tree),
            Self::ParentIsController(path) => controller_is_parent(tree, path),
            Self::PassthroughKept => {
                let Some(partial) = partial.and_then(|tree| tree.find("/passthrough")) else {
                    return Some("the scenario gave no readable partial tree".to_owned());
                };
                match tree.find("/passthrough") {
                    None => Some("there is no /passthrough".to_owned()),
                    Some(kept) => differs("/passthrough", partial, kept),
                }
            }
        }
    }
}

const FORMS: &[&str] = &[
    "node PATH",
    "no-node PATH",
    "property PATH NAME VALUE",
    "no-property PATH NAME",
    "nowhere NAME",
    "nowhere-compatible NAME",
    "compatible NAME",
    "host-bridge ECAM LOW HIGH",
    "pci-line DEVICE PIN LINE",
    "phandles-unique",
    "parent-is-controller PATH",
    "passthrough-kept",
];

/// Properties of the partial tree that only the hypervisor reads, and references to nodes that a domain must not see.
const NOT_COPIED: &[&str] = &[
    "xen,reg",
    "xen,path",
    "xen,force-assign-without-iommu",
    "xen,passthrough",
    "xen,pci-assigned",
    "iommus",
    "iommu-map",
    "iommu-map-mask",
    "msi-map",
    "msi-map-mask",
];

/// Finds a node with this `compatible`.
fn compatible(tree: &Tree, name: &str) -> Option<String> {
    let is = |path: &String| {
        let texts = tree
            .find(path)
            .and_then(|node| node.get("compatible"))
            .and_then(|prop| prop.texts());
        texts.is_some_and(|texts| texts.contains(&name))
    };
    tree.paths().into_iter().find(is)
}

fn differs(path: &str, given: &Node, kept: &Node) -> Option<String> {
    for prop in given
        .props
        .iter()
        .filter(|prop| !NOT_COPIED.contains(&prop.name.as_str()))
    {
        match kept.get(&prop.name) {
            None => return Some(format!("{path} lost `{}`", prop.name)),
            // The hypervisor may give its interrupt controller another phandle, see `ParentIsController`.
            Some(_) if prop.name == "interrupt-parent" => {}
            Some(found) if found.value != prop.value => {
                return Some(format!(
                    "{path}: `{}` became {}",
                    prop.name,
                    shown(&found.value)
                ));
            }
            Some(_) => {}
        }
    }
    if let Some(added) = kept.props.iter().find(|prop| !given.has(&prop.name)) {
        return Some(format!("{path} gained `{}`", added.name));
    }
    if given.children.len() != kept.children.len() {
        return Some(format!(
            "{path} has {} children instead of {}",
            kept.children.len(),
            given.children.len()
        ));
    }
    given
        .children
        .iter()
        .zip(&kept.children)
        .find_map(|(given, kept)| {
            let path = format!("{path}/{}", given.name);
            if given.name == kept.name {
                differs(&path, given, kept)
            } else {
                Some(format!("{path} became {}", kept.name))
            }
        })
}

fn phandle(node: &Node) -> Option<u32> {
    node.get("phandle")
        .or_else(|| node.get("linux,phandle"))
        .and_then(|prop| prop.u32())
}

fn shared_phandle(tree: &Tree) -> Option<String> {
    let mut seen: Vec<(u32, String)> = Vec::new();
    for path in tree.paths() {
        let Some(number) = tree.find(&path).and_then(phandle) else {
            continue;
        };
        if let Some((_, other)) = seen.iter().find(|(known, _)| *known == number) {
            return Some(format!("{other} and {path} share phandle {number:#x}"));
        }
        seen.push((number, path));
    }
    None
}

fn controller_is_parent(tree: &Tree, path: &str) -> Option<String> {
    // The property is inherited from the nearest ancestor that has it (Devicetree Specification 2.4.1).
    let mut at = path;
    let parent = loop {
        let Some(node) = tree.find(at) else {
            return Some(format!("there is no {at}"));
        };
        if let Some(prop) = node.get("interrupt-parent") {
            break prop.u32();
        }
        if at == "/" {
            return Some(format!("{path} has no interrupt parent"));
        }
        at = at
            .rsplit_once('/')
            .map_or("/", |(above, _)| if above.is_empty() { "/" } else { above });
    };
    let target = parent.and_then(|number| tree.by_phandle(number));
    let compatible = target
        .as_deref()
        .and_then(|path| tree.find(path))
        .and_then(|node| node.get("compatible"));
    let is_controller = compatible
        .and_then(|prop| prop.texts())
        .is_some_and(|texts| texts.iter().any(|text| arch::is_controller(text)));
    (!is_controller).then(|| match (parent, target) {
        (Some(number), Some(target)) => {
            format!("the interrupt parent of {path}, {number:#x}, is {target}")
        }
        (Some(number), None) => format!("the interrupt parent of {path}, {number:#x}, is no node"),
        (None, _) => format!("the interrupt parent of {path} is not one cell"),
    })
}

/// Shows a property value in source form if it has one.
fn shown(value: &[u8]) -> String {
    if value.is_empty() {
        return "empty".to_owned();
    }
    let text = value
        .strip_suffix(&[0])
        .filter(|text| !text.is_empty() && text.iter().all(|byte| (0x20..0x7f).contains(byte)));
    match text.and_then(|text| std::str::from_utf8(text).ok()) {
        Some(text) => format!("\"{text}\""),
        None if value.len().is_multiple_of(4) && value.len() <= 64 => {
            let cells = value.chunks_exact(4).map(|cell| {
                format!(
                    "{:#x}",
                    cell.iter().fold(0_u32, |n, byte| n << 8 | u32::from(*byte))
                )
            });
            format!("<{}>", cells.collect::<Vec<_>>().join(" "))
        }
        None => format!("{} bytes", value.len()),
    }
}

impl fmt::Display for TreeCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(path) => write!(f, "{path} exists"),
            Self::NoNode(path) => write!(f, "{path} does not exist"),
            Self::Property(path, name, value) => {
                write!(f, "{path}: `{name}` is {}", shown(&value.bytes()))
            }
            Self::NoProperty(path, name) => write!(f, "{path} has no `{name}`"),
            Self::NowhereProperty(name) => write!(f, "no node has `{name}`"),
            Self::NowhereCompatible(name) => write!(f, "no node is compatible with `{name}`"),
            Self::Compatible(name) => write!(f, "a node is compatible with `{name}`"),
            Self::HostBridge([ecam, low, high]) => write!(
                f,
                "there is one PCI host bridge, with ECAM at {ecam:#x} and windows at {low:#x} and {high:#x}"
            ),
            Self::PciLine(device, pin, line) => {
                write!(
                    f,
                    "pin {pin} of PCI device {device} arrives at interrupt {line}"
                )
            }
            Self::PhandlesUnique => f.write_str("no two nodes share a phandle"),
            Self::ParentIsController(path) => {
                write!(
                    f,
                    "the interrupt parent of {path} is the domain's interrupt controller"
                )
            }
            Self::PassthroughKept => f.write_str(
                "/passthrough is as the partial tree says, less what only the hypervisor reads",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::outside;

    fn tree() -> Tree {
        let controller = Node::new("interrupt-controller@3001000")
            .with("compatible", arch::sample::CONTROLLER)
            .with("phandle", 0xfde8_u32);
        let device = Node::new("gpio@9030000")
            .with("reg", [0_u32, 0x903_0000, 0, 0x1000])
            .with("phandle", 7_u32);
        let passthrough = Node::new("passthrough")
            .with("interrupt-parent", 0xfde8_u32)
            .child(device);
        Tree {
            root: Node::new("").child(controller).child(passthrough),
            ..Tree::default()
        }
    }

    fn check(rule: &str, wrong: Option<&str>) {
        let tree = tree();
        let found = TreeCheck::parse(rule, &outside())
            .unwrap()
            .broken_by(&tree, Some(&tree));
        match (wrong, found) {
            (None, None) => {}
            (Some(part), Some(text)) if text.contains(part) => {}
            (wrong, found) => panic!("{rule}: wanted {wrong:?}, found {found:?}"),
        }
    }

    /// Each rule accepts a tree that obeys it, and says how another one breaks it.
    #[test]
    fn rules_hold_or_say_why() {
        check("node /passthrough/gpio@9030000", None);
        // A device stands for its node.
        check("node gpio", None);
        check("node rtc", Some("there is no"));
        check("parent-is-controller gpio", None);
        check("node /passthrough/rtc", Some("there is no"));
        check("no-node /passthrough", Some("is there"));
        check(
            "property /passthrough/gpio@9030000 reg <0 0x9030000 0 0x1000>",
            None,
        );
        check(
            "property /passthrough/gpio@9030000 reg <0 0 0 0x1000>",
            Some("<0x0 0x9030000 0x0 0x1000>"),
        );
        check(
            "no-property /passthrough/gpio@9030000 reg",
            Some("`reg` is"),
        );
        check("nowhere phandle", Some("has `phandle`"));
        let compatible = arch::sample::CONTROLLER;
        check(
            &format!("nowhere-compatible {compatible}"),
            Some("is compatible"),
        );
        check(&format!("compatible {compatible}"), None);
        check("compatible arm,none", Some("no node is compatible"));
        check("host-bridge 0x10000000 1 2", Some("there are 0"));
        check("pci-line 0 1 38", Some("there are 0"));
        check("phandles-unique", None);
        check("parent-is-controller /passthrough/gpio@9030000", None);
        check("passthrough-kept", None);
        assert!(
            TreeCheck::parse("nod /x", &outside())
                .unwrap_err()
                .contains("rules are")
        );
    }

    /// A property that only the hypervisor reads may be missing; any other change of the copied part is reported.
    #[test]
    fn the_copied_part_is_compared() {
        let mut given = tree();
        given
            .find_mut("/passthrough/gpio@9030000")
            .unwrap()
            .set("xen,path", "/pl061@9030000");
        assert_eq!(
            TreeCheck::PassthroughKept.broken_by(&tree(), Some(&given)),
            None
        );
        given
            .find_mut("/passthrough/gpio@9030000")
            .unwrap()
            .set("label", "x");
        let told = TreeCheck::PassthroughKept
            .broken_by(&tree(), Some(&given))
            .unwrap();
        assert_eq!(told, "/passthrough/gpio@9030000 lost `label`");
    }

    /// Shared phandles are found in any node.
    #[test]
    fn shared_phandles_are_found() {
        let mut shared = tree();
        shared
            .find_mut("/passthrough")
            .unwrap()
            .set("phandle", 7_u32);
        assert!(
            TreeCheck::PhandlesUnique
                .broken_by(&shared, None)
                .unwrap()
                .contains("share phandle 0x7")
        );
    }
}
