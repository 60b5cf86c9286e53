//! Parses numbers, property values, tree edits and outside actions of case files.

use dtb_gen::{Edit, Node, Value};

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
/// string.
pub fn property(text: &str) -> Result<Value, String> {
    let text = text.trim();
    if text.is_empty() || text == "true" {
        return Ok(Value::Empty);
    }
    if let Some(inner) = text.strip_prefix('<') {
        let inner = inner
            .strip_suffix('>')
            .ok_or_else(|| format!("`{text}` lacks its `>`"))?;
        return inner
            .split_whitespace()
            .map(number32)
            .collect::<Result<_, _>>()
            .map(Value::Cells);
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
];

/// Parses one edit of a tree.
pub fn edit(text: &str) -> Result<Edit, String> {
    let (verb, rest) = cut(text);
    let (path, rest) = cut(rest);
    let path = path.to_owned();
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
            value: property(rest)?,
        }),
        "delete" if !alone && last => Ok(Edit::Delete {
            path,
            prop: second.to_owned(),
        }),
        "resize" if !alone && !last => {
            let bytes = i64::try_from(number(rest.trim_start_matches('-'))?);
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
                .map(number32)
                .collect::<Result<_, _>>()?;
            Ok(Edit::Point {
                path,
                prop: second.to_owned(),
                target: target.to_owned(),
                before: Vec::new(),
                after,
            })
        }
        _ => Err(usage()),
    }
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
        assert!(edit("ad /a/b").unwrap_err().contains("did you mean `add`"));
        assert!(
            edit("delete /a")
                .unwrap_err()
                .contains("reads `delete PATH PROPERTY`")
        );
        assert!(
            edit("set a b")
                .unwrap_err()
                .contains("reads `set PATH PROPERTY VALUE`")
        );
    }
}
