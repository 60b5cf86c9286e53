//! Finds the GIC and its input lines in QEMU's tree of objects.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::arch::{Ask, Controller, Input};
use crate::qemu::error::Halt;
use crate::request::Answer;

/// How many objects to search; `virt` has about a hundred, with the GIC near the front.
const OBJECTS: usize = 2000;

/// Private interrupts (SGIs and PPIs, INTIDs 0 to 31 in the GIC architecture). QEMU's `num-irq` includes them.
const PRIVATE: u64 = 32;

/// Prefix of a line's name. The number of the SPI follows, counted from 0 (INTID less 32).
const SHARED: &str = "spi";

/// Looks for the interrupt controller.
pub fn find(ask: &mut Ask<'_>) -> Result<Option<Controller>, Halt> {
    // On `virt` the GIC is a direct child of the first; other boards nest it in their SoC.
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
                    let lines = count.as_u64().unwrap_or_default().saturating_sub(PRIVATE);
                    return Ok(Some(Controller { path: child, lines }));
                }
                kind if kind.starts_with("child<") => open.push_back(child),
                _ => {}
            }
        }
    }
    Ok(None)
}

/// Finds the input of the GIC that a name such as `spi7` means.
pub fn input(line: &str, gic: Option<&Controller>) -> Result<Input, String> {
    let digits = line.strip_prefix(SHARED).unwrap_or_default();
    let number: u32 = digits.parse().map_err(|_| {
        format!("`{line}` is no interrupt line; shared ones are `{SHARED}0` and so on")
    })?;
    let Some(gic) = gic else {
        return Err("the machine has no GIC".to_owned());
    };
    if u64::from(number) >= gic.lines {
        return Err(format!("{line}: the GIC has {} SPIs", gic.lines));
    }
    Ok(Input {
        device: gic.path.clone(),
        // QEMU's GIC has its SPIs first, in the order of their numbers, in the group without a name.
        group: "unnamed-gpio-in",
        number,
    })
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

    /// A nested GIC is found, an ITS is not mistaken for it, and private interrupts are not counted.
    #[test]
    fn nested_controllers_are_found() {
        let found = find(&mut |execute, arguments| Ok(tree(execute, &arguments)));
        let wanted = Controller {
            path: "/machine/soc/gic".into(),
            lines: 160,
        };
        assert!(matches!(found, Ok(Some(gic)) if gic == wanted));
    }

    /// A line is found by its name. A line that the GIC lacks and any other name are refused.
    #[test]
    fn lines_are_found_by_name() {
        let gic = Controller {
            path: "/gic".into(),
            lines: 160,
        };
        let wanted = Input {
            device: "/gic".into(),
            group: "unnamed-gpio-in",
            number: 159,
        };
        assert_eq!(input("spi159", Some(&gic)), Ok(wanted));
        for (line, gic, part) in [
            ("spi160", Some(&gic), "spi160: the GIC has 160 SPIs"),
            ("spi0", None, "the machine has no GIC"),
            ("7", Some(&gic), "`7` is no interrupt line"),
            ("spi", Some(&gic), "`spi` is no interrupt line"),
            ("spi-1", Some(&gic), "`spi-1` is no interrupt line"),
        ] {
            let why = input(line, gic).expect_err(part);
            assert!(why.contains(part), "{line}: {why}");
        }
    }

    /// A machine without a GIC ends the search, even if its tree has no end.
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
