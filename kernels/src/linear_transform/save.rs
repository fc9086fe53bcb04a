//! The state of a linear transform as bytes.

use std::io;

use crate::basis::Basis;
use crate::linear_transform::LinearTransform;
use crate::linear_transform::delta::{Layout, LinearSpec, Precision};
use crate::linear_transform::matrix::Matrix;
use crate::linear_transform::pending::Pending;
use crate::linear_transform::vectors::{Outputs, State, Vectors};
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};
use crate::version::Version;

const NAME: &str = "linear_transform.3";

/// Writes it: matrix and vectors by rows; what follows of them alone is built anew.
pub(crate) fn save(kernel: &LinearTransform, out: &mut dyn io::Write) -> io::Result<()> {
    let mut out = SnapshotWriter::new(out, NAME)?;
    let spec = &kernel.spec;
    let (m, n) = (spec.n_rows, spec.n_columns);
    out.numbers("spec", [m as u64, n as u64, spec.rank as u64])?;
    let choices =
        [u8::from(spec.layout == Layout::Sparse), u8::from(spec.precision == Precision::Double)];
    out.numbers("choices", choices)?;
    if let Some(entries) = kernel.matrix.dense() {
        out.numbers("matrix", entries.iter().copied())?;
    } else {
        let rows: Vec<_> = (0..m).map(|row| kernel.matrix.sparse_row(row)).collect();
        out.numbers("row lengths", rows.iter().map(|row| row.len() as u64))?;
        out.numbers("columns", rows.iter().copied().flatten().map(|entry| entry.0))?;
        out.numbers("matrix", rows.iter().copied().flatten().map(|entry| entry.1))?;
    }
    out.numbers("column maxima", kernel.matrix.column_maxima().iter().copied())?;
    let vectors = &kernel.vectors;
    out.numbers("keys", vectors.keys.iter().copied())?;
    out.numbers("vectors", vectors.x.iter().copied())?;
    match &vectors.y {
        Outputs::Single(y) => out.numbers("outputs", y.iter().copied())?,
        Outputs::Double(y) => out.numbers("outputs", y.iter().copied())?,
    }
    let states = vectors.states.iter();
    let numbers = states.flat_map(|s| [s.square, s.square_error, s.error, s.said_error, s.moved]);
    out.numbers("states", numbers)?;
    let pending = &kernel.pending;
    out.numbers("waiting", pending.coordinates.iter().map(|at| *at as u64))?;
    out.numbers("waiting old", pending.old.iter().copied())?;
    out.numbers("waiting new", pending.new.iter().copied())?;
    kernel.basis.save(&mut out)?;
    out.number("reduced error", kernel.reduced_error)?;
    out.number("refresh", kernel.refresh_next as u64)
}

/// Reads what [`save`] wrote.
pub(crate) fn load(input: &mut dyn io::Read) -> Result<LinearTransform, LoadError> {
    let mut input = SnapshotReader::new(input, NAME)?;
    let spec = spec(&mut input)?;
    let (m, n) = (spec.n_rows, spec.n_columns);
    let mut matrix = matrix(&mut input, &spec)?;
    matrix.set_column_maxima(input.array("column maxima", n)?);
    let mut vectors = Vectors::new(n, m, spec.precision);
    vectors.keys = input.numbers("keys")?;
    vectors.places = vectors.keys.iter().copied().zip(0..).collect();
    let l = vectors.keys.len();
    if vectors.places.len() != l {
        return Err(LoadError::Damaged { section: "keys" });
    }
    vectors.x = input.array("vectors", l.saturating_mul(n))?;
    vectors.y = match spec.precision {
        Precision::Single => Outputs::Single(input.array("outputs", l.saturating_mul(m))?),
        Precision::Double => Outputs::Double(input.array("outputs", l.saturating_mul(m))?),
    };
    let numbers: Vec<f64> = input.array("states", 5 * l)?;
    let state = |s: &[f64]| State {
        square: s[0],
        square_error: s[1],
        error: s[2],
        said_error: s[3],
        moved: s[4],
    };
    vectors.states = numbers.chunks_exact(5).map(state).collect();
    let coordinates = indices(&mut input, "waiting", n)?;
    let n_waiting = coordinates.len().saturating_mul(l);
    let old = input.array("waiting old", n_waiting)?;
    let new = input.array("waiting new", n_waiting)?;
    let pending = Pending { coordinates, old, new };
    let basis = Basis::load(&mut input, spec.rank, n, m)?;
    let reduced_error = input.number("reduced error")?;
    let refresh = indices(&mut input, "refresh", l.max(1))?;
    let [refresh_next] = refresh[..] else {
        return Err(LoadError::Damaged { section: "refresh" });
    };
    Ok(LinearTransform {
        spec,
        matrix,
        vectors,
        pending,
        basis,
        reduced_error,
        refresh_next,
        running: None,
        version: Version::default(),
    })
}

fn spec(input: &mut SnapshotReader<'_>) -> Result<LinearSpec, LoadError> {
    const DAMAGED: LoadError = LoadError::Damaged { section: "spec" };
    let sides: Vec<u64> = input.array("spec", 3)?;
    let side = |at: usize| usize::try_from(sides[at]).map_err(|_| DAMAGED);
    let choices: Vec<u8> = input.array("choices", 2)?;
    let spec = LinearSpec {
        n_rows: side(0)?,
        n_columns: side(1)?,
        rank: side(2)?,
        layout: if choices[0] == 0 { Layout::Dense } else { Layout::Sparse },
        precision: if choices[1] == 0 { Precision::Single } else { Precision::Double },
    };
    spec.check().map_err(|_| DAMAGED)?;
    Ok(spec)
}

fn matrix(input: &mut SnapshotReader<'_>, spec: &LinearSpec) -> Result<Matrix, LoadError> {
    const DAMAGED: LoadError = LoadError::Damaged { section: "matrix" };
    let (m, n) = (spec.n_rows, spec.n_columns);
    if spec.layout == Layout::Dense {
        let entries: Vec<f32> = input.array("matrix", m.saturating_mul(n))?;
        let mut matrix = Matrix::new(spec);
        entries.chunks_exact(n).enumerate().for_each(|(row, w)| matrix.set_row(row, w));
        return Ok(matrix);
    }
    let lengths: Vec<u64> = input.array("row lengths", m)?;
    let columns: Vec<u32> = input.numbers("columns")?;
    let entries: Vec<f32> = input.array("matrix", columns.len())?;
    let mut matrix = Matrix::new(spec);
    let mut at = 0_usize;
    let mut row = vec![0.0; n];
    for (place, length) in lengths.into_iter().enumerate() {
        let end = usize::try_from(length).ok().and_then(|length| at.checked_add(length));
        let end = end.filter(|end| *end <= columns.len()).ok_or(DAMAGED)?;
        row.fill(0.0);
        for (column, w) in columns[at..end].iter().zip(&entries[at..end]) {
            *row.get_mut(*column as usize).ok_or(DAMAGED)? = *w;
        }
        matrix.set_row(place, &row);
        at = end;
    }
    Ok(matrix)
}

fn indices(
    input: &mut SnapshotReader<'_>,
    section: &'static str,
    below: usize,
) -> Result<Vec<usize>, LoadError> {
    let numbers: Vec<u64> = input.numbers(section)?;
    let index = |number: u64| usize::try_from(number).ok().filter(|index| *index < below);
    numbers.into_iter().map(|it| index(it).ok_or(LoadError::Damaged { section })).collect()
}
