//! Diagnostics for a terminal: the line, with the wrong part marked below it.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use text::{visible, visible_line};

use crate::diagnostic::{Diagnostic, Severity};

/// Renders a diagnostic with its line and a mark below the wrong part, in colours if wanted. Ends with a line feed.
///
/// The output contains no control characters of the diagnostic's text.
pub fn render(note: &Diagnostic, colours: bool) -> String {
    let level = match note.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let file = visible_line(&note.file);
    let line = usize::try_from(note.line).unwrap_or(usize::MAX);
    let title = level.primary_title(visible(&note.message));
    let group = if note.line == 0 || note.excerpt.is_empty() {
        let mut origin = Origin::path(file);
        if note.line > 0 {
            origin = origin.line(line);
        }
        Group::with_title(title).element(origin)
    } else {
        let (source, marked) = source(note);
        let snippet = Snippet::source(source).line_start(line).path(file);
        let mark = AnnotationKind::Primary.span(marked);
        Group::with_title(title).element(snippet.annotation(mark))
    };
    let group = match &note.help {
        Some(help) => group.element(Level::HELP.message(visible(help))),
        None => group,
    };
    let renderer = match colours {
        true => Renderer::styled(),
        false => Renderer::plain(),
    };
    renderer.render(&[group]) + "\n"
}

/// Returns the line as shown, and the range of bytes that is marked: the wrong part, or all that is not blank.
fn source(note: &Diagnostic) -> (String, Range<usize>) {
    let line: String = note.excerpt.chars().map(stand_in).collect();
    let byte = |characters: u32| {
        let place = usize::try_from(characters).unwrap_or(usize::MAX);
        line.char_indices()
            .nth(place)
            .map_or(line.len(), |(at, _)| at)
    };
    let marked = match note.column.checked_sub(1) {
        Some(start) => byte(start)..byte(start.saturating_add(note.width)),
        None => {
            let start = line.len() - line.trim_start().len();
            start..line.trim_end().len().max(start)
        }
    };
    (line, marked)
}

/// Returns a visible character in the place of an invisible one. One for one, so that columns stay the same.
fn stand_in(character: char) -> char {
    match character {
        '\t' => ' ',
        // Unicode has a symbol for each ASCII control character.
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        _ if visible(character.encode_utf8(&mut [0; 4])).starts_with(character) => character,
        _ => '\u{fffd}',
    }
}

#[cfg(test)]
mod tests;
