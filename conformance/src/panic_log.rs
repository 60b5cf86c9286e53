//! What a host says when it stops as a whole, and over whom: the only words of a hypervisor that a verdict counts, and
//! only because they are the last ones.

use runners::{DOMAIN, PanicFormat};
use serde::Serialize;

/// A host that stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HostPanic {
    /// What it said between the first and the last line of it.
    pub words: Vec<String>,
    /// Whether a domain had spoken before.
    pub late: bool,
}

/// Lines that are kept.
const KEPT: usize = 64;

/// Listens for the host's panic message.
#[derive(Debug)]
pub struct PanicDetector {
    form: Option<PanicFormat>,
    heard: Option<HostPanic>,
}

impl PanicDetector {
    /// Begins to listen for words of this form; without one it hears nothing.
    pub fn new(form: Option<PanicFormat>) -> Self {
        Self { form, heard: None }
    }

    /// Takes one line. Returns the stop when it was the last one; `late` tells whether a domain has spoken.
    pub fn line(&mut self, line: &str, late: bool) -> Option<HostPanic> {
        let form = self.form.as_ref()?;
        match &mut self.heard {
            None if line.starts_with(&form.begins) => {
                self.heard = Some(HostPanic {
                    words: Vec::new(),
                    late,
                });
                None
            }
            None => None,
            Some(_) if line.starts_with(&form.ends) => self.heard.take(),
            Some(stop) => {
                if stop.words.len() < KEPT {
                    stop.words.push(line.trim_end().to_owned());
                }
                None
            }
        }
    }
}

impl HostPanic {
    /// Tells whether the host stopped over this domain, and before anybody ran.
    pub fn refuses(&self, form: &PanicFormat, domain: &str) -> bool {
        let names = |line: &String| form.names.iter().any(|name| names(line, name, domain));
        !self.late && self.words.iter().any(names)
    }

    /// Shows the words that say something, in one line.
    pub fn shown(&self) -> String {
        let says = |line: &&str| line.chars().any(char::is_alphanumeric);
        let words = self.words.iter().map(|line| bare(line)).filter(says);
        words.collect::<Vec<_>>().join(" ")
    }
}

/// Takes the hypervisor's mark off a line.
fn bare(line: &str) -> &str {
    match line.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((_, rest)) => rest.trim(),
        None => line.trim(),
    }
}

/// Tells whether a line begins as `form` says with this domain in it, and not with one whose name begins so.
fn names(line: &str, form: &str, domain: &str) -> bool {
    let Some((front, back)) = form.split_once(DOMAIN) else {
        return false;
    };
    let rest = line
        .strip_prefix(front)
        .and_then(|rest| rest.strip_prefix(domain));
    let joins = |c: char| c.is_ascii_alphanumeric() || "-_@,.+".contains(c);
    rest.is_some_and(|rest| {
        rest.starts_with(back) && (!back.is_empty() || !rest.starts_with(joins))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> PanicFormat {
        PanicFormat {
            begins: "(HV) Panic".to_owned(),
            names: vec!["(HV) Could not set up domain {domain}".to_owned()],
            ends: "(HV) Reboot".to_owned(),
        }
    }

    fn heard(lines: &[&str], late: bool) -> Option<HostPanic> {
        let mut detector = PanicDetector::new(Some(form()));
        lines.iter().find_map(|line| detector.line(line, late))
    }

    const WORDS: [&str; 5] = [
        "(HV) d1 is refused",
        "(HV) Panic on CPU 0:",
        "(HV) Could not set up domain dA (rc = -22)",
        "(HV) ****",
        "(HV) Reboot in five seconds...",
    ];

    /// A host that stops over a domain before anybody ran refuses that one and no other.
    #[test]
    fn the_domain_that_is_named_is_refused() {
        let stop = heard(&WORDS, false).unwrap();
        assert!(stop.refuses(&form(), "dA"));
        for other in ["d", "dAB", "dB", ""] {
            assert!(!stop.refuses(&form(), other), "{other}");
        }
        assert_eq!(stop.shown(), "Could not set up domain dA (rc = -22)");
        let stop = heard(&WORDS, true).unwrap();
        assert!(!stop.refuses(&form(), "dA"), "somebody ran already");
    }

    /// Neither a message without a stop nor a stop that is not complete is one, and a guest's text is neither.
    #[test]
    fn messages_are_no_last_words() {
        assert_eq!(heard(&[WORDS[0], WORDS[2], WORDS[4]], false), None);
        assert_eq!(heard(&WORDS[..4], false), None);
        let told: Vec<String> = WORDS
            .iter()
            .map(|line| format!("(HV) DOM1: {line}"))
            .collect();
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        assert_eq!(heard(&told, false), None);
        let mut deaf = PanicDetector::new(None);
        assert!(WORDS.iter().all(|line| deaf.line(line, false).is_none()));
    }
}
