//! The words of an operation in order, each read as the operand that must be there.

use wire::{Irq, Path, Place, Values, Width};

use super::Scope;

/// The longest wait of a script that does not say, in milliseconds. No wait takes that long unless something is wrong.
pub const PATIENCE: u32 = 5000;

/// The words that are left of a text.
#[derive(Debug)]
pub struct Operands<'t, 's> {
    text: &'t str,
    words: std::iter::Peekable<std::str::SplitWhitespace<'t>>,
    /// What the words mean.
    pub scope: Scope<'s>,
}

impl<'t, 's> Operands<'t, 's> {
    /// Starts to read a text.
    pub fn of(text: &'t str, scope: Scope<'s>) -> Self {
        Self {
            text,
            words: text.split_whitespace().peekable(),
            scope,
        }
    }

    /// Returns the next word.
    pub fn word(&mut self, what: &str) -> Result<&'t str, String> {
        let next = self.words.next();
        next.ok_or_else(|| format!("`{}`: {what} is missing", self.text))
    }

    /// Returns the next word without taking it.
    pub fn peek(&mut self) -> Option<&'t str> {
        self.words.peek().copied()
    }

    /// Tells whether no word is left.
    pub fn is_empty(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Returns the words that are left, as one text.
    pub fn rest(&mut self) -> String {
        let words: Vec<&str> = self.words.by_ref().collect();
        words.join(" ")
    }

    /// Refuses further words.
    pub fn end(mut self) -> Result<(), String> {
        match self.words.next() {
            None => Ok(()),
            Some(word) => Err(format!("`{}`: `{word}` is one word too many", self.text)),
        }
    }

    /// Reads an expression.
    pub fn number(&mut self, what: &str) -> Result<u64, String> {
        let word = self.word(what)?;
        self.scope.number(word)
    }

    /// Reads an expression of at most 32 bits.
    pub fn number32(&mut self, what: &str) -> Result<u32, String> {
        let word = self.word(what)?;
        self.scope.number32(word)
    }

    /// Reads an expression of at most 8 bits.
    pub fn number8(&mut self, what: &str) -> Result<u8, String> {
        let word = self.word(what)?;
        let number = self.scope.number(word)?;
        u8::try_from(number).map_err(|_| format!("`{word}` does not fit 8 bits"))
    }

    /// Reads an expression of at most 32 bits if there is another word.
    pub fn number32_or(&mut self, what: &str, usual: u32) -> Result<u32, String> {
        match self.is_empty() {
            true => Ok(usual),
            false => self.number32(what),
        }
    }

    /// Reads an address.
    pub fn address(&mut self) -> Result<u64, String> {
        self.number("an address")
    }

    /// Reads a value of a size; `ones` is all bits of it.
    pub fn value(&mut self, what: &str, width: Width) -> Result<u64, String> {
        let word = self.word(what)?;
        if word == "ones" {
            return Ok(width.max());
        }
        match self.scope.number(word)? {
            value if value <= width.max() => Ok(value),
            value => Err(format!(
                "`{}`: {value:#x} does not fit {} bits",
                self.text,
                width.bits()
            )),
        }
    }

    /// Reads an interrupt.
    pub fn irq(&mut self) -> Result<Irq, String> {
        self.number32("an interrupt").map(Irq)
    }

    /// Reads one of several words.
    pub fn one_of<T: Copy>(&mut self, what: &str, known: &[(&str, T)]) -> Result<T, String> {
        let word = self.word(what)?;
        let found = known.iter().find(|(name, _)| *name == word);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names = known.iter().map(|(name, _)| *name).collect::<Vec<_>>();
            format!("`{word}` is no {what}; there are `{}`", names.join("`, `"))
        })
    }

    /// Reads a path of the host's tree.
    pub fn path(&mut self) -> Result<Path, String> {
        let word = self.word("a node of the host's tree")?;
        let path = self.scope.path(word)?;
        Path::new(&path).ok_or_else(|| format!("`{path}` is too long for a hypercall"))
    }

    /// Reads a place in scratch memory: `SLOT` or `SLOT+OFFSET`.
    pub fn place(&mut self) -> Result<Place, String> {
        let word = self.word("a place in scratch memory")?;
        self.place_of(word)
    }

    /// Reads a place in scratch memory from a word.
    pub fn place_of(&self, word: &str) -> Result<Place, String> {
        let (slot, offset) = word.split_once('+').unwrap_or((word, "0"));
        let slot = u8::try_from(self.scope.number(slot)?).ok();
        let offset = u16::try_from(self.scope.number(offset)?).ok();
        let place = slot
            .zip(offset)
            .and_then(|(slot, offset)| Place::new(slot, offset));
        place.ok_or_else(|| format!("`{word}` is no place in scratch memory: `SLOT+OFFSET`"))
    }

    /// Reads all words that are left as arguments; `name` finds what is no number.
    pub fn values(&mut self, name: &dyn Fn(&str) -> Option<u64>) -> Result<Values, String> {
        let mut values = Values::NONE;
        while let Some(word) = self.words.next() {
            let value = match word.strip_prefix('@') {
                Some(place) => wire::Value::At(self.place_of(place)?),
                None => wire::Value::Number(match name(word) {
                    Some(number) => number,
                    None => self.scope.number(word)?,
                }),
            };
            let pushed = values.push(value);
            pushed.ok_or_else(|| format!("`{}`: too many arguments", self.text))?;
        }
        Ok(values)
    }
}

/// Splits a word such as `read32` into its verb and its size.
pub fn access<'t>(word: &'t str, verb: &str) -> Option<(&'t str, Width)> {
    let bits = word.strip_prefix(verb)?;
    let width = match bits {
        "8" => Width::W8,
        "16" => Width::W16,
        "32" => Width::W32,
        "64" => Width::W64,
        _ => return None,
    };
    Some((bits, width))
}
