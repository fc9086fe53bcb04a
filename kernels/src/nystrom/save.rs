//! The state as bytes.

use std::io;

use super::Nystrom;
use super::landmarks::{Landmarks, LikenessError};
use super::spec::{NystromSpec, Similarity};
use super::system::System;
use crate::keyed::{Names, Table};
use crate::said::Said;
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};
use crate::version::Version;

/// The kernel's name, and the version of its sections.
const KERNEL: &str = "nystrom.2";

const DATA: Names = Names {
    keys: "data keys",
    live: "data slots",
    free: "free data slots",
    places: "data places",
    first: "points",
    second: "values",
};

const QUERIES: Names = Names {
    keys: "query keys",
    live: "query slots",
    free: "free query slots",
    places: "query places",
    first: "queries",
    second: "nothing",
};

impl Nystrom {
    pub(super) fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let out = &mut SnapshotWriter::new(out, KERNEL)?;
        let (spec, system) = (&self.spec, &self.system);
        out.numbers("shape", [spec.n_entries as u64, spec.n_landmarks as u64, spec.seed])?;
        out.number("similarity", u8::from(spec.similarity == Similarity::Laplace))?;
        out.numbers("arguments", [spec.gamma, spec.lambda])?;
        self.data.save(out, &DATA)?;
        self.queries.save(out, &QUERIES)?;
        out.numbers("sums", self.landmarks.sums())?;
        out.numbers("landmarks", self.landmarks.all_points())?;
        out.numbers("likeness", self.likeness.iter().copied())?;
        out.number("n", system.n as u64)?;
        out.numbers("a", system.a.iter().copied())?;
        out.numbers("b", system.b.iter().copied())?;
        out.numbers("a, low", system.low_a.iter().copied())?;
        out.numbers("b, low", system.low_b.iter().copied())?;
        out.numbers("factor", system.factor.iter().copied())?;
        out.numbers("solution", system.solution.iter().copied())?;
        out.numbers("residual", system.residual.iter().copied())?;
        let errors = [
            system.floor,
            system.rounded_a,
            system.rounded_b,
            system.error.relative,
            system.error.absolute,
            system.error.doubly,
            system.lambda,
            system.live_rows,
            system.live_values,
            system.peak,
            system.n_events,
            system.n_rows,
        ];
        out.numbers("errors", errors)?;
        out.numbers("sizes", [self.value_sum, self.fresh_error_a, self.error_max])?;
        out.number("events", self.n_events)?;
        Said::save(self.said.as_ref(), out)
    }

    pub(super) fn read_from(input: &mut dyn io::Read) -> Result<Self, LoadError> {
        let input = &mut SnapshotReader::new(input, KERNEL)?;
        let spec = read_spec(input)?;
        let data = Table::load(input, [spec.n_entries, 1], &DATA)?;
        let queries = Table::load(input, [spec.n_entries, 0], &QUERIES)?;
        let mut landmarks = Landmarks::new(spec);
        for slot in data.live() {
            landmarks.count(data.row(slot).vectors[0], data.row(slot).vectors[1][0]);
        }
        let sums: Vec<f64> = input.numbers("sums")?;
        if !landmarks.restore_sums(&sums) {
            return Err(LoadError::Damaged { section: "sums" });
        }
        let points: Vec<f64> = input.numbers("landmarks")?;
        if !points.len().is_multiple_of(spec.n_entries) {
            return Err(LoadError::Damaged { section: "landmarks" });
        }
        landmarks.restore(&points);
        let n = landmarks.len();
        let likeness = input.array("likeness", data.n_slots() * n)?;
        let system = read_system(input, n)?;
        let sizes: Vec<f64> = input.array("sizes", 3)?;
        let n_events = input.number("events")?;
        let said = Said::load(input, (&queries, 1))?;
        Ok(Self {
            spec,
            data,
            queries,
            landmarks,
            likeness,
            system,
            value_sum: sizes[0],
            fresh_error_a: sizes[1],
            n_events,
            said,
            error_max: sizes[2],
            running: None,
            version: Version::default(),
        })
    }
}

fn read_spec(input: &mut SnapshotReader<'_>) -> Result<NystromSpec, LoadError> {
    let damaged = || LoadError::Damaged { section: "shape" };
    let shape: Vec<u64> = input.array("shape", 3)?;
    let similarity: u8 = input.number("similarity")?;
    let arguments: Vec<f64> = input.array("arguments", 2)?;
    let spec = NystromSpec {
        n_entries: usize::try_from(shape[0]).map_err(|_| damaged())?,
        n_landmarks: usize::try_from(shape[1]).map_err(|_| damaged())?,
        similarity: if similarity == 0 { Similarity::Gaussian } else { Similarity::Laplace },
        gamma: arguments[0],
        lambda: arguments[1],
        seed: shape[2],
    };
    spec.check().map_err(|_| damaged())?;
    Ok(spec)
}

/// A system that was never solved has no entries.
fn read_system(input: &mut SnapshotReader<'_>, n: usize) -> Result<System, LoadError> {
    let damaged = |section| LoadError::Damaged { section };
    let found: u64 = input.number("n")?;
    let found = usize::try_from(found).map_err(|_| damaged("n"))?;
    if found != n {
        return Err(damaged("n"));
    }
    let a = input.array("a", n * n)?;
    let b = input.array("b", n)?;
    let low_a = input.array("a, low", n * n)?;
    let low_b = input.array("b, low", n)?;
    let factor = input.array("factor", n * n)?;
    let solution = input.array("solution", n)?;
    let residual = input.array("residual", n)?;
    let errors: Vec<f64> = input.array("errors", 12)?;
    Ok(System {
        n,
        floor: errors[0],
        a,
        b,
        factor,
        solution,
        low_a,
        low_b,
        rounded_a: errors[1],
        rounded_b: errors[2],
        residual,
        error: LikenessError { relative: errors[3], absolute: errors[4], doubly: errors[5] },
        lambda: errors[6],
        live_rows: errors[7],
        live_values: errors[8],
        peak: errors[9],
        n_events: errors[10],
        n_rows: errors[11],
    })
}
