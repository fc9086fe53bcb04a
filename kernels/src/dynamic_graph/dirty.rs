//! Which vertices may have another answer than was last said.

/// A set of slots, or all of them.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    pub(super) slots: Vec<u32>,
    is_in: Vec<bool>,
    pub(super) is_all: bool,
}

impl Dirty {
    pub(super) fn grow(&mut self, n_slots: usize) {
        if self.is_in.len() < n_slots {
            self.is_in.resize(n_slots, false);
        }
    }

    pub(super) fn mark(&mut self, slot: u32) {
        if !std::mem::replace(&mut self.is_in[slot as usize], true) {
            self.slots.push(slot);
        }
    }

    /// The slot is in no more; whoever calls takes it off the list.
    pub(super) fn unmark(&mut self, slot: u32) {
        self.is_in[slot as usize] = false;
    }
}
