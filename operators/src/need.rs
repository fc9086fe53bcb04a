//! Which parts of their columns expressions read.

use std::collections::BTreeSet;

use crate::expr::{Expr, ExprKind};

/// How much of a column is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// No part of it.
    Nothing,
    /// Some fields of a struct.
    Fields(BTreeSet<usize>),
    /// All of it.
    All,
}

impl Need {
    /// Has what another one says read as well.
    pub fn add(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Nothing) | (Self::All, _) => {}
            (Self::Fields(fields), Self::Fields(more)) => fields.extend(more),
            (Self::Nothing | Self::Fields(_), _) => *self = other.clone(),
        }
    }
}

impl Expr {
    /// Adds what it reads of each column of its rows.
    ///
    /// # Panics
    /// If it reads a column that has no need among them.
    pub fn add_needs(&self, needs: &mut [Need]) {
        match &self.kind {
            ExprKind::Column(at) => needs[*at] = Need::All,
            ExprKind::Field { of, idx } => match of.kind {
                ExprKind::Column(at) => needs[at].add(&Need::Fields(BTreeSet::from([*idx]))),
                _ => of.add_needs(needs),
            },
            _ => self.for_each_child(|child| child.add_needs(needs)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use arqon_types::Type;

    #[test]
    fn fields_of_a_struct_add_up_until_all_of_it_is_read() {
        let field = |idx: usize| Expr {
            kind: ExprKind::Field { of: Box::new(Expr::column(1, Type::Int64)), idx },
            ..Expr::column(1, Type::Int64)
        };
        let list =
            |parts: Vec<Expr>| Expr { kind: ExprKind::List(parts), ..Expr::column(0, Type::Int64) };
        let mut needs = vec![Need::Nothing; 3];
        list(vec![field(2), field(0), Expr::column(2, Type::Int64)]).add_needs(&mut needs);
        assert_eq!(needs, [Need::Nothing, Need::Fields(BTreeSet::from([0, 2])), Need::All]);
        list(vec![field(1), Expr::column(1, Type::Int64), field(3)]).add_needs(&mut needs);
        assert_eq!(needs, [Need::Nothing, Need::All, Need::All]);
    }
}
