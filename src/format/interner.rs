//! Texts that come again and again, each kept once.

use std::collections::HashMap;
use std::sync::Arc;

/// The id of a text that is not there.
pub(crate) const ABSENT: u32 = u32::MAX;

/// Texts by number.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    ids: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

impl Interner {
    /// Returns the id of a text, the same for equal texts.
    pub(crate) fn id(&mut self, text: &str) -> u32 {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let shared: Arc<str> = text.into();
        let id = u32::try_from(self.texts.len()).unwrap_or(ABSENT);
        self.texts.push(shared.clone());
        self.ids.insert(shared, id);
        id
    }

    /// Returns the text of an id; empty for [`ABSENT`].
    pub(crate) fn text(&self, id: u32) -> Arc<str> {
        self.texts.get(id as usize).cloned().unwrap_or_default()
    }
}
