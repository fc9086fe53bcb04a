//! What hangs together, whatever way edges point; a component is named by its least id.
//!
//! `pass` is union-find by size with halved paths (R. E. Tarjan and J. van Leeuwen, 1984). `itmd`
//! keeps a spanning forest: an edge between two components links them, and the smaller one is told
//! its new name; when an edge of the forest goes, both sides are walked in turns until the smaller
//! is known, and its edges are searched for one that leads back. That costs the smaller side, which
//! in graphs that grew by chance is a few vertices; a long path cut in its middle costs half of it.
//! (Structures that promise O(log^2 n) cost more than that on graphs of the first kind.)

use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};

use super::adjacency::Adjacency;
use super::dirty::Dirty;
use super::edges::{Edges, Flip};
use super::end::End;
use super::meter::{Meter, SLICE};

/// One component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Component {
    /// Its least id, unless that is being looked for.
    least: i64,
    /// How many vertices it has; a place without any is free.
    size: u32,
    /// One of its vertices.
    member: u32,
    /// Whether its vertices may have another name than before the step.
    is_renamed: bool,
}

/// The component of each vertex, and a forest that spans them.
#[derive(Debug, Default)]
pub(super) struct Components {
    /// Of each slot the place of its component; while a pass is under way, the slot that it hangs
    /// on.
    of: Vec<u32>,
    parts: Vec<Component>,
    free: Vec<u32>,
    forest: Adjacency,
    /// Edges of the forest that a pass found, for when the forest is needed.
    found: Option<Vec<[u32; 2]>>,
    renamed: Vec<u32>,
    /// When each slot was last walked over, and now.
    walked: Vec<u32>,
    now: u32,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// No step is under way.
    #[default]
    Rest,
    /// Each slot from this one on is its own component.
    Forget(usize),
    /// Edges of the slots from this one on join them.
    Unite(usize),
    /// Slots from this one on are told their components.
    Tell(usize),
    /// Places of components from this one on are used or free.
    Settle(usize),
    /// Flips from this one on are followed.
    Follow(usize),
    /// Components whose name may have changed, from this one on.
    Rename(usize),
}

/// No component.
const NONE: u32 = u32::MAX;

impl Components {
    /// The least id of the vertex's component.
    pub(super) fn answer(&self, slot: u32) -> Option<i64> {
        let at = self.of[slot as usize];
        (at != NONE).then(|| self.parts[at as usize].least)
    }

    pub(super) fn grow(&mut self, n_slots: usize) {
        if self.of.len() < n_slots {
            self.of.resize(n_slots, NONE);
            self.walked.resize(n_slots, 0);
            self.forest.grow(n_slots);
        }
    }

    /// All is computed anew.
    pub(super) fn begin_pass(&mut self) {
        self.stage = Stage::Forget(0);
    }

    /// Components follow what flipped.
    pub(super) fn begin_itmd(&mut self) {
        self.stage = Stage::Follow(0);
    }

    /// Work that the forest waits for.
    pub(super) fn n_waiting(&self) -> usize {
        self.found.as_ref().map_or(0, |found| 16 * found.len())
    }

    /// Goes on; true when the components are those of the edges. One cut is done in one piece.
    pub(super) fn advance(
        &mut self,
        edges: &Edges,
        flips: &[Flip],
        dirty: &mut Dirty,
        meter: &mut Meter,
    ) -> bool {
        while !meter.is_out() {
            self.stage = match self.stage {
                Stage::Rest => return true,
                Stage::Forget(at) => self.forget(at, meter),
                Stage::Unite(at) => self.unite(at, edges, meter),
                Stage::Tell(at) => self.tell(at, edges, meter),
                Stage::Settle(at) => self.settle(at, meter),
                Stage::Follow(at) => self.follow(at, (edges, flips), dirty, meter),
                Stage::Rename(at) => self.rename(at, edges, dirty, meter),
            };
        }
        self.stage == Stage::Rest
    }

    fn forget(&mut self, from: usize, meter: &mut Meter) -> Stage {
        if from == 0 {
            self.found = Some(Vec::new());
            self.parts.clear();
            self.free.clear();
        }
        let to = self.of.len().min(from + SLICE);
        for at in from..to {
            let slot = slot_at(at);
            self.of[at] = slot;
            // Sizes are kept where the components will be.
            let component = Component { least: 0, size: 1, member: slot, is_renamed: false };
            self.parts.push(component);
        }
        meter.spend(4 * (to - from));
        if to == self.of.len() { Stage::Unite(0) } else { Stage::Forget(to) }
    }

    fn unite(&mut self, from: usize, edges: &Edges, meter: &mut Meter) -> Stage {
        let mut at = from;
        while at < self.of.len() && !meter.is_out() {
            let slot = slot_at(at);
            let mut root = self.top(slot);
            edges.out.each(slot, |end| {
                let other = self.top(end.vertex());
                if other != root {
                    root = self.hang(root, other);
                    let found = self.found.get_or_insert_default();
                    found.push([slot, end.vertex()]);
                }
            });
            meter.spend(2 + 3 * edges.out.degree(slot));
            at += 1;
        }
        if at == self.of.len() { Stage::Tell(0) } else { Stage::Unite(at) }
    }

    /// The slot on top of this one.
    fn top(&mut self, slot: u32) -> u32 {
        let mut slot = slot as usize;
        loop {
            let above = self.of[slot] as usize;
            if above == slot {
                return slot_at(slot);
            }
            self.of[slot] = self.of[above];
            slot = self.of[slot] as usize;
        }
    }

    /// The smaller hangs on the larger, which is given.
    fn hang(&mut self, one: u32, other: u32) -> u32 {
        let size = |slot: u32| self.parts[slot as usize].size;
        let sum = size(one) + size(other);
        let (top, below) = if size(one) >= size(other) { (one, other) } else { (other, one) };
        self.of[below as usize] = top;
        self.parts[below as usize].size = 0;
        self.parts[top as usize].size = sum;
        top
    }

    /// A component stands at the place of its top, so slots need only their tops.
    fn tell(&mut self, from: usize, edges: &Edges, meter: &mut Meter) -> Stage {
        let to = self.of.len().min(from + SLICE);
        for at in from..to {
            let slot = slot_at(at);
            if !edges.is_named(slot) {
                // Nothing hangs on it.
                self.of[at] = NONE;
                self.parts[at].size = 0;
                continue;
            }
            let top = self.top(slot);
            self.of[at] = top;
            let component = &mut self.parts[top as usize];
            let id = edges.vertices.id(slot);
            // Until all slots are told, the flag says that there is an id to compare with.
            let has_least = std::mem::replace(&mut component.is_renamed, true);
            component.least = if has_least { component.least.min(id) } else { id };
        }
        meter.spend(6 * (to - from));
        if to == self.of.len() { Stage::Settle(0) } else { Stage::Tell(to) }
    }

    fn settle(&mut self, from: usize, meter: &mut Meter) -> Stage {
        let to = self.parts.len().min(from + SLICE);
        for at in from..to {
            let component = &mut self.parts[at];
            component.is_renamed = false;
            if component.size == 0 {
                self.free.push(slot_at(at));
            }
        }
        meter.spend(2 * (to - from));
        if to == self.parts.len() { Stage::Rest } else { Stage::Settle(to) }
    }

    fn follow(
        &mut self,
        from: usize,
        (edges, flips): (&Edges, &[Flip]),
        dirty: &mut Dirty,
        meter: &mut Meter,
    ) -> Stage {
        self.plant(meter);
        let mut at = from;
        while at < flips.len() && !meter.is_out() {
            match flips[at] {
                Flip::EdgeCame(edge) => {
                    self.come(edge.src, edges, dirty);
                    self.come(edge.dst, edges, dirty);
                    if self.of[edge.src as usize] != self.of[edge.dst as usize] {
                        self.link([edge.src, edge.dst], dirty, meter);
                    }
                }
                Flip::EdgeWent(edge) => {
                    let ends = [edge.src, edge.dst];
                    let is_in_forest = edge.src != edge.dst
                        && self.is_in_forest(ends)
                        && !edges.leads(edge.src, edge.dst)
                        && !edges.leads(edge.dst, edge.src);
                    if is_in_forest {
                        self.cut(ends, edges, dirty, meter);
                    }
                    for slot in ends {
                        self.go(slot, edges, dirty);
                    }
                }
                Flip::RootCame(slot) => self.come(slot, edges, dirty),
                Flip::RootWent(slot) => self.go(slot, edges, dirty),
            }
            meter.spend(8);
            at += 1;
        }
        if at == flips.len() { Stage::Rename(0) } else { Stage::Follow(at) }
    }

    /// Builds the forest of what a pass found.
    fn plant(&mut self, meter: &mut Meter) {
        let Some(found) = self.found.take() else { return };
        meter.spend(16 * found.len());
        let mut degrees = vec![0; self.of.len()];
        for slot in found.iter().flatten() {
            degrees[*slot as usize] += 1;
        }
        self.forest.clear();
        self.forest.make_room(&degrees);
        for [one, other] in found {
            self.forest.insert(one, End::new(other, 0));
            self.forest.insert(other, End::new(one, 0));
        }
    }

    /// A vertex that was not there is a component of its own.
    fn come(&mut self, slot: u32, edges: &Edges, dirty: &mut Dirty) {
        if self.of[slot as usize] == NONE {
            let least = edges.vertices.id(slot);
            let component = Component { least, size: 1, member: slot, is_renamed: false };
            self.of[slot as usize] = self.open(component);
            dirty.mark(slot);
        }
    }

    /// A vertex that nothing names any more is none. Its edges were cut before.
    fn go(&mut self, slot: u32, edges: &Edges, dirty: &mut Dirty) {
        let at = self.of[slot as usize];
        if at == NONE || edges.is_named(slot) || self.forest.degree(slot) > 0 {
            return;
        }
        assert!(self.parts[at as usize].size == 1, "a vertex without edges is alone");
        self.of[slot as usize] = NONE;
        self.close(at);
        dirty.mark(slot);
    }

    fn open(&mut self, component: Component) -> u32 {
        if let Some(at) = self.free.pop() {
            self.parts[at as usize] = component;
            return at;
        }
        self.parts.push(component);
        slot_at(self.parts.len() - 1)
    }

    fn close(&mut self, at: u32) {
        self.parts[at as usize].size = 0;
        self.free.push(at);
    }

    /// An edge joins two components.
    fn link(&mut self, ends: [u32; 2], dirty: &mut Dirty, meter: &mut Meter) {
        let place = |slot: u32| self.of[slot as usize];
        let size = |slot: u32| self.parts[place(slot) as usize].size;
        let [large, small] = if size(ends[0]) >= size(ends[1]) { ends } else { [ends[1], ends[0]] };
        let (into, from) = (place(large), place(small));
        let (kept, lost) = (self.parts[into as usize], self.parts[from as usize]);
        if lost.is_renamed || lost.least < kept.least {
            self.mark_renamed(into);
        }
        let component = &mut self.parts[into as usize];
        component.least = kept.least.min(lost.least);
        component.size += lost.size;
        self.close(from);
        // The smaller side is walked before the edge joins them.
        let side = self.side(small);
        meter.spend(8 * side.len());
        for slot in side {
            self.of[slot as usize] = into;
            dirty.mark(slot);
        }
        self.forest.insert(ends[0], End::new(ends[1], 0));
        self.forest.insert(ends[1], End::new(ends[0], 0));
    }

    /// Whether the forest joins the two; looks at the shorter list.
    fn is_in_forest(&self, ends: [u32; 2]) -> bool {
        let [one, other] = ends;
        if self.forest.degree(one) <= self.forest.degree(other) {
            self.forest.has(one, End::new(other, 0))
        } else {
            self.forest.has(other, End::new(one, 0))
        }
    }

    fn mark_renamed(&mut self, at: u32) {
        if !std::mem::replace(&mut self.parts[at as usize].is_renamed, true) {
            self.renamed.push(at);
        }
    }

    /// All that hangs on the vertex in the forest.
    fn side(&mut self, slot: u32) -> Vec<u32> {
        self.walk_anew();
        let mut side = vec![slot];
        self.walked[slot as usize] = self.now;
        let mut at = 0;
        while at < side.len() {
            for end in self.forest.ends(side[at]) {
                let there = &mut self.walked[end.vertex() as usize];
                if std::mem::replace(there, self.now) != self.now {
                    side.push(end.vertex());
                }
            }
            at += 1;
        }
        side
    }

    /// Nothing is walked over.
    fn walk_anew(&mut self) {
        if self.now == u32::MAX {
            self.walked.fill(0);
            self.now = 0;
        }
        self.now += 1;
    }

    /// An edge of the forest went.
    fn cut(&mut self, ends: [u32; 2], edges: &Edges, dirty: &mut Dirty, meter: &mut Meter) {
        let was_there = self.forest.remove(ends[0], End::new(ends[1], 0))
            && self.forest.remove(ends[1], End::new(ends[0], 0));
        assert!(was_there, "both ends know the edge of the forest");
        let small = self.smaller_side(ends, meter);
        self.walk_anew();
        for slot in &small {
            self.walked[*slot as usize] = self.now;
        }
        for slot in &small {
            meter.spend(2 * (edges.out.degree(*slot) + edges.into.degree(*slot)));
            let bridge = edges.out.ends(*slot).chain(edges.into.ends(*slot)).find(|end| {
                let there = end.vertex() as usize;
                // An edge that came with this step may lead to what is not followed yet.
                self.walked[there] != self.now && self.of[there] == self.of[*slot as usize]
            });
            if let Some(end) = bridge {
                self.forest.insert(*slot, End::new(end.vertex(), 0));
                self.forest.insert(end.vertex(), End::new(*slot, 0));
                return;
            }
        }
        self.part(&small, ends, edges, dirty);
    }

    /// The smaller of the two sides of an edge that went; both are walked in turns.
    fn smaller_side(&self, ends: [u32; 2], meter: &mut Meter) -> Vec<u32> {
        // Of each side its vertices, where the walk is, and where in the list of neighbours; since
        // nothing joins the sides, the way back is the only one that was walked before.
        let mut sides = ends.map(|slot| (vec![(slot, slot)], 0, 0));
        loop {
            for (side, at, next) in &mut sides {
                meter.spend(4);
                let (slot, from) = side[*at];
                if let Some(end) = self.forest.ends(slot).get(*next) {
                    *next += 1;
                    if end.vertex() != from {
                        side.push((end.vertex(), slot));
                    }
                    continue;
                }
                (*at, *next) = (*at + 1, 0);
                if *at == side.len() {
                    return side.iter().map(|(slot, _)| *slot).collect();
                }
            }
        }
    }

    /// No edge leads back: the smaller side is a component of its own.
    fn part(&mut self, small: &[u32], ends: [u32; 2], edges: &Edges, dirty: &mut Dirty) {
        let old = self.of[small[0] as usize];
        let least = small.iter().map(|slot| edges.vertices.id(*slot)).min();
        let least = least.expect("a side has a vertex");
        let size = slot_at(small.len());
        let rest = if ends[0] == small[0] { ends[1] } else { ends[0] };
        let component = &mut self.parts[old as usize];
        component.size -= size;
        component.member = rest;
        if component.least == least {
            self.mark_renamed(old);
        }
        let component = Component { least, size, member: small[0], is_renamed: false };
        let new = self.open(component);
        for slot in small {
            self.of[*slot as usize] = new;
            dirty.mark(*slot);
        }
    }

    /// Looks for the least id where it may have changed, and tells all of the component.
    fn rename(
        &mut self,
        from: usize,
        edges: &Edges,
        dirty: &mut Dirty,
        meter: &mut Meter,
    ) -> Stage {
        let Some(at) = self.renamed.get(from).copied() else {
            self.renamed.clear();
            return Stage::Rest;
        };
        let Component { member, size, is_renamed, .. } = self.parts[at as usize];
        if size == 0 || !is_renamed {
            return Stage::Rename(from + 1);
        }
        let side = self.side(member);
        assert!(side.len() == size as usize, "the forest spans the {size} of a component");
        meter.spend(8 * side.len());
        let least = side.iter().map(|slot| edges.vertices.id(*slot)).min();
        let component = &mut self.parts[at as usize];
        component.least = least.expect("a component has a vertex");
        component.is_renamed = false;
        for slot in side {
            dirty.mark(slot);
        }
        Stage::Rename(from + 1)
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        let slots = self.of.capacity() * 4 + self.walked.capacity() * 4 + self.free.capacity() * 4;
        let found = self.found.as_ref().map_or(0, |found| found.capacity() * 8);
        let parts = self.parts.capacity() * size_of::<Component>();
        slots + found + parts + self.forest.state_bytes()
    }

    pub(super) fn save(&self, out: &mut SnapshotWriter<'_>) -> std::io::Result<()> {
        out.numbers("of", self.of.iter().copied())?;
        out.numbers("least", self.parts.iter().map(|it| it.least))?;
        out.numbers("members", self.parts.iter().flat_map(|it| [it.size, it.member]))?;
        out.numbers("unused", self.free.iter().copied())?;
        out.number("is_found", u8::from(self.found.is_some()))?;
        out.numbers("found", self.found.iter().flatten().flatten().copied())?;
        self.forest.save(out)
    }

    pub(super) fn load(input: &mut SnapshotReader<'_>, n_slots: usize) -> Result<Self, LoadError> {
        let damaged = |section| Err(LoadError::Damaged { section });
        let of: Vec<u32> = input.array("of", n_slots)?;
        let least: Vec<i64> = input.numbers("least")?;
        let members: Vec<u32> = input.array("members", 2 * least.len())?;
        let free: Vec<u32> = input.numbers("unused")?;
        let is_found = input.number::<u8>("is_found")? != 0;
        let found: Vec<u32> = input.numbers("found")?;
        let forest = Adjacency::load(input, n_slots)?;
        let is_slot = |slot: &u32| (*slot as usize) < n_slots;
        let is_place = |place: &u32| (*place as usize) < least.len();
        if !of.iter().all(|place| *place == NONE || is_place(place)) {
            return damaged("of");
        }
        if !members.chunks_exact(2).all(|it| is_slot(&it[1])) {
            return damaged("members");
        }
        if !free.iter().all(is_place)
            || !found.iter().all(is_slot)
            || !found.len().is_multiple_of(2)
        {
            return damaged("unused");
        }
        let component = |(least, words): (&i64, &[u32])| Component {
            least: *least,
            size: words[0],
            member: words[1],
            is_renamed: false,
        };
        let parts = least.iter().zip(members.chunks_exact(2)).map(component).collect();
        let pairs = found.chunks_exact(2).map(|pair| [pair[0], pair[1]]);
        let found = is_found.then(|| pairs.collect());
        let walked = vec![0; n_slots];
        Ok(Self { of, parts, free, forest, found, walked, ..Self::default() })
    }
}

fn slot_at(at: usize) -> u32 {
    u32::try_from(at).expect("slots have 32 bits")
}
