//! A range of keys that is listed page by page. No clients, no clocks.

use super::cut::{Cut, Guess, Shape};

/// How often a range is cut until its next page tells more of it.
const MOST_CUTS: u32 = 3;

/// One version of a key, or a delete marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The key.
    pub key: String,
    /// Its id.
    pub id: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// When it was written, in seconds since 1970; none for a delete marker.
    pub modified: Option<i64>,
}

/// Behind which key a page begins, and behind which version of it where the rest of them is still to come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marker {
    /// The key; empty in the beginning.
    pub key: String,
    /// The version.
    pub version: Option<String>,
}

/// An answer to a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// In any order.
    pub versions: Vec<Version>,
    /// Where it goes on, where it does.
    pub next: Option<Marker>,
}

/// The keys behind one, up to and with another.
#[derive(Debug)]
pub struct Range {
    /// Counts up.
    pub id: u64,
    /// What was listed of it so far.
    pub after: Marker,
    /// Whether a page is being listed.
    pub asked: bool,
    until: Option<String>,
    /// Of its last page.
    shape: Option<Shape>,
    cut: Option<Cut>,
    /// How often it was cut since its last page.
    cuts: u32,
}

impl Range {
    /// All keys.
    pub fn all(id: u64) -> Self {
        Range { id, after: Marker::default(), asked: false, until: None, shape: None, cut: None, cuts: 0 }
    }

    /// About how many pages it still has, where cutting it is worth a call.
    pub fn pages(&self) -> Option<f64> {
        self.cut.as_ref().map(|cut| cut.pages).filter(|_| self.cuts < MOST_CUTS)
    }

    /// Cuts off its further end. A key's versions stay together. A page that is being listed may reach into it.
    pub fn divide(&mut self, id: u64) -> Option<Range> {
        self.pages()?;
        self.cuts += 1;
        let cut = self.cut.take()?.key;
        let after = Marker { key: cut.clone(), version: None };
        let further = Range { until: self.until.replace(cut), after, ..Range::all(id) };
        self.think();
        Some(further)
    }

    /// Whether a page holds what it was not asked for.
    pub fn is_mistaken(&self, page: &Page) -> bool {
        let after = &self.after;
        page.versions.iter().any(|it| it.key < after.key || it.key == after.key && after.version.is_none())
    }

    /// Takes the page that it asked for, and goes on behind it: leaves in the page what is its own and is not on the
    /// next page too. False where it was the last one.
    pub fn take(&mut self, page: &mut Page) -> bool {
        self.asked = false;
        self.cuts = 0;
        let next = self.next(page);
        let listed = page.versions.len();
        page.versions.retain(|it| self.until.as_ref().is_none_or(|until| it.key <= *until));
        let reached_its_end = page.versions.len() < listed;
        let Some(next) = next else { return false };
        page.versions.retain(|it| it.key <= next.key);
        // Whoever answers with the same page again and again isn't listened to: what is left is found by the next look.
        let goes_on = next.key > self.after.key || next.key == self.after.key && next != self.after;
        let is_end = |until: &String| next.key > *until || next.key == *until && next.version.is_none();
        let is_over = reached_its_end || !goes_on || self.until.as_ref().is_some_and(is_end);
        self.after = next;
        self.think();
        !is_over
    }

    /// Where its next page begins: not within the versions of a key, if the page holds another one. The version that
    /// it would begin behind may be deleted by then, which real S3 can bear, but not everyone who stands in for it.
    fn next(&mut self, page: &Page) -> Option<Marker> {
        let next = page.next.clone()?;
        let mut keys: Vec<&str> = page.versions.iter().map(|version| version.key.as_str()).collect();
        keys.sort();
        keys.dedup();
        keys.pop();
        self.shape = Shape::of(&keys);
        let whole = keys.last().map(|key| Marker { key: (*key).to_owned(), version: None });
        Some(whole.unwrap_or(next))
    }

    fn think(&mut self) {
        let guess = if self.cuts == 0 { Guess::Half } else { Guess::Near };
        let cut = |shape: &Shape| shape.cut(&self.after.key, self.until.as_deref(), guess);
        self.cut = self.shape.as_ref().and_then(cut);
    }
}
