//! Recognizes the panic message of a host that stops as a whole, and the domain that it names. It is the only
//! hypervisor output on which a verdict rests, and only because nothing follows it.

use runners::{DOMAIN, PanicFormat};
use serde::Serialize;

/// A host panic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HostPanic {
    /// The lines between the first and the last line of the message.
    pub words: Vec<String>,
    /// Whether a domain had sent a frame before.
    pub late: bool,
}

/// Number of lines that are kept.
const KEPT: usize = 64;

/// Scans the console for the host's panic message.
#[derive(Debug)]
pub struct PanicDetector {
    form: Option<PanicFormat>,
    heard: Option<HostPanic>,
}

impl PanicDetector {
    /// Starts to scan for messages of this form; without a form it finds none.
    pub fn new(form: Option<PanicFormat>) -> Self {
        Self { form, heard: None }
    }

    /// Takes one line. Returns the panic if the line completes it; `late` says whether a domain has sent a frame.
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
    /// Tells whether the host stopped because of this domain, before any domain ran.
    pub fn refuses(&self, form: &PanicFormat, domain: &str) -> bool {
        let names = |line: &String| form.names.iter().any(|name| names(line, name, domain));
        !self.late && self.words.iter().any(names)
    }

    /// Shows the informative lines of the message as one line.
    pub fn shown(&self) -> String {
        let says = |line: &&str| line.chars().any(char::is_alphanumeric);
        let words = self.words.iter().map(|line| bare(line)).filter(says);
        words.collect::<Vec<_>>().join(" ")
    }
}

/// Removes the hypervisor's prefix from a line.
fn bare(line: &str) -> &str {
    match line.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((_, rest)) => rest.trim(),
        None => line.trim(),
    }
}

/// Tells whether a line begins as `form` says and names this domain, not one whose name merely begins with it.
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

    /// A host that stops because of a domain before any domain ran refuses that domain and no other.
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

    /// A message without a stop is no panic, nor is an incomplete message or a guest's text.
    #[test]
    fn messages_of_a_running_host_are_no_panic() {
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
