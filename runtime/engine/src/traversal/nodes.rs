//! The nodes of a graph, by their rows and by their places, and the edges between them.

use std::hint::black_box;
use std::ops::{Index, IndexMut};

use hashbrown::hash_map::Entry;

use crate::memory::{signed, table_bytes};
use crate::packed::Packed;
use crate::source::PackedMap;

use super::counts::{Edges, Way};

/// A node's place in the table.
pub(super) type Place = u32;

/// A node that the present epoch has not touched.
pub(super) const UNTOUCHED: u32 = u32::MAX;

/// Nodes that are read together, ahead of what is done with them.
pub(super) const AHEAD: usize = 32;

/// A node.
#[derive(Debug)]
pub(super) struct Node<K, W: Way, S> {
    pub(super) row: K,
    /// What is known of it beside its edges.
    pub(super) state: S,
    pub(super) edges: Edges<W>,
    /// How many edges lead here.
    n_led_by: u32,
    /// Where it stands among those that the epoch has touched.
    pub(super) touched: u32,
}

/// All nodes that are known.
#[derive(Debug)]
pub(super) struct Nodes<K: Packed, W: Way, S> {
    places: PackedMap<Place, K>,
    all: Vec<Node<K, W, S>>,
    free: Vec<Place>,
    /// Nodes that may be nothing any more.
    idle: Vec<Place>,
    /// What nodes have elsewhere in memory, as far as it is known here: rows and edges.
    n_listed: i64,
}

impl<K: Packed, W: Way, S> Default for Nodes<K, W, S> {
    fn default() -> Self {
        Self {
            places: PackedMap::default(),
            all: Vec::new(),
            free: Vec::new(),
            idle: Vec::new(),
            n_listed: 0,
        }
    }
}

impl<K: Packed, W: Way, S: Default> Nodes<K, W, S> {
    /// How many.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Where a node is, which is made if there is none.
    pub(super) fn place(&mut self, row: K) -> Place {
        let room = match self.places.entry(row) {
            Entry::Occupied(place) => return *place.get(),
            Entry::Vacant(room) => room,
        };
        let row = room.key().clone();
        self.n_listed += key_bytes(&row);
        let edges = Edges::default();
        let node = Node { row, state: S::default(), edges, n_led_by: 0, touched: UNTOUCHED };
        let place = if let Some(place) = self.free.pop() {
            self.all[place as usize] = node;
            place
        } else {
            let place = Place::try_from(self.all.len());
            let place = place.ok().filter(|place| *place != UNTOUCHED);
            self.all.push(node);
            place.expect("a graph has fewer than 2^32 nodes")
        };
        *room.insert(place)
    }

    /// All of them by their places; those that are no more have no edges and know of nothing.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &Node<K, W, S>)> {
        (0..).zip(&self.all)
    }

    /// Has nodes come near that are known: the lines of many come together where nothing waits for
    /// one of them.
    pub(super) fn read_ahead_of<'r>(&self, rows: impl Iterator<Item = &'r K>)
    where
        K: 'r,
    {
        rows.filter_map(|row| self.places.get(row)).for_each(|at| self.read_ahead(*at));
    }

    /// The same of one.
    pub(super) fn read_ahead(&self, at: Place) {
        let node = &self[at];
        black_box((node.touched, node.edges.is_empty()));
    }

    /// Adds to the multiplicity of an edge between two nodes.
    pub(super) fn change_edge(&mut self, from: Place, (way, to): (W, Place), diff: i64) {
        let edges = &mut self[from].edges;
        let listed = edges.bytes();
        let n_more = edges.change(way, diff);
        self.n_listed += self[from].edges.bytes() - listed;
        let n_led_by = &mut self[to].n_led_by;
        match n_more {
            1 => *n_led_by += 1,
            -1 => {
                *n_led_by -= 1;
                self.idle.extend([from, to]);
            }
            _ => {}
        }
    }

    /// A node may be nothing any more.
    pub(super) fn may_go(&mut self, at: Place) {
        self.idle.push(at);
    }

    /// Lets go of those that are nothing any more: without an edge, and with such a state.
    pub(super) fn let_go(&mut self, is_nothing: impl Fn(Place, &S) -> bool) {
        for at in std::mem::take(&mut self.idle) {
            let node = &self[at];
            let is_alone = node.edges.is_empty() && node.n_led_by == 0;
            if is_alone && is_nothing(at, &node.state) && self.places.get(&node.row) == Some(&at) {
                let bytes = key_bytes(&node.row);
                self.places.remove(&self.all[at as usize].row);
                self.n_listed -= bytes;
                self.free.push(at);
            }
        }
    }

    /// What they take in memory, states that have something elsewhere aside.
    pub(super) fn bytes(&self) -> i64 {
        let all = self.all.capacity() * size_of::<Node<K, W, S>>();
        let free = self.free.capacity() * size_of::<Place>();
        self.n_listed + table_bytes(&self.places) + signed(all + free)
    }
}

impl<K: Packed, W: Way, S> Index<Place> for Nodes<K, W, S> {
    type Output = Node<K, W, S>;

    fn index(&self, at: Place) -> &Self::Output {
        &self.all[at as usize]
    }
}

impl<K: Packed, W: Way, S> IndexMut<Place> for Nodes<K, W, S> {
    fn index_mut(&mut self, at: Place) -> &mut Self::Output {
        &mut self.all[at as usize]
    }
}

/// What a node's row takes elsewhere in memory, in the table and in the node.
fn key_bytes<K: Packed>(row: &K) -> i64 {
    2 * signed(row.heap_bytes())
}
