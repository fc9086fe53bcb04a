//! Whether changes are of their topic's schema: what does not fit never reaches a worker.

use arqon_plan::TopicPlan;
use arqon_types::{Change, Column, Row, Type};

use crate::source::Changes;

/// The first change that is not of the topic's schema.
pub(crate) fn misfit(topic: &TopicPlan, changes: &Changes) -> Option<usize> {
    let fields = &topic.schema.fields;
    let row_fits = |row: &Row| {
        row.len() == fields.len()
            && row.iter().zip(fields).all(|(value, field)| value.fits(&field.ty))
    };
    let key_fits = |key: &Row| {
        key.len() == topic.key.len()
            && key.iter().zip(&topic.key).all(|(value, at)| value.fits(&fields[*at].ty))
    };
    match changes {
        Changes::Rows(changes) => changes.iter().position(|change| match change {
            Change::Insert(row) | Change::Upsert(row) | Change::Diff { row, .. } => !row_fits(row),
            Change::Delete(key) => !key_fits(key),
        }),
        Changes::Columns(batch) => {
            let fits = batch.columns.len() == fields.len()
                && batch.columns.iter().zip(fields).all(|(column, field)| {
                    column.len() == batch.len() && column_fits(column, &field.ty)
                });
            (!fits).then_some(0)
        }
        Changes::Errors(_) => None,
    }
}

fn column_fits(column: &Column, ty: &Type) -> bool {
    match (column, ty) {
        // What stands in place of an absent tensor has no shape that was asked for.
        (Column::Option { present, values }, Type::Option(inner)) => match (&**values, &**inner) {
            (Column::Tensor(values), Type::Tensor(ty)) => {
                present.iter().zip(values).all(|(present, value)| !present || value.fits(ty))
            }
            (values, inner) => column_fits(values, inner),
        },
        (Column::List { items, .. }, Type::List(inner)) => column_fits(items, inner),
        (Column::List { items, .. }, Type::Map(inner)) => match items.as_ref() {
            Column::Struct { fields, .. } => match fields.as_slice() {
                [Column::String(_), values] => column_fits(values, inner),
                _ => false,
            },
            _ => false,
        },
        (Column::Tensor(values), Type::Tensor(ty)) => values.iter().all(|value| value.fits(ty)),
        (Column::Struct { fields, .. }, Type::Struct(types)) => {
            fields.len() == types.len()
                && fields.iter().zip(types).all(|(column, field)| column_fits(column, &field.ty))
        }
        (Column::Bool(_), Type::Bool)
        | (
            Column::Int(_),
            Type::Int64 | Type::Timestamp | Type::Duration | Type::Date | Type::Enum(_),
        )
        | (Column::Float(_), Type::Float32 | Type::Float64)
        | (Column::Decimal(_), Type::Decimal(_))
        | (Column::Uuid(_), Type::Uuid)
        | (Column::String(_), Type::String)
        | (Column::Bytes(_), Type::Bytes) => true,
        _ => false,
    }
}
