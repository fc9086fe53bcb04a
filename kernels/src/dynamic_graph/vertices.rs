//! Vertices have places in dense arrays, whatever their ids. Ids that are themselves dense are
//! found by index, others by hash.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::pages::Pages;
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};
use crate::vector::Ahead;

/// No vertex.
pub(super) const NOBODY: u32 = u32::MAX;

/// Vertices at most: lists of neighbours keep marks in the bits above.
const N_VERTICES_MAX: u32 = 1 << 30;

/// Ids and their slots. Slots of vertices that are gone are given again, the last one first.
#[derive(Debug, Default, Clone)]
pub(super) struct Vertices {
    /// The slots of ids from 0 on, or [`NOBODY`].
    near: Pages<u32>,
    /// Those of all other ids. Nothing iterates it.
    far: HashMap<i64, u32, FixedState>,
    ids: Pages<i64>,
    is_held: Vec<bool>,
    free: Vec<u32>,
}

impl Vertices {
    /// How many slots there are, also those that nobody holds.
    pub(super) fn n_slots(&self) -> usize {
        self.ids.len()
    }

    /// The slot of a vertex that is there.
    #[inline]
    pub(super) fn slot(&self, id: i64) -> Option<u32> {
        match usize::try_from(id).ok().and_then(|at| self.near.get(at)) {
            Some(slot) => (*slot != NOBODY).then_some(*slot),
            None => self.far.get(&id).copied(),
        }
    }

    /// Asks for where the slot of an id stands, if the id is near.
    #[inline]
    pub(super) fn fetch(&self, ahead: Ahead, id: i64) {
        if let Some(slot) = usize::try_from(id).ok().and_then(|at| self.near.get(at)) {
            ahead.fetch(std::slice::from_ref(slot));
        }
    }

    /// The id in a slot.
    pub(super) fn id(&self, slot: u32) -> i64 {
        self.ids[slot as usize]
    }

    /// Whether somebody holds the slot.
    pub(super) fn is_held(&self, slot: u32) -> bool {
        self.is_held[slot as usize]
    }

    /// The slot of a vertex, which is there from now on.
    ///
    /// # Panics
    /// Beyond 2^30 vertices.
    #[inline]
    pub(super) fn hold(&mut self, id: i64) -> u32 {
        if let Some(slot) = self.slot(id) {
            return slot;
        }
        self.come(id)
    }

    #[cold]
    fn come(&mut self, id: i64) -> u32 {
        let slot = if let Some(slot) = self.free.pop() {
            self.ids[slot as usize] = id;
            self.is_held[slot as usize] = true;
            slot
        } else {
            let slot = u32::try_from(self.ids.len()).expect("fewer vertices than 2^32");
            assert!(slot < N_VERTICES_MAX, "a graph has at most {N_VERTICES_MAX} vertices");
            self.ids.push(id);
            self.is_held.push(true);
            slot
        };
        self.widen(id);
        self.put(id, slot);
        slot
    }

    /// As many ids are near as there are slots, and some: so the array is never mostly empty.
    fn widen(&mut self, id: i64) {
        let n_near = (4 * self.ids.len()).next_power_of_two();
        let is_next = usize::try_from(id).is_ok_and(|at| self.near.len() <= at && at < n_near);
        if !is_next {
            return;
        }
        self.near.resize(n_near, NOBODY);
        for slot in 0..self.ids.len() {
            let (id, slot) = (self.ids[slot], u32::try_from(slot).expect("slots have 32 bits"));
            if self.far.get(&id) == Some(&slot) && usize::try_from(id).is_ok_and(|at| at < n_near) {
                self.far.remove(&id);
                self.put(id, slot);
            }
        }
    }

    fn put(&mut self, id: i64, slot: u32) {
        match usize::try_from(id).ok().and_then(|at| self.near.get_mut(at)) {
            Some(place) => *place = slot,
            None => {
                self.far.insert(id, slot);
            }
        }
    }

    /// The slot is free.
    pub(super) fn let_go(&mut self, slot: u32) {
        let id = self.ids[slot as usize];
        assert!(self.slot(id) == Some(slot), "slot {slot} is held");
        match usize::try_from(id).ok().and_then(|at| self.near.get_mut(at)) {
            Some(place) => *place = NOBODY,
            None => {
                self.far.remove(&id);
            }
        }
        self.is_held[slot as usize] = false;
        self.free.push(slot);
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        self.far.allocation_size()
            + self.near.state_bytes()
            + self.ids.state_bytes()
            + self.is_held.capacity()
            + self.free.capacity() * 4
    }

    pub(super) fn save(&self, out: &mut SnapshotWriter<'_>) -> std::io::Result<()> {
        out.numbers("ids", self.ids.iter().copied())?;
        out.numbers("free", self.free.iter().copied())
    }

    pub(super) fn load(input: &mut SnapshotReader<'_>) -> Result<Self, LoadError> {
        let ids = Pages::from(&input.numbers::<i64>("ids")?[..]);
        let free: Vec<u32> = input.numbers("free")?;
        let mut is_held = vec![true; ids.len()];
        for slot in &free {
            match is_held.get_mut(*slot as usize) {
                Some(held) if *held => *held = false,
                _ => return Err(LoadError::Damaged { section: "free" }),
            }
        }
        let mut vertices = Self { ids, is_held, free, ..Self::default() };
        for slot in 0..vertices.ids.len() {
            if vertices.is_held[slot] {
                let id = vertices.ids[slot];
                if vertices.slot(id).is_some() {
                    return Err(LoadError::Damaged { section: "ids" });
                }
                vertices.widen(id);
                vertices.put(id, u32::try_from(slot).expect("slots have 32 bits"));
            }
        }
        Ok(vertices)
    }
}
