//! Where the interrupt controller's input lines are, in QEMU's tree of objects.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::Halt;
use crate::request::Answer;

/// Objects looked at before giving up; `virt` has about a hundred, and the GIC near the front.
const OBJECTS: usize = 2000;

/// Private interrupts (SGIs and PPIs), which `num-irq` counts along: GIC architecture, INTIDs 0 to 31.
const PRIVATE: u64 = 32;

/// The interrupt controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gic {
    /// Its path in the tree of objects.
    pub path: String,
    /// How many shared lines it has. QEMU asserts that a line exists, so nobody may ask for more.
    pub spis: u64,
}

/// Looks for the interrupt controller, by way of QMP commands that `ask` executes.
pub fn find(ask: &mut dyn FnMut(&str, Value) -> Result<Answer, Halt>) -> Result<Option<Gic>, Halt> {
    // On `virt` it is a direct child of the first; other boards nest it in their SoC.
    let mut open = VecDeque::from(["/machine/unattached".to_owned(), "/machine".to_owned()]);
    for _ in 0..OBJECTS {
        let Some(path) = open.pop_front() else {
            break;
        };
        let Answer::Json(Value::Array(entries)) = ask("qom-list", json!({ "path": path }))? else {
            continue;
        };
        for entry in &entries {
            let text = |key| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            let child = format!("{path}/{}", text("name"));
            match text("type") {
                "child<arm-gicv3>" | "child<arm_gic>" => {
                    let count = ask("qom-get", json!({ "path": child, "property": "num-irq" }))?;
                    let Answer::Json(count) = count else {
                        continue;
                    };
                    let spis = count.as_u64().unwrap_or_default().saturating_sub(PRIVATE);
                    return Ok(Some(Gic { path: child, spis }));
                }
                kind if kind.starts_with("child<") => open.push_back(child),
                _ => {}
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(execute: &str, arguments: &Value) -> Answer {
        let entry = |name: &str, kind: &str| json!({ "name": name, "type": kind });
        match (execute, arguments["path"].as_str()) {
            ("qom-list", Some("/machine")) => Answer::Json(json!([
                entry("type", "string"),
                entry("soc", "child<soc>"),
                entry("its", "child<arm-gicv3-its>"),
            ])),
            ("qom-list", Some("/machine/soc")) => {
                Answer::Json(json!([entry("gic", "child<arm_gic>")]))
            }
            ("qom-get", Some("/machine/soc/gic")) => Answer::Json(json!(192)),
            _ => Answer::Refused("no such object".into()),
        }
    }

    /// A nested controller is found, the ITS is not taken for it, and private lines are not counted.
    #[test]
    fn nested_controllers_are_found() {
        let found = find(&mut |execute, arguments| Ok(tree(execute, &arguments)));
        let wanted = Gic {
            path: "/machine/soc/gic".into(),
            spis: 160,
        };
        assert!(matches!(found, Ok(Some(gic)) if gic == wanted));
    }

    /// A machine without one ends the search, even one whose tree has no end.
    #[test]
    fn absence_is_an_answer() {
        let none = find(&mut |_, _| Ok(Answer::Refused("no such object".into())));
        assert!(matches!(none, Ok(None)));
        let endless =
            json!([{ "name": "x", "type": "child<x>" }, { "name": "y", "type": "child<y>" }]);
        let none = find(&mut |_, _| Ok(Answer::Json(endless.clone())));
        assert!(matches!(none, Ok(None)));
    }
}
