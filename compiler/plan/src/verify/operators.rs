//! What an operator reads and gives: maps, joins, groups, `top` and `over`.

use arqon_operators::Aggregate;
use arqon_types::{Schema, Type};

use super::Verifier;
use crate::dataflow::{
    Group, Join, JoinKind, JoinOutput, Map, Over, OverKind, StageKind, Step, Top,
};

impl Verifier<'_> {
    pub(super) fn yields(&mut self, types: &[Type], schema: &Schema) {
        let n_fields = schema.fields.len();
        self.require(types.len() == n_fields, || {
            format!("{} columns where schema `{}` has {n_fields}", types.len(), schema.name)
        });
        for (ty, field) in types.iter().zip(&schema.fields) {
            // A union has in common what is known of its tensors on all sides.
            self.require(ty.may_be(&field.ty), || {
                format!("`{}` is {} in the schema, but {ty} is computed", field.name, field.ty)
            });
        }
    }

    pub(super) fn map(&mut self, map: &Map, input: &[Type], schema: &Schema) {
        let mut columns = input.to_vec();
        for stage in &map.stages {
            match &stage.kind {
                StageKind::Filter(condition) => self.condition(condition, &columns),
                StageKind::Project(fields) => {
                    for field in fields {
                        self.expression(field, &columns);
                    }
                    columns = fields.iter().map(|field| field.ty.clone()).collect();
                }
                StageKind::Unnest(list) => {
                    self.expression(list, &columns);
                    columns.push(Type::Int64);
                    match list.ty.required() {
                        Type::List(element) => columns.push((**element).clone()),
                        other => self.require(false, || format!("elements of {other}")),
                    }
                }
            }
        }
        self.require(!map.stages.is_empty(), || "a map without stages".into());
        self.yields(&columns, schema);
    }

    pub(super) fn join(&mut self, join: &Join, [left, right]: [&Step; 2], schema: &Schema) {
        let (left, right) = (&left.schema, &right.schema);
        let (left_types, right_types) = (left.types(), right.types());
        self.require(join.left_key.len() == join.right_key.len(), || {
            format!("{} keys left, {} right", join.left_key.len(), join.right_key.len())
        });
        for key in &join.left_key {
            self.expression(key, &left_types);
        }
        for key in &join.right_key {
            self.expression(key, &right_types);
        }
        for (one, other) in join.left_key.iter().zip(&join.right_key) {
            self.require(one.ty.required() == other.ty.required(), || {
                format!("a key is {} left, {} right", one.ty, other.ty)
            });
        }
        if let Some(residual) = &join.residual {
            let both: Vec<Type> = left_types.iter().chain(&right_types).cloned().collect();
            self.condition(residual, &both);
        }
        if let Some(asof) = &join.asof {
            self.expression(&asof.left, &left_types);
            self.expression(&asof.right, &right_types);
            let (one, other) = (&asof.left.ty, &asof.right.ty);
            self.require(one == other && one.is_option(), || {
                format!("the times of an asof join are {one} and {other}, not one option")
            });
            self.require(matches!(join.kind, JoinKind::Inner | JoinKind::Left), || {
                "asof is for inner and left joins".into()
            });
            let is_bounded = matches!(one.required(), Type::Timestamp | Type::Date);
            self.require(asof.within.is_none() || is_bounded, || {
                format!("`within` bounds times, not {one}")
            });
        }
        let left_only = join.output == JoinOutput::LeftOnly;
        self.require(join.kind.pairs_up() != left_only, || {
            "semi and anti add nothing, the others do".into()
        });
        let [misses_left, misses_right] = join.kind.may_miss();
        let side = |types: Vec<Type>, may_miss: bool| {
            let optional = |ty: Type| if may_miss { ty.optional() } else { ty };
            types.into_iter().map(optional).collect::<Vec<Type>>()
        };
        let mut types = side(left_types, misses_left);
        match join.output {
            JoinOutput::LeftOnly => {}
            JoinOutput::Flat => types.extend(side(right_types, misses_right)),
            JoinOutput::Nested => {
                types.extend(side(vec![Type::Struct(right.fields.clone())], misses_right));
            }
        }
        self.yields(&types, schema);
    }

    pub(super) fn group(&mut self, group: &Group, input: &[Type], schema: &Schema) {
        let mut types = Vec::with_capacity(group.keys.len() + group.aggregates.len());
        for key in &group.keys {
            self.expression(key, input);
            types.push(key.ty.clone());
        }
        for aggregate in &group.aggregates {
            self.aggregate(aggregate, input);
            types.push(aggregate.ty.clone());
        }
        self.yields(&types, schema);
    }

    pub(super) fn aggregate(&mut self, aggregate: &Aggregate, input: &[Type]) {
        for arg in &aggregate.args {
            self.expression(arg, input);
        }
        if let Some(filter) = &aggregate.filter {
            self.condition(filter, input);
        }
    }

    pub(super) fn top(&mut self, top: &Top, input: &[Type], schema: &Schema) {
        for per in &top.per {
            self.expression(per, input);
        }
        for key in &top.by {
            self.expression(&key.expr, input);
        }
        let mut types = input.to_vec();
        if top.rank {
            types.push(Type::Int64);
        }
        self.yields(&types, schema);
    }

    pub(super) fn over(&mut self, over: &Over, input: &[Type], schema: &Schema) {
        for per in &over.per {
            self.expression(per, input);
        }
        for key in &over.by {
            self.expression(&key.expr, input);
        }
        let mut types = input.to_vec();
        for function in &over.functions {
            let wanted = match &function.kind {
                OverKind::Lag { of, .. } | OverKind::Lead { of, .. } => of.ty.clone().optional(),
                OverKind::First { of, .. } => of.ty.clone(),
                OverKind::RowNumber | OverKind::Rank | OverKind::DenseRank => Type::Int64,
                OverKind::Aggregate { aggregate, .. } => aggregate.ty.clone(),
            };
            self.require(function.ty == wanted, || {
                format!("a value of {} where {wanted} is wanted", function.ty)
            });
            self.require(!over.by.is_empty() || !function.kind.needs_order(), || {
                "a value along an order, where there is no order".into()
            });
            match &function.kind {
                OverKind::Aggregate { aggregate, rows } => {
                    self.aggregate(aggregate, input);
                    self.require(*rows != Some(0), || "an aggregate of no rows".into());
                }
                OverKind::First { of, rows } => {
                    self.expression(of, input);
                    self.require(*rows != Some(0), || "the first of no rows".into());
                }
                OverKind::Lag { of, .. } | OverKind::Lead { of, .. } => self.expression(of, input),
                OverKind::RowNumber | OverKind::Rank | OverKind::DenseRank => {}
            }
            types.push(function.ty.clone());
        }
        self.yields(&types, schema);
    }
}
