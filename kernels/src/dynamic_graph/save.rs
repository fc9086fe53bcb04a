//! The state as bytes.

use std::io;

use super::DynamicGraph;
use super::answers::{Answers, keep};
use super::dirty::Dirty;
use super::edges::Edges;
use super::rows::{Algorithm, GraphSpec, PageRank};
use super::said::Said;
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};
use crate::version::Version;

/// What a snapshot is of.
const NAME: &str = "dynamic_graph.5";

impl DynamicGraph {
    pub(super) fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let mut out = SnapshotWriter::new(out, NAME)?;
        let (algorithm, spec) = match self.spec.algorithm {
            Algorithm::Reachability => (0_u8, PageRank { damping: 0.0, tolerance: 0.0 }),
            Algorithm::ShortestPaths => (1, PageRank { damping: 0.0, tolerance: 0.0 }),
            Algorithm::Components => (2, PageRank { damping: 0.0, tolerance: 0.0 }),
            Algorithm::PageRank(spec) => (3, spec),
        };
        out.number("algorithm", algorithm)?;
        out.numbers("arguments", [spec.damping, spec.tolerance, self.flip_work])?;
        self.edges.save(&mut out)?;
        self.answers.save(&mut out)?;
        self.said.save(&mut out)?;
        out.number("is_all_dirty", u8::from(self.dirty.is_all))?;
        out.numbers("dirty", self.dirty.slots.iter().copied())
    }

    pub(super) fn read_from(input: &mut dyn io::Read) -> Result<Self, LoadError> {
        let mut input = SnapshotReader::new(input, NAME)?;
        let number: u8 = input.number("algorithm")?;
        let arguments: Vec<f64> = input.array("arguments", 3)?;
        let algorithm = match number {
            0 => Algorithm::Reachability,
            1 => Algorithm::ShortestPaths,
            2 => Algorithm::Components,
            3 => Algorithm::PageRank(PageRank { damping: arguments[0], tolerance: arguments[1] }),
            _ => return Err(LoadError::Damaged { section: "algorithm" }),
        };
        let spec = GraphSpec { algorithm };
        spec.check().map_err(|_| LoadError::Damaged { section: "arguments" })?;
        let edges = Edges::load(keep(algorithm), &mut input)?;
        let n_slots = edges.vertices.n_slots();
        let answers = Answers::load(algorithm, &mut input, &edges)?;
        let said = Said::load(&mut input, n_slots)?;
        let is_all: u8 = input.number("is_all_dirty")?;
        let slots: Vec<u32> = input.numbers("dirty")?;
        let mut dirty = Dirty::default();
        dirty.grow(n_slots);
        if slots.iter().any(|slot| *slot as usize >= n_slots) {
            return Err(LoadError::Damaged { section: "dirty" });
        }
        for slot in slots {
            dirty.mark(slot);
        }
        dirty.is_all = is_all != 0;
        Ok(Self {
            spec,
            edges,
            answers,
            said,
            dirty,
            flip_work: arguments[2],
            step: None,
            version: Version::default(),
        })
    }
}
