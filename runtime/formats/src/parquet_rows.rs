//! Values of leaves put together into columns: options, lists, maps and structs by their levels.
//!
//! **Invariant:** whatever the levels say, a part of a column is either whole or the file is
//! refused; a value that is none of its type, or that is missing, leaves a default and a fault.

use std::sync::Arc;

use arqon_types::{Column, StringColumn};

use crate::parquet_leaf::LeafValues;
use crate::parquet_schema::{Node, Part, Repeated, Shape};

/// Why a row is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowFault {
    pub(crate) row_idx: usize,
    /// What stands below the field: `[2].name`.
    pub(crate) below: String,
    pub(crate) reason: String,
}

/// Levels that lead nowhere: the file is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damaged;

/// A leaf with how far it has been read.
#[derive(Debug)]
pub(crate) struct Cursor {
    leaf: LeafValues,
    level: usize,
    value: usize,
    fault: usize,
    /// The definition level of what is there.
    def: i16,
}

impl Cursor {
    pub(crate) fn new(leaf: LeafValues, def: i16) -> Self {
        Self { leaf, level: 0, value: 0, fault: 0, def }
    }

    fn def(&self) -> Result<i16, Damaged> {
        if self.level >= self.leaf.n_levels {
            return Err(Damaged);
        }
        Ok(self.leaf.defs.get(self.level).copied().unwrap_or(self.def))
    }

    /// Whether the next value goes on with a list of this level.
    fn goes_on(&self, rep: i16) -> bool {
        self.leaf.reps.get(self.level).is_some_and(|next| *next >= rep)
    }

    fn skip(&mut self) -> Result<(), Damaged> {
        // A value where something above it is absent.
        if self.def()? == self.def {
            return Err(Damaged);
        }
        self.level += 1;
        Ok(())
    }
}

/// The column of a field of `n_rows` rows.
pub(crate) fn field_column(
    node: &Node,
    empty: Column,
    mut cursors: Vec<Cursor>,
    n_rows: usize,
) -> Result<(Column, Vec<RowFault>), Damaged> {
    if let (Shape::Leaf, [only]) = (&node.shape, cursors.as_mut_slice())
        && only.leaf.faults.is_empty()
        && only.leaf.reps.is_empty()
        && only.leaf.values.len() == n_rows
    {
        // All are there: the usual case, in which nothing is put together.
        let values = std::mem::replace(&mut only.leaf.values, Column::Bool(Vec::new()));
        let column = if node.is_option {
            Column::Option { present: vec![true; n_rows], values: Box::new(values) }
        } else {
            values
        };
        return Ok((column, Vec::new()));
    }
    let mut assembly = Assembly { cursors, first: node.leaves.start, fault: None };
    let mut column = empty;
    let mut faults = Vec::new();
    for row_idx in 0..n_rows {
        assembly.value(node, &mut column, &mut Path::default())?;
        if let Some((below, reason)) = assembly.fault.take() {
            faults.push(RowFault { row_idx, below, reason });
        }
    }
    Ok((column, faults))
}

/// Where in a field a value stands.
#[derive(Debug, Default)]
struct Path(Vec<Step>);

#[derive(Debug)]
enum Step {
    Item(usize),
    Part(Arc<str>),
}

impl Path {
    fn text(&self) -> String {
        let step = |step: &Step| match step {
            Step::Item(at) => format!("[{at}]"),
            Step::Part(name) => format!(".{name}"),
        };
        self.0.iter().map(step).collect()
    }
}

struct Assembly {
    cursors: Vec<Cursor>,
    /// The place of the first of the cursors' leaves.
    first: usize,
    /// The first fault of the row.
    fault: Option<(String, String)>,
}

impl Assembly {
    fn cursor(&mut self, leaf: usize) -> &mut Cursor {
        &mut self.cursors[leaf - self.first]
    }

    fn fault(&mut self, path: &Path, reason: impl Into<String>) {
        self.fault.get_or_insert_with(|| (path.text(), reason.into()));
    }

    /// Appends the next value of the node.
    fn value(&mut self, node: &Node, column: &mut Column, path: &mut Path) -> Result<(), Damaged> {
        if let Some(def) = node.present
            && self.cursor(node.leaves.start).def()? < def
        {
            for leaf in node.leaves.clone() {
                self.cursor(leaf).skip()?;
            }
            if !node.is_option {
                self.fault(path, "is null, and its type is no option");
            }
            column.push_default();
            return Ok(());
        }
        match column {
            Column::Option { present, values } if node.is_option => {
                present.push(true);
                self.present(node, values, path)
            }
            column => self.present(node, column, path),
        }
    }

    /// Appends a value that is there.
    fn present(
        &mut self,
        node: &Node,
        column: &mut Column,
        path: &mut Path,
    ) -> Result<(), Damaged> {
        match (&node.shape, column) {
            (Shape::Leaf, column) => self.leaf(node.leaves.start, column, path),
            (Shape::List(list), Column::List { ends, items }) => {
                let first = list.item.leaves.start;
                self.repeated(list, first, path, |assembly, path| {
                    assembly.value(&list.item, items, path)
                })?;
                ends.push(u32::try_from(items.len()).map_err(|_| Damaged)?);
                Ok(())
            }
            (Shape::Map(map), Column::List { ends, items }) => {
                let Column::Struct { len, fields } = &mut **items else {
                    panic!("a map is a list of entries, not {items:?}")
                };
                let [Column::String(keys), values] = fields.as_mut_slice() else {
                    panic!("an entry is a key and a value, not {fields:?}")
                };
                self.map(node.leaves.start, map, (keys, values), path)?;
                *len = keys.len();
                ends.push(u32::try_from(*len).map_err(|_| Damaged)?);
                Ok(())
            }
            (Shape::Struct(parts), Column::Struct { len, fields }) => {
                for (Part { name, node }, field) in parts.iter().zip(fields) {
                    let Some(node) = node else {
                        field.push_default();
                        continue;
                    };
                    path.0.push(Step::Part(Arc::clone(name)));
                    self.value(node, field, path)?;
                    path.0.pop();
                }
                *len += 1;
                Ok(())
            }
            (shape, column) => panic!("{shape:?} is not put together as {column:?}"),
        }
    }

    fn leaf(&mut self, leaf: usize, column: &mut Column, path: &Path) -> Result<(), Damaged> {
        let cursor = self.cursor(leaf);
        if cursor.def()? != cursor.def || cursor.value >= cursor.leaf.values.len() {
            return Err(Damaged);
        }
        column.push_from(&cursor.leaf.values, cursor.value);
        let reason = match cursor.leaf.faults.get_mut(cursor.fault) {
            Some((at, reason)) if *at == cursor.value => Some(std::mem::take(reason)),
            Some(_) | None => None,
        };
        cursor.fault += usize::from(reason.is_some());
        cursor.value += 1;
        cursor.level += 1;
        if let Some(reason) = reason {
            self.fault(path, reason);
        }
        Ok(())
    }

    /// Calls `item` for each item of a list whose first leaf below is `first`.
    fn repeated(
        &mut self,
        list: &Repeated,
        first: usize,
        path: &mut Path,
        mut item: impl FnMut(&mut Self, &mut Path) -> Result<(), Damaged>,
    ) -> Result<(), Damaged> {
        if self.cursor(first).def()? < list.def {
            // Of a map the keys are beside the values.
            for leaf in first..list.item.leaves.end {
                self.cursor(leaf).skip()?;
            }
            return Ok(());
        }
        for at in 0.. {
            path.0.push(Step::Item(at));
            item(self, path)?;
            path.0.pop();
            if !self.cursor(first).goes_on(list.rep) {
                break;
            }
        }
        Ok(())
    }

    /// Appends the entries of a map in the order of their keys.
    fn map(
        &mut self,
        first: usize,
        map: &Repeated,
        (keys, values): (&mut StringColumn, &mut Column),
        path: &mut Path,
    ) -> Result<(), Damaged> {
        let mut own_keys = Column::String(StringColumn::default());
        let mut own_values = values.gather(&[]);
        self.repeated(map, first, path, |assembly, path| {
            let cursor = assembly.cursor(first);
            if cursor.def()? < cursor.def {
                cursor.skip()?;
                own_keys.push_default();
                assembly.fault(path, "has a null as a key");
            } else {
                assembly.leaf(first, &mut own_keys, path)?;
            }
            assembly.value(&map.item, &mut own_values, path)
        })?;
        let Column::String(own_keys) = own_keys else { unreachable!("it was made of strings") };
        let mut order: Vec<usize> = (0..own_keys.len()).collect();
        order.sort_by_key(|at| own_keys.bytes(*at));
        let mut last = None;
        for at in order {
            if last == Some(own_keys.bytes(at)) {
                self.fault(path, format!("has the key {:?} twice", own_keys.get(at)));
                continue;
            }
            last = Some(own_keys.bytes(at));
            keys.push(own_keys.get(at));
            values.push_from(&own_values, at);
        }
        Ok(())
    }
}
