//! The headings above the current line, nested by the rules of reStructuredText.

/// The open headings. A mark that is used for the first time nests below all earlier ones.
#[derive(Default)]
pub(super) struct Headings<'t> {
    marks: Vec<char>,
    /// The level of each open heading, and its text, outermost first.
    open: Vec<(usize, &'t str)>,
}

impl<'t> Headings<'t> {
    /// Opens a heading. An empty one (a line across the page) changes nothing.
    pub(super) fn push(&mut self, text: &'t str, underline: &str) {
        let text = text.trim();
        let (false, Some(mark)) = (text.is_empty(), underline.chars().next()) else {
            return;
        };
        let level = self
            .marks
            .iter()
            .position(|&known| known == mark)
            .unwrap_or_else(|| {
                self.marks.push(mark);
                self.marks.len() - 1
            });
        while self.open.last().is_some_and(|&(above, _)| above >= level) {
            self.open.pop();
        }
        self.open.push((level, text));
    }

    /// Returns the heading above an item, without the item's own `title`.
    pub(super) fn above(&self, title: Option<&str>) -> Option<&'t str> {
        let own = title.is_some_and(|title| !title.trim().is_empty());
        self.open
            .iter()
            .rev()
            .map(|&(_, text)| text)
            .nth(usize::from(own))
    }
}
