//! What a case wants of the IOMMU: which accesses of devices it must have stopped or let pass, and which not.

use runners::{Access, AccessFate, Reason};
use serde::Serialize;
use text::nearest;

use crate::language::Scope;

/// A line of `iommu_events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventRule {
    /// The line without the expectation.
    pub text: String,
    /// The accesses that it is about.
    pub about: About,
    /// What is wanted of them.
    pub wanted: Wanted,
}

/// Accesses that a line is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Accesses that match all of these.
    These {
        /// The IOMMU's number of the device; none: any.
        stream: Option<u32>,
        /// The result of the access.
        kind: Kind,
        /// Writes or reads; none: both.
        write: Option<bool>,
        /// First and last address; none: all.
        span: Option<(u64, u64)>,
    },
    /// Those that were recorded and that no other line is about.
    Others,
}

/// The result of an access, in the words of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Stopped and recorded, for this reason or for any.
    Event(Option<Reason>),
    /// Stopped, recorded or not.
    Stopped,
    /// Stopped without a record.
    Aborted,
    /// Let through untranslated.
    Bypassed,
    /// Translated by a table.
    Translated,
}

/// What is wanted of the accesses that a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// At least this many.
    AtLeast(u64),
    /// There are none.
    Nothing,
    /// There may be some.
    Whatever,
}

const FORM: &str =
    "`STREAM EVENT [read|write] [FIRST[..LAST]] [=> at least N|none|any]` or `others => none`";
/// Names of results that are no event.
const KINDS: [(&str, Kind); 5] = [
    ("event", Kind::Event(None)),
    ("stopped", Kind::Stopped),
    ("aborted", Kind::Aborted),
    ("bypassed", Kind::Bypassed),
    ("translated", Kind::Translated),
];

impl EventRule {
    /// Reads a line of `iommu_events`.
    ///
    /// # Errors
    /// Returns what is wrong with the line.
    pub fn parse(text: &str, scope: &Scope<'_>) -> Result<Self, String> {
        let (about, wanted) = match text.split_once("=>") {
            None => (text.trim(), None),
            Some((about, wanted)) => (about.trim(), Some(wanted_of(wanted.trim(), scope)?)),
        };
        let words: Vec<&str> = about.split_whitespace().collect();
        let (about_what, wanted) = match words.as_slice() {
            ["others"] if wanted.is_none_or(|wanted| wanted == Wanted::Nothing) => {
                (About::Others, Wanted::Nothing)
            }
            ["others", ..] => return Err(format!("`{text}`: it reads `others => none`")),
            [stream, kind, rest @ ..] => (
                these(text, scope, stream, kind, rest)?,
                wanted.unwrap_or(Wanted::AtLeast(1)),
            ),
            _ => return Err(format!("`{text}`: a line of events reads {FORM}")),
        };
        Ok(Self {
            text: about.to_owned(),
            about: about_what,
            wanted,
        })
    }

    /// Tells whether the IOMMU itself must stop the access and record it. A subject could also stop it in other ways.
    pub fn needs_records(&self) -> bool {
        let About::These { kind, .. } = self.about else {
            return false;
        };
        matches!(self.wanted, Wanted::AtLeast(_))
            && !matches!(kind, Kind::Bypassed | Kind::Translated)
    }

    /// Tells whether a line may be about an access: no known property of the access contradicts the line.
    pub fn may_be(&self, access: &Access) -> bool {
        self.compare(access, true)
    }

    /// Tells whether a line is about an access: every property that the line names is known and matches.
    pub fn is(&self, access: &Access) -> bool {
        self.compare(access, false)
    }

    /// Compares with an access; `untold` is the result for a property that the source does not have.
    fn compare(&self, access: &Access, untold: bool) -> bool {
        let About::These {
            stream,
            kind,
            write,
            span,
        } = &self.about
        else {
            return false;
        };
        let told = |wanted: bool, told: Option<bool>| !wanted || told.unwrap_or(untold);
        kind.is(access.fate)
            && told(
                stream.is_some(),
                access.stream.map(|is| Some(is) == *stream),
            )
            && told(write.is_some(), access.write.map(|is| Some(is) == *write))
            && told(
                span.is_some(),
                access
                    .address
                    .map(|at| span.is_some_and(|(first, last)| (first..=last).contains(&at))),
            )
    }
}

impl Kind {
    fn is(self, fate: AccessFate) -> bool {
        match (self, fate) {
            (Self::Event(wanted), AccessFate::Recorded(reason)) => {
                wanted.is_none_or(|wanted| wanted == reason)
            }
            (
                Self::Stopped,
                AccessFate::Recorded(_) | AccessFate::Unrecorded(_) | AccessFate::Aborted,
            )
            | (Self::Aborted, AccessFate::Aborted)
            | (Self::Bypassed, AccessFate::Bypassed)
            | (Self::Translated, AccessFate::Translated(_)) => true,
            _ => false,
        }
    }
}

fn these(
    text: &str,
    scope: &Scope<'_>,
    stream: &str,
    kind: &str,
    rest: &[&str],
) -> Result<About, String> {
    let stream = match stream {
        "any" => None,
        // A device stands for its own number.
        name => Some(match scope.number32(&format!("{name}.stream")) {
            Ok(stream) => {
                scope.is_there(name)?;
                stream
            }
            Err(_) if scope.known_model(name).is_some() => {
                scope.is_there(name)?;
                return Err(format!("`{text}`: the IOMMU does not know `{name}`"));
            }
            Err(_) => scope.number32(name)?,
        }),
    };
    let kind = kind_of(kind)?;
    let (write, rest) = match rest {
        ["write", rest @ ..] => (Some(true), rest),
        ["read", rest @ ..] => (Some(false), rest),
        rest => (None, rest),
    };
    if write.is_some() && !matches!(kind, Kind::Event(_)) {
        return Err(format!(
            "`{text}`: only a record distinguishes reads from writes, and these have none"
        ));
    }
    let span = match rest {
        [] => None,
        [span] => Some(span_of(span, scope)?),
        _ => return Err(format!("`{text}`: a line of events reads {FORM}")),
    };
    Ok(About::These {
        stream,
        kind,
        write,
        span,
    })
}

fn kind_of(word: &str) -> Result<Kind, String> {
    if let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == word) {
        return Ok(*kind);
    }
    if let Some(reason) = Reason::named(word) {
        return Ok(Kind::Event(Some(reason)));
    }
    let known = KINDS.iter().map(|(name, _)| *name).chain(Reason::names());
    Err(match nearest(word, known) {
        Some(near) => format!("`{word}` is no event of an IOMMU; did you mean `{near}`?"),
        None => format!(
            "`{word}` is no event of an IOMMU: F_TRANSLATION and the like, `event` for any, `stopped`, `aborted`, `bypassed` or `translated`"
        ),
    })
}

fn span_of(text: &str, scope: &Scope<'_>) -> Result<(u64, u64), String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last) = (scope.number(first)?, scope.number(last)?);
    if last < first {
        return Err(format!("`{text}` ends before it begins"));
    }
    Ok((first, last))
}

fn wanted_of(text: &str, scope: &Scope<'_>) -> Result<Wanted, String> {
    match text {
        "none" => return Ok(Wanted::Nothing),
        "any" => return Ok(Wanted::Whatever),
        _ => {}
    }
    let Some(count) = text.strip_prefix("at least ") else {
        return Err(format!(
            "`{text}` is no expectation of events: `at least N`, `none` or `any`"
        ));
    };
    match scope.number(count)? {
        0 => Err(format!("`{text}` demands nothing; write `any`")),
        count => Ok(Wanted::AtLeast(count)),
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(count) => write!(f, "at least {count}"),
            Self::Nothing => f.write_str("none"),
            Self::Whatever => f.write_str("any"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::outside;

    fn rule(text: &str) -> EventRule {
        EventRule::parse(text, &outside()).unwrap()
    }

    /// Every form is parsed, and what is left out matches anything.
    #[test]
    fn lines_are_read() {
        let full = rule("0x18 F_TRANSLATION write 0x5000_0000..0x5000_0007 => at least 2");
        let about = About::These {
            stream: Some(0x18),
            kind: Kind::Event(Some(Reason::new(0x10, Some("F_TRANSLATION")))),
            write: Some(true),
            span: Some((0x5000_0000, 0x5000_0007)),
        };
        assert_eq!((full.about, full.wanted), (about, Wanted::AtLeast(2)));
        assert_eq!(rule("any bypassed => none").wanted, Wanted::Nothing);
        assert_eq!(rule("0x18 event => any").wanted, Wanted::Whatever);
        assert_eq!(rule("24 C_BAD_CD read").wanted, Wanted::AtLeast(1));
        // A device stands for its number.
        assert_eq!(rule("edu event").about, rule("0x18 event").about);
        let page = rule("any event ram..ram+4K-1");
        assert_eq!(page.about, rule("any event 0x40000000..0x40000fff").about);
        let others = rule("others");
        assert_eq!(
            (others.about, others.wanted),
            (About::Others, Wanted::Nothing)
        );
        assert_eq!(rule("others => none").text, "others");
    }

    /// An error names the wrong word, with the nearest right one.
    #[test]
    fn errors_name_the_culprit() {
        for (text, wanted) in [
            ("0x18", "a line of events reads"),
            ("", "a line of events reads"),
            ("0x18 F_TRANSLATON", "did you mean `F_TRANSLATION`?"),
            (
                "0x18 zzz",
                "`zzz` is no event of an IOMMU: F_TRANSLATION and",
            ),
            ("x18 event", "nothing defines `x18`"),
            ("gpio event", "the IOMMU does not know `gpio`"),
            ("0x100000000 event", "does not fit 32 bits"),
            ("0x18 event 2..1", "ends before it begins"),
            ("0x18 event write 1 2", "a line of events reads"),
            (
                "0x18 aborted write",
                "only a record distinguishes reads from writes",
            ),
            ("0x18 event => some", "`some` is no expectation"),
            ("0x18 event => at least 0", "demands nothing"),
            ("others => any", "it reads `others => none`"),
            ("others 0x18", "it reads `others => none`"),
        ] {
            let why = EventRule::parse(text, &outside()).unwrap_err();
            assert!(why.contains(wanted), "{text}: {why}");
        }
    }

    /// An unknown property of an access may match a line, but is not known to.
    #[test]
    fn what_is_not_told_is_neither_right_nor_wrong() {
        let access = |write, address| Access {
            stream: Some(0x18),
            fate: AccessFate::Recorded(Reason::new(0x10, Some("F_TRANSLATION"))),
            address,
            write,
        };
        let rule = rule("0x18 F_TRANSLATION write 0x1000..0x1fff");
        for (access, may_be, is) in [
            (access(Some(true), Some(0x1fff)), true, true),
            (access(None, Some(0x1000)), true, false),
            (access(Some(true), None), true, false),
            (access(Some(false), Some(0x1000)), false, false),
            (access(None, Some(0x2000)), false, false),
        ] {
            assert_eq!(
                (rule.may_be(&access), rule.is(&access)),
                (may_be, is),
                "{access}"
            );
        }
        let silent = Access {
            fate: AccessFate::Aborted,
            ..access(None, None)
        };
        assert!(!rule.may_be(&silent));
        assert!(self::rule("any aborted").is(&silent));
        assert!(!self::rule("any event").may_be(&silent));
        assert!(!self::rule("0x19 aborted").may_be(&silent));
    }

    /// Only a line about a recorded access needs a subject that records.
    #[test]
    fn records_are_needed_where_one_is_wanted() {
        assert!(rule("0x18 event").needs_records() && rule("0x18 stopped").needs_records());
        for text in [
            "0x18 event => none",
            "0x18 event => any",
            "0x18 translated",
            "others",
        ] {
            assert!(!rule(text).needs_records(), "{text}");
        }
    }
}
