//! The state as bytes.

use std::collections::BTreeMap;
use std::io;

use super::TransformerAttn;
use super::features::Features;
use super::follow::Followed;
use super::head::Head;
use super::lanes::ROWS;
use super::order::Order;
use super::reduce::{Reduced, rank};
use super::spec::{AttentionSpec, Causality, FeatureMap, Shape};
use super::sums::Sums;
use crate::keyed::{Names, Table};
use crate::said::Said;
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};
use crate::version::Version;

/// The kernel's name, and the version of its sections.
const KERNEL: &str = "transformer_attn.3";

const TOKENS: Names = Names {
    keys: "token keys",
    live: "token slots",
    free: "free token slots",
    places: "token places",
    first: "keys",
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

impl TransformerAttn {
    pub(super) fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let out = &mut SnapshotWriter::new(out, KERNEL)?;
        let spec = &self.spec;
        let counts = [spec.n_heads, spec.n_key, spec.n_value, spec.n_features];
        out.numbers("shape", counts.map(|count| count as u64))?;
        let flags = [spec.feature_map == FeatureMap::Rff, spec.causality == Causality::Causal];
        out.numbers("flags", flags.map(u8::from))?;
        out.number("seed", spec.seed)?;
        self.tokens.save(out, &TOKENS)?;
        self.queries.save(out, &QUERIES)?;
        out.numbers("sizes", [self.value_max, self.error_max])?;
        out.numbers("refresh", [self.refresh_next as u64, self.n_events])?;
        let spots = self.order.runs.iter().flatten();
        out.numbers("slots in order", spots.map(|spot| spot.2 as u64))?;
        out.numbers("lengths of runs", self.order.runs.iter().map(|run| run.len() as u64))?;
        out.numbers("starts of runs", self.order.starts().iter().flat_map(|(a, b)| [*a, *b]))?;
        for head in &self.heads {
            head.save(out)?;
        }
        out.numbers("query outputs", self.outputs.iter().copied())?;
        let is_apart = self.said.as_ref().is_some_and(|said| !said.values.is_empty());
        out.number("said apart", u8::from(is_apart))?;
        Said::save(self.said.as_ref(), out)
    }

    pub(super) fn read_from(input: &mut dyn io::Read) -> Result<Self, LoadError> {
        let input = &mut SnapshotReader::new(input, KERNEL)?;
        let spec = read_spec(input)?;
        let tokens = Table::load(input, [spec.n_key, spec.n_value], &TOKENS)?;
        let queries = Table::load(input, [spec.n_key, 0], &QUERIES)?;
        let sizes: Vec<f64> = input.array("sizes", 2)?;
        let refresh: Vec<u64> = input.array("refresh", 2)?;
        let order = read_order(input, &spec, &tokens)?;
        let mut heads = Vec::new();
        for _ in 0..spec.n_heads {
            heads.push(Head::load(input, &spec, (order.runs.len(), queries.n_slots()))?);
        }
        let is_kept = heads.iter().all(|head| head.followed.is_some());
        let n_outputs = if is_kept { rows(queries.n_slots()) * spec.n_value } else { 0 };
        let outputs = input.array("query outputs", n_outputs)?;
        let is_apart = input.number::<u8>("said apart")? != 0;
        let width = if is_apart { spec.n_value } else { 0 };
        let said = Said::load(input, (&queries, width))?;
        if said.is_some() && !is_apart && !is_kept && 0 < queries.n_slots() {
            return Err(LoadError::Damaged { section: "said apart" });
        }
        Ok(Self {
            spec,
            tokens,
            queries,
            order,
            heads,
            value_max: sizes[0],
            error_max: sizes[1],
            n_events: refresh[1],
            said,
            outputs,
            running: None,
            version: Version::default(),
            refresh_next: usize::try_from(refresh[0]).unwrap_or(0),
        })
    }
}

/// Rows of whole blocks for so many queries.
fn rows(n_slots: usize) -> usize {
    n_slots.next_multiple_of(ROWS)
}

fn read_order(
    input: &mut SnapshotReader<'_>,
    spec: &AttentionSpec,
    tokens: &Table,
) -> Result<Order, LoadError> {
    let damaged = || LoadError::Damaged { section: "slots in order" };
    let slots: Vec<u64> = input.numbers("slots in order")?;
    let lengths: Vec<u64> = input.numbers("lengths of runs")?;
    let starts: Vec<i64> = input.array("starts of runs", 2 * lengths.len())?;
    let is_causal = spec.causality == Causality::Causal;
    if slots.len() != (if is_causal { tokens.len() } else { 0 }) {
        return Err(damaged());
    }
    let mut spots = Vec::with_capacity(slots.len());
    for slot in slots {
        let slot = usize::try_from(slot).map_err(|_| damaged())?;
        if tokens.is_live.get(slot) != Some(&true) {
            return Err(damaged());
        }
        spots.push((tokens.places[slot], tokens.keys[slot], slot));
    }
    let lengths: Result<Vec<usize>, _> = lengths.into_iter().map(usize::try_from).collect();
    let lengths = lengths.map_err(|_| damaged())?;
    let mut total = 0_usize;
    for length in &lengths {
        total = total.checked_add(*length).ok_or_else(damaged)?;
    }
    if total != spots.len() || lengths.contains(&0) {
        return Err(damaged());
    }
    let mut order = Order::new(spec.run());
    let starts = starts.chunks_exact(2).map(|start| (start[0], start[1])).collect();
    order.restore(spots, &lengths, starts);
    Ok(order)
}

fn read_spec(input: &mut SnapshotReader<'_>) -> Result<AttentionSpec, LoadError> {
    let damaged = LoadError::Damaged { section: "shape" };
    let counts: Vec<u64> = input.array("shape", 4)?;
    let counts: Result<Vec<usize>, _> = counts.into_iter().map(usize::try_from).collect();
    let Ok(&[n_heads, n_key, n_value, n_features]) = counts.as_deref() else {
        return Err(damaged);
    };
    let flags: Vec<u8> = input.array("flags", 2)?;
    let feature_map = if flags[0] == 0 { FeatureMap::FavorPlus } else { FeatureMap::Rff };
    let causality = if flags[1] == 0 { Causality::Plain } else { Causality::Causal };
    let seed = input.number("seed")?;
    let spec = AttentionSpec { n_heads, n_key, n_value, n_features, feature_map, causality, seed };
    spec.check().map_err(|_| damaged)?;
    Ok(spec)
}

impl Head {
    fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        out.numbers("frequencies", self.features.frequencies.iter().copied())?;
        out.numbers("reference", [self.reference, self.fresh_level])?;
        out.numbers("runs", self.scales.keys().copied())?;
        out.numbers("counts of runs", self.scales.values().copied())?;
        out.number("follows", u8::from(self.followed.is_some()))?;
        if let Some(followed) = &self.followed {
            out.numbers("query features", followed.features.iter().copied())?;
            out.numbers("denominators", followed.denominators.iter().copied())?;
            out.numbers("slack", followed.slack.iter().copied())?;
            out.numbers("output errors", followed.errors.iter().copied())?;
            out.number("has a basis", u8::from(followed.reduced.is_some()))?;
            followed.reduced.as_ref().map_or(Ok(()), |reduced| reduced.save(out))?;
        }
        if self.prefix.is_kept {
            self.prefix.runs.iter().chain(&self.prefix.nodes).try_for_each(|sums| sums.save(out))
        } else {
            self.sums.save(out)
        }
    }

    fn load(
        input: &mut SnapshotReader<'_>,
        spec: &AttentionSpec,
        (n_runs, n_slots): (usize, usize),
    ) -> Result<Self, LoadError> {
        let shape = spec.head();
        let n = match spec.feature_map {
            FeatureMap::FavorPlus => shape.m,
            FeatureMap::Rff => shape.m / 2,
        };
        let frequencies = input.array("frequencies", shape.d * n)?;
        let mut head = Self::of(Features::of(spec.feature_map, shape, frequencies));
        let reference: Vec<f64> = input.array("reference", 2)?;
        (head.reference, head.fresh_level) = (reference[0], reference[1]);
        let runs: Vec<i32> = input.numbers("runs")?;
        let counts: Vec<u32> = input.array("counts of runs", runs.len())?;
        head.scales = runs.into_iter().zip(counts).collect::<BTreeMap<i32, u32>>();
        if input.number::<u8>("follows")? != 0 {
            let n_slots = rows(n_slots);
            head.followed = Some(Followed {
                features: input.array("query features", n_slots * shape.m)?,
                denominators: input.array("denominators", n_slots)?,
                slack: input.array("slack", n_slots)?,
                errors: input.array("output errors", n_slots)?,
                reduced: if input.number::<u8>("has a basis")? == 0 {
                    None
                } else {
                    Some(Reduced::load(input, shape, n_slots)?)
                },
            });
        }
        if spec.causality == Causality::Plain {
            head.sums.load(input)?;
            return Ok(head);
        }
        head.prefix.clear(shape, n_runs);
        for sums in head.prefix.runs.iter_mut().chain(&mut head.prefix.nodes) {
            sums.load(input)?;
        }
        Ok(head)
    }
}

impl Reduced {
    fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        out.numbers("basis", self.basis.iter().copied())?;
        out.numbers("scales", self.scales.iter().copied())?;
        out.numbers("coefficients", self.coefficients.iter().copied())?;
        out.numbers("residuals", self.residuals.iter().copied())?;
        out.number("changed queries", self.n_changed)
    }

    fn load(
        input: &mut SnapshotReader<'_>,
        shape: Shape,
        n_slots: usize,
    ) -> Result<Self, LoadError> {
        let rank = rank(shape.m);
        Ok(Self {
            rank,
            basis: input.array("basis", rank * shape.m)?,
            scales: input.array("scales", shape.m)?,
            coefficients: input.array("coefficients", n_slots * rank)?,
            residuals: input.array("residuals", n_slots)?,
            n_changed: input.number("changed queries")?,
        })
    }
}

impl Sums {
    fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        out.numbers("sums", self.table.iter().copied())?;
        out.numbers("masses of values", self.mass_v.iter().copied())?;
        out.numbers("masses", self.mass_1.iter().copied())?;
        let errors = [self.lost_v, self.lost_1, self.live, self.feature_error, self.rounding];
        out.numbers("errors", errors)
    }

    /// Into sums of the same shape.
    fn load(&mut self, input: &mut SnapshotReader<'_>) -> Result<(), LoadError> {
        self.table = input.array("sums", self.table.len())?;
        self.mass_v = input.array("masses of values", self.mass_v.len())?;
        self.mass_1 = input.array("masses", self.mass_1.len())?;
        let errors: Vec<f64> = input.array("errors", 5)?;
        (self.lost_v, self.lost_1, self.live) = (errors[0], errors[1], errors[2]);
        (self.feature_error, self.rounding) = (errors[3], errors[4]);
        Ok(())
    }
}
