//! Parses numbers, property values, tree edits and outside actions of case files.

use dtb_gen::{Edit, Node, Value};

use crate::arch;
use crate::language::Scope;

/// Parses a number: decimal or `0x` hexadecimal, with `_` between digits.
pub fn number(text: &str) -> Result<u64, String> {
    let plain = text.trim().replace('_', "");
    let parsed = match plain.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => plain.parse(),
    };
    parsed.map_err(|_| {
        format!(
            "`{}` is not a number (decimal or 0x hexadecimal)",
            text.trim()
        )
    })
}

/// Parses a number that must fit 32 bits.
pub fn number32(text: &str) -> Result<u32, String> {
    u32::try_from(number(text)?).map_err(|_| format!("`{}` does not fit 32 bits", text.trim()))
}

/// Parses a property value in device-tree source form: `<1 2>`, `[00 ff]`, `"a", "b"` or nothing; anything else is one
/// string. A cell is an expression of 32 bits; after `/bits/ 64` it has 64 bits.
pub fn property(text: &str, scope: &Scope<'_>) -> Result<Value, String> {
    let text = text.trim();
    if text.is_empty() || text == "true" {
        return Ok(Value::Empty);
    }
    let wide = text.strip_prefix("/bits/ 64").map(str::trim_start);
    if let Some(inner) = wide.unwrap_or(text).strip_prefix('<') {
        let inner = inner
            .strip_suffix('>')
            .ok_or_else(|| format!("`{text}` lacks its `>`"))?;
        let words = inner.split_whitespace();
        if wide.is_some() {
            let cells = words
                .map(|word| scope.number(word))
                .collect::<Result<_, _>>();
            return cells.map(Value::Cells64);
        }
        let cells = words
            .map(|word| scope.number32(word))
            .collect::<Result<_, _>>();
        return cells.map(Value::Cells);
    }
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner
            .strip_suffix(']')
            .ok_or_else(|| format!("`{text}` lacks its `]`"))?;
        return inner
            .split_whitespace()
            .map(|byte| {
                u8::from_str_radix(byte, 16)
                    .map_err(|_| format!("`{byte}` is not a byte in hexadecimal"))
            })
            .collect::<Result<_, _>>()
            .map(Value::Bytes);
    }
    if text.starts_with('"') {
        return texts(text).map(Value::Texts);
    }
    Ok(Value::Text(text.to_owned()))
}

fn texts(list: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut rest = list.trim();
    loop {
        let bad = || format!("`{rest}` is not a quoted text");
        let (item, after) = rest
            .strip_prefix('"')
            .and_then(|open| open.split_once('"'))
            .ok_or_else(bad)?;
        found.push(item.to_owned());
        match after.trim_start() {
            "" => return Ok(found),
            more => rest = more.strip_prefix(',').ok_or_else(bad)?.trim_start(),
        }
    }
}

const EDITS: &[(&str, &str)] = &[
    ("set", "set PATH PROPERTY VALUE"),
    ("delete", "delete PATH PROPERTY"),
    ("resize", "resize PATH PROPERTY BYTES"),
    ("add", "add PATH"),
    ("remove", "remove PATH"),
    ("copy", "copy PATH NAME"),
    ("rename", "rename PATH NAME"),
    ("point", "point PATH PROPERTY TARGET-PATH [CELL...]"),
    ("interrupts", "interrupts PATH INTERRUPT[:edge]..."),
];

/// Parses one edit of a tree. A path begins with `/`, or with a device of the machine that stands for its node.
pub fn edit(text: &str, scope: &Scope<'_>) -> Result<Edit, String> {
    let (verb, rest) = cut(text);
    let (path, rest) = cut(rest);
    let path = match path.is_empty() || !EDITS.iter().any(|(known, _)| *known == verb) {
        true => path.to_owned(),
        false => scope.path(path)?,
    };
    let (second, rest) = cut(rest);
    let usage = || {
        let known = EDITS.iter().map(|(verb, _)| *verb);
        match EDITS.iter().find(|(name, _)| *name == verb) {
            Some((_, form)) => format!("`{text}`: an edit of this kind reads `{form}`"),
            None => {
                let near = text::nearest(verb, known.clone());
                let list: Vec<&str> = near.map_or_else(|| known.collect(), |near| vec![near]);
                format!(
                    "`{verb}` is no edit of a tree; did you mean `{}`?",
                    list.join("`, `")
                )
            }
        }
    };
    if path.is_empty() || !path.starts_with('/') {
        return Err(usage());
    }
    let alone = second.is_empty();
    let last = rest.is_empty();
    match verb {
        "set" if !alone => Ok(Edit::Set {
            path,
            prop: second.to_owned(),
            value: property(rest, scope)?,
        }),
        "interrupts" if !alone => Ok(Edit::Set {
            path,
            prop: "interrupts".to_owned(),
            value: Value::Cells(interrupts(second, rest, scope)?),
        }),
        "delete" if !alone && last => Ok(Edit::Delete {
            path,
            prop: second.to_owned(),
        }),
        "resize" if !alone && !last => {
            let bytes = i64::try_from(scope.number(rest.trim_start_matches('-'))?);
            let bytes = bytes.map_err(|_| format!("`{rest}` is too many bytes"))?;
            let by = if rest.starts_with('-') { -bytes } else { bytes };
            Ok(Edit::Resize {
                path,
                prop: second.to_owned(),
                by,
            })
        }
        "add" if alone => {
            let (parent, name) = path.rsplit_once('/').ok_or_else(usage)?;
            let parent = if parent.is_empty() { "/" } else { parent };
            Ok(Edit::AddNode {
                parent: parent.to_owned(),
                node: Node::new(name),
            })
        }
        "remove" if alone => Ok(Edit::RemoveNode { path }),
        "copy" if !alone && last => Ok(Edit::CopyNode {
            path,
            name: second.to_owned(),
        }),
        "rename" if !alone && last => Ok(Edit::RenameNode {
            path,
            name: second.to_owned(),
        }),
        "point" if !alone && !last => {
            let (target, cells) = cut(rest);
            let after = cells
                .split_whitespace()
                .map(|cell| scope.number32(cell))
                .collect::<Result<_, _>>()?;
            Ok(Edit::Point {
                path,
                prop: second.to_owned(),
                target: scope.path(target)?,
                before: Vec::new(),
                after,
            })
        }
        _ => Err(usage()),
    }
}

/// Parses interrupts as the machine's controller has them: level-triggered ones, or `NUMBER:edge`.
fn interrupts(first: &str, rest: &str, scope: &Scope<'_>) -> Result<Vec<u32>, String> {
    let mut cells = Vec::new();
    for word in [first].into_iter().chain(rest.split_whitespace()) {
        let (number, edge) = match word.strip_suffix(":edge") {
            Some(number) => (number, true),
            None => (word, false),
        };
        let number = scope.number32(number)?;
        let cell = arch::interrupt_cells(number, edge);
        cells.extend(cell.ok_or_else(|| format!("`{word}` is no shared interrupt"))?);
    }
    Ok(cells)
}

/// Splits off the first word.
pub fn cut(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace)
        .map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::outside;

    fn property(text: &str) -> Result<Value, String> {
        super::property(text, &outside())
    }

    fn edit(text: &str) -> Result<Edit, String> {
        super::edit(text, &outside())
    }

    /// Every form of a property value is parsed, and an incomplete one is refused.
    #[test]
    fn property_values_are_read() {
        assert_eq!(property("").unwrap(), Value::Empty);
        assert_eq!(
            property("<0 0x10 0x9030_000>").unwrap(),
            Value::Cells(vec![0, 16, 0x903_0000])
        );
        assert_eq!(property("[00 Ff]").unwrap(), Value::Bytes(vec![0, 255]));
        assert_eq!(property("okay").unwrap(), Value::Text("okay".into()));
        assert_eq!(
            property("\"a,b\", \"c\"").unwrap(),
            Value::Texts(vec!["a,b".into(), "c".into()])
        );
        assert_eq!(
            property("\"a\" b").unwrap_err(),
            "`\"a\" b` is not a quoted text"
        );
        assert_eq!(property("\"a").unwrap_err(), "`\"a` is not a quoted text");
        assert_eq!(
            property("<1 gpio.phandle>").unwrap_err(),
            "nothing defines `gpio.phandle`"
        );
        assert_eq!(
            property("<iommu.phandle page:gpio>").unwrap(),
            Value::Cells(vec![0x8004, 0x9030])
        );
        assert_eq!(
            property("/bits/ 64 <ecam 4K>").unwrap(),
            Value::Cells64(vec![0x40_1000_0000, 4096])
        );
        assert!(property("<0 1").unwrap_err().contains("lacks its `>`"));
        assert!(
            property("<0x1_0000_0000>")
                .unwrap_err()
                .contains("does not fit")
        );
    }

    /// An edit is parsed completely, or refused with the expected form.
    #[test]
    fn edits_are_read() {
        assert_eq!(
            edit("set /a b <1>").unwrap(),
            Edit::Set {
                path: "/a".into(),
                prop: "b".into(),
                value: Value::Cells(vec![1])
            }
        );
        assert_eq!(
            edit("resize /a b -4").unwrap(),
            Edit::Resize {
                path: "/a".into(),
                prop: "b".into(),
                by: -4
            }
        );
        assert!(
            matches!(edit("add /a/b").unwrap(), Edit::AddNode { parent, .. } if parent == "/a")
        );
        // A device stands for its node, and an interrupt for the cells of its controller.
        assert_eq!(
            edit("interrupts gpio rtc.irq gpio.irq:edge").unwrap(),
            Edit::Set {
                path: "/pl061@9030000".into(),
                prop: "interrupts".into(),
                value: Value::Cells(vec![0, 2, 4, 0, 7, 1])
            }
        );
        assert!(
            edit("interrupts gpio 31")
                .unwrap_err()
                .contains("is no shared interrupt")
        );
        assert_eq!(
            edit("point gpio/below iommus iommu edu.stream").unwrap(),
            Edit::Point {
                path: "/pl061@9030000/below".into(),
                prop: "iommus".into(),
                target: arch::sample::IOMMU_NODE.into(),
                before: vec![],
                after: vec![0x18]
            }
        );
        assert!(
            edit("remove gpoi")
                .unwrap_err()
                .contains("did you mean `gpio`?")
        );
        assert!(edit("ad /a/b").unwrap_err().contains("did you mean `add`"));
        assert!(
            edit("delete /a")
                .unwrap_err()
                .contains("reads `delete PATH PROPERTY`")
        );
        assert!(
            edit("set /a")
                .unwrap_err()
                .contains("reads `set PATH PROPERTY VALUE`")
        );
        assert!(
            edit("set a b")
                .unwrap_err()
                .contains("`a` is neither a path nor a device with a node")
        );
    }
}
