//! Reads requirement items out of reStructuredText, line by line, as OFT does.
//!
//! The reader is a state machine that sees one line and the next. In each state the first match decides what a line is,
//! and a line that matches nothing is dropped. The order of the tests in [`Reader::step`] therefore defines the format.

use std::sync::Arc;

use super::{
    chars::{is_one_line, is_trimmed},
    diagnostic::Diagnostic,
    id::{Id, IdError},
    item::{Item, Location, Reference},
    line::{self, Keyword},
    lines::placed_lines,
};

mod headings;
mod hints;

use hints::Hint;

/// The state of the reader: its place in an item, or outside of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Outside,
    Title,
    Item,
    Description,
    Rationale,
    Comment,
    Covers,
    Depends,
    Needs,
    Tags,
}

/// Reads all of `text`. Total: whatever the text is, it yields items and diagnostics.
pub(super) fn read(
    file: &Arc<str>,
    text: &str,
    items: &mut Vec<Item>,
    notes: &mut Vec<Diagnostic>,
) {
    let mut reader = Reader {
        file,
        source: text,
        items,
        notes,
        state: State::Outside,
        title: None,
        open: None,
        run: None,
        number: 0,
        headings: headings::Headings::default(),
        forwards: text.contains("-->"),
    };
    let mut switched_off = None;
    let switches = text.contains("oft:o");
    let mut rest = placed_lines(text).peekable();
    while let Some((at, line)) = rest.next() {
        reader.number += 1;
        if switches && switched_off.is_some() {
            if line::has_switch(line, "oft:on") {
                switched_off = None;
            }
        } else if switches && line::has_switch(line, "oft:off") {
            switched_off = Some((reader.number, line));
        } else {
            reader.step(at, line, rest.peek().map(|&(_, next)| next));
        }
    }
    reader.close();
    if let Some((number, line)) = switched_off {
        let note = Diagnostic::warning(&**file, number, "`oft:off` holds to the end of the file");
        let note = note.highlight(line, "oft:off");
        notes.push(note.help("switch on again with a comment `.. oft:on`"));
    }
}

/// Adjacent lines of one part of an item that are not copied yet.
struct Run {
    from: usize,
    to: usize,
    /// Whether a line feed comes before them.
    apart: bool,
}

struct Reader<'r, 't> {
    file: &'r Arc<str>,
    source: &'t str,
    items: &'r mut Vec<Item>,
    notes: &'r mut Vec<Diagnostic>,
    state: State,
    /// The last heading, as long as only blank lines followed it.
    title: Option<&'t str>,
    open: Option<Item>,
    run: Option<Run>,
    number: u32,
    headings: headings::Headings<'t>,
    /// Whether the file has an arrow at all.
    forwards: bool,
}

impl<'t> Reader<'_, 't> {
    /// Processes the line that begins at `at`. `next` is the line after it, if there is one.
    fn step(&mut self, at: usize, line: &'t str, next: Option<&'t str>) {
        let titled = next.filter(|next| line::is_underline(next));
        match self.state {
            State::Outside => {
                if !self.try_item(line) && !self.try_forward(line) {
                    match titled {
                        Some(mark) => self.heading(line, mark),
                        None => self.hint(line, hints::stray(line, false)),
                    }
                }
            }
            State::Title => {
                if line::is_underline(line) {
                    // The heading's own underline; further ones change nothing.
                } else if let Some(mark) = titled {
                    self.heading(line, mark);
                } else if !self.try_item(line) && !line::is_blank(line) && !self.try_forward(line) {
                    self.hint(line, hints::stray(line, true));
                    if is_one_line(line) {
                        self.title = None;
                        self.state = State::Outside;
                    }
                }
            }
            State::Item => self.step_item(at, line, titled),
            State::Description | State::Rationale | State::Comment => {
                if !self.try_item(line) && !self.try_title(line, titled) && !self.try_keyword(line)
                {
                    let forward = self.state == State::Description && self.try_forward(line);
                    if !forward && is_one_line(line) {
                        self.text(at, line, true);
                    }
                }
            }
            State::Covers | State::Depends | State::Needs => {
                let known = self.try_item(line)
                    || self.try_title(line, titled)
                    || self.try_entry(line)
                    || self.try_keyword(line)
                    || self.try_forward(line);
                if !known {
                    self.hint_lost(line);
                }
            }
            State::Tags => {
                // A bullet is a tag even if it is underlined; only in this state do lists come first.
                let known = self.try_entry(line)
                    || self.try_title(line, titled)
                    || self.try_item(line)
                    || self.try_keyword(line);
                if !known && line::is_blank(line) {
                    self.state = State::Item;
                } else if !known && !self.try_forward(line) {
                    self.hint_lost(line);
                }
            }
        }
    }

    /// Processes a line right after an item's id, before any of its parts or between them.
    fn step_item(&mut self, at: usize, line: &'t str, titled: Option<&'t str>) {
        if self.try_item(line) {
            return;
        }
        let keyword = line::keyword(line);
        // These three are keywords even if they are underlined.
        let first = match keyword {
            Some(Keyword::Status(status)) => {
                if let Some(item) = &mut self.open {
                    item.status = status;
                }
                return;
            }
            Some(Keyword::Rationale | Keyword::Comment { .. }) => true,
            _ => false,
        };
        if !first && self.try_title(line, titled) {
            return;
        }
        if keyword == Some(Keyword::Description) {
            self.state = State::Description;
        } else if !self.try_keyword(line) && !self.try_forward(line) && !line.is_empty() {
            self.state = State::Description;
            self.text(at, line, false);
        }
    }

    /// Starts an item if the line is an id.
    fn try_item(&mut self, line: &'t str) -> bool {
        let Some(id) = line::item_id(line) else {
            return false;
        };
        self.close();
        self.state = State::Outside;
        if let Some(id) = self.sound(id, line) {
            let title = self.title.take();
            let item = Item::new(id, self.here());
            let group = self.headings.above(title).map(str::to_owned);
            self.open = Some(Item {
                title: title.map(str::to_owned),
                group,
                ..item
            });
            self.state = State::Item;
        }
        true
    }

    /// Ends the open item with a heading if the line is one.
    fn try_title(&mut self, line: &'t str, titled: Option<&'t str>) -> bool {
        let Some(mark) = titled else { return false };
        self.close();
        self.heading(line, mark);
        true
    }

    fn heading(&mut self, line: &'t str, underline: &'t str) {
        self.headings.push(line, underline);
        self.title = Some(line);
        self.state = State::Title;
    }

    /// Ends the open item with a forward if the line has one.
    fn try_forward(&mut self, line: &str) -> bool {
        if !self.forwards {
            return false;
        }
        let Some(forward) = line::forward(line) else {
            return false;
        };
        self.close();
        self.title = None;
        self.state = State::Outside;
        if let Some(original) = self.sound(forward.original, line) {
            let id = original.of_kind(forward.kind);
            let needs = forward.needs.into_iter().map(str::to_owned).collect();
            let covers = vec![Reference {
                id: original,
                line: self.number,
            }];
            self.items.push(Item {
                covers,
                needs,
                forwards: true,
                ..Item::new(id, self.here())
            });
        }
        true
    }

    /// Starts another part of the item if the line is a keyword that is valid here.
    fn try_keyword(&mut self, line: &str) -> bool {
        let Some(keyword) = line::keyword(line) else {
            return false;
        };
        let allowed = match keyword {
            Keyword::Description | Keyword::Status(_) => false,
            Keyword::Rationale => self.state != State::Rationale,
            Keyword::Comment { .. } => self.state != State::Comment,
            Keyword::Covers => self.state != State::Covers,
            Keyword::Depends | Keyword::Tags | Keyword::TagsInline(_) => true,
            Keyword::Needs | Keyword::NeedsInline(_) => self.state != State::Needs,
        };
        let Some(item) = self.open.as_mut().filter(|_| allowed) else {
            return false;
        };
        Self::flush(self.source, self.state, &mut self.run, item);
        self.state = match keyword {
            Keyword::Description | Keyword::Status(_) => self.state,
            Keyword::Rationale => {
                item.rationale.push('\n');
                State::Rationale
            }
            Keyword::Comment { .. } => State::Comment,
            Keyword::Covers => State::Covers,
            Keyword::Depends => State::Depends,
            Keyword::Needs => State::Needs,
            Keyword::Tags => State::Tags,
            Keyword::NeedsInline(kinds) => {
                item.needs.extend(line::list(kinds));
                State::Item
            }
            Keyword::TagsInline(tags) => {
                item.tags.extend(line::list(tags));
                State::Tags
            }
        };
        if keyword == (Keyword::Comment { plural: true }) {
            self.hint(line, Some(hints::plural(line)));
        }
        true
    }

    /// Processes a bullet of the current list.
    fn try_entry(&mut self, line: &str) -> bool {
        match self.state {
            State::Needs => {
                let Some(kind) = line::needed_kind(line) else {
                    return false;
                };
                if let Some(item) = &mut self.open {
                    item.needs.push(kind.to_owned());
                }
                self.hint(line, hints::kind(line, kind));
            }
            State::Tags => {
                let Some(tags) = line::tag_entry(line) else {
                    return false;
                };
                if let Some(item) = &mut self.open {
                    item.tags.extend(line::list(tags));
                }
            }
            _ => {
                let Some(referred) = line::reference(line) else {
                    return false;
                };
                self.hint(line, hints::hidden(&referred));
                let Some(id) = self.sound(referred.id, line) else {
                    return true;
                };
                let reference = Reference {
                    id,
                    line: self.number,
                };
                match &mut self.open {
                    Some(item) if self.state == State::Covers => item.covers.push(reference),
                    Some(item) => item.depends.push(reference),
                    None => {}
                }
            }
        }
        true
    }

    /// Adds a line to the current text, after a line feed if `apart`, else directly after the existing text.
    fn text(&mut self, at: usize, line: &str, apart: bool) {
        self.hint(line, hints::text(line));
        let to = at + line.len();
        match &mut self.run {
            Some(run) if apart && self.source.get(run.to..at) == Some("\n") => run.to = to,
            run => {
                if let Some(item) = &mut self.open {
                    Self::flush(self.source, self.state, run, item);
                }
                *run = Some(Run {
                    from: at,
                    to,
                    apart,
                });
            }
        }
    }

    /// Copies the lines that were only recorded so far.
    fn flush(source: &str, state: State, run: &mut Option<Run>, item: &mut Item) {
        let Some(run) = run.take() else { return };
        let text = match state {
            State::Rationale => &mut item.rationale,
            State::Comment => &mut item.comment,
            _ => &mut item.description,
        };
        let lines = source.get(run.from..run.to).unwrap_or_default();
        text.reserve(lines.len() + 1);
        if run.apart {
            text.push('\n');
        }
        text.push_str(lines);
    }

    /// Ends the open item. Its heading is then used up.
    fn close(&mut self) {
        if let Some(mut item) = self.open.take() {
            Self::flush(self.source, self.state, &mut self.run, &mut item);
            for text in [
                &mut item.description,
                &mut item.rationale,
                &mut item.comment,
            ] {
                let end = text.trim_end_matches(is_trimmed).len();
                text.truncate(end);
                let start = end - text.trim_start_matches(is_trimmed).len();
                text.drain(..start);
            }
            self.items.push(item);
            self.title = None;
        }
    }

    /// Returns the id, or records why the line's id is unusable.
    fn sound(&mut self, id: Result<Id, IdError>, line: &str) -> Option<Id> {
        let error = match id {
            Ok(id) => return Some(id),
            Err(error) => error,
        };
        let note = Diagnostic::error(&**self.file, self.number, error.to_string());
        self.notes.push(note.highlight(line, error.highlight(line)));
        None
    }

    /// Records a hint about the line, if there is one.
    fn hint(&mut self, line: &str, hint: Option<Hint<'_>>) {
        let Some(hint) = hint else { return };
        let note = Diagnostic::warning(&**self.file, self.number, hint.message);
        self.notes
            .push(note.highlight(line, hint.culprit).help(hint.help));
    }

    /// Checks a line that the list of this state dropped.
    fn hint_lost(&mut self, line: &str) {
        let list = match self.state {
            State::Covers => "Covers",
            State::Depends => "Depends",
            State::Needs => "Needs",
            _ => "Tags",
        };
        self.hint(line, hints::lost(line, list));
    }

    fn here(&self) -> Location {
        Location {
            file: Arc::clone(self.file),
            line: self.number,
        }
    }
}

#[cfg(test)]
mod tests;
