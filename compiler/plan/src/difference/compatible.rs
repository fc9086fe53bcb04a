//! Whether clients of a topic can go on when its declaration changes.
//!
//! Publishers send rows of the old schema, subscribers expect to read them. Rows on the wire name
//! their fields in JSON and number them in protobuf, so a field may be added at the end only.

use std::collections::{BTreeMap, BTreeSet};

use arqon_types::{Edge, Field, TimeUnits, Type};

use super::{Verdict, is_at_edge};
use crate::vertex::{Retain, Topic};

/// What becomes of a topic that both plans declare, and why.
pub(super) fn topic(was: &Topic, now: &Topic) -> (Verdict, Vec<String>) {
    let mut refusals = Vec::new();
    let mut changes = Vec::new();
    if was.discipline != now.discipline {
        refusals.push(format!("it carries `{}` instead of `{}`", now.discipline, was.discipline));
    }
    if was.key != now.key || was.key_names() != now.key_names() {
        let key = |topic: &Topic| match topic.key_names() {
            none if none.is_empty() => "no key".to_owned(),
            names => format!("the key `{names}`"),
        };
        refusals.push(format!("it has {} instead of {}", key(now), key(was)));
    }
    if was.edge.admits() && !now.edge.admits() {
        refusals.push("clients that publish to it may not do so any more".to_owned());
    }
    if was.edge.emits() && !now.edge.emits() {
        refusals.push("clients that read it may not do so any more".to_owned());
    }
    let found = fields("", &was.schema.fields, &now.schema.fields, was.edge);
    for (is_refused, reason) in
        found.into_iter().chain(units(&was.schema.units, &now.schema.units, was.edge))
    {
        if is_refused {
            refusals.push(reason);
        } else {
            changes.push(reason);
        }
    }
    changes.extend(readings(was, now));
    let is_changed = !refusals.is_empty() || !changes.is_empty();
    if is_at_edge(was) && !refusals.is_empty() {
        return (Verdict::Refuse, refusals);
    }
    refusals.extend(changes);
    (if is_changed { Verdict::Rebuild } else { Verdict::Keep }, refusals)
}

/// Why readers see other rows of the topic, although the same ones are sent to it.
pub(super) fn readings(was: &Topic, now: &Topic) -> Vec<String> {
    let mut found = Vec::new();
    match (was.control, now.control) {
        (false, true) => {
            found
                .push("what the flow writes to it comes an epoch later now (`control`)".to_owned());
        }
        (true, false) => {
            found.push("what the flow writes to it comes in the same epoch now".to_owned());
        }
        (true, true) | (false, false) => {}
    }
    if was.retain != now.retain {
        let kept = |topic: &Topic| match topic.retain {
            Some(Retain::Nothing) => "none".to_owned(),
            Some(Retain::Nanoseconds(_) | Retain::Bytes(_)) | None => {
                topic.retain_text().unwrap_or_else(|| "all".to_owned())
            }
        };
        found.push(format!("of its rows it retains {} instead of {}", kept(now), kept(was)));
    }
    match (was.verified, now.verified) {
        (true, false) => {
            found.push("what is taken back need not be there any more (`check: none`)".to_owned());
        }
        (false, true) => found.push("only what is there can be taken back now".to_owned()),
        (true, true) | (false, false) => {}
    }
    let time = |topic: &Topic| topic.time.map(|at| topic.schema.fields[at].name.clone());
    if time(was) != time(now) {
        let named = |topic: &Topic| match time(topic) {
            Some(field) => format!("the time `{field}`"),
            None => "no time".to_owned(),
        };
        found.push(format!("it has {} instead of {}", named(now), named(was)));
    }
    if was.late != now.late {
        let late = |topic: &Topic| arqon_types::format_duration(topic.late);
        found.push(format!("rows may be {} late instead of {}", late(now), late(was)));
    }
    found
}

/// The first thing that differs between the fields of two rows.
pub(super) fn first_change(was: &[Field], now: &[Field]) -> Option<String> {
    fields("", was, now, Edge::None).into_iter().next().map(|(_, reason)| reason)
}

/// What has changed in fields, each with whether clients cannot follow; `path` leads to them.
fn fields(path: &str, was: &[Field], now: &[Field], edge: Edge) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    for old in was {
        let name = format!("{path}{}", old.name);
        match now.iter().find(|field| field.name == old.name) {
            None => found.push((true, format!("the field `{name}` is gone"))),
            Some(new) => found.extend(types(&name, &old.ty, &new.ty, edge)),
        }
    }
    let kept: Vec<&str> = now
        .iter()
        .map(|field| &*field.name)
        .filter(|name| was.iter().any(|old| *old.name == **name))
        .collect();
    let expected: Vec<&str> =
        was.iter().map(|field| &*field.name).filter(|name| kept.contains(name)).collect();
    if kept != expected {
        found.push((true, "its fields stand in another order, which numbers them".to_owned()));
    }
    for (at, new) in
        now.iter().enumerate().filter(|(_, new)| was.iter().all(|old| old.name != new.name))
    {
        let name = format!("{path}{}", new.name);
        if edge.admits() && !new.ty.is_option() {
            let reason =
                format!("publishers do not send the new field `{name}`, which is no option");
            found.push((true, reason));
        } else if now[at..].iter().any(|later| was.iter().any(|old| old.name == later.name)) {
            found.push((true, format!("the new field `{name}` does not stand at the end")));
        } else {
            found.push((false, format!("the field `{name}` is new")));
        }
    }
    found
}

/// Which integers are read in another unit; publishers may go on only where none was sent before.
fn units(was: &TimeUnits, now: &TimeUnits, edge: Edge) -> Vec<(bool, String)> {
    let (was, now): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (was.paths().into_iter().collect(), now.paths().into_iter().collect());
    let paths: BTreeSet<&String> = was.keys().chain(now.keys()).collect();
    paths
        .into_iter()
        .filter_map(|path| match (was.get(path), now.get(path)) {
            (Some(old), Some(new)) if old == new => None,
            (Some(old), Some(new)) => Some((
                edge.admits(),
                format!("integers of the field `{path}` are read in {new} instead of {old}"),
            )),
            (Some(old), None) => Some((
                edge.admits(),
                format!("integers of the field `{path}`, in {old}, are accepted no more"),
            )),
            (None, Some(new)) => {
                Some((false, format!("integers of the field `{path}` are accepted, in {new}")))
            }
            (None, None) => None,
        })
        .collect()
}

fn types(name: &str, was: &Type, now: &Type, edge: Edge) -> Vec<(bool, String)> {
    let changed = |is_refused: bool| {
        vec![(is_refused, format!("the field `{name}` is {now} instead of {was}"))]
    };
    match (was, now) {
        (was, now) if was == now => Vec::new(),
        (Type::Struct(was), Type::Struct(now)) => fields(&format!("{name}."), was, now, edge),
        (Type::Option(was), Type::Option(now)) => types(name, was, now, edge),
        (Type::List(was), Type::List(now)) => types(name, was, now, edge),
        // Publishers may go on to send what is always there; readers may not be ready for none.
        (was, Type::Option(now)) if was == now.as_ref() => changed(edge.emits()),
        (Type::Option(was), now) if was.as_ref() == now => changed(edge.admits()),
        (Type::Enum(was), Type::Enum(now)) if now.starts_with(was) => changed(edge.emits()),
        _ => changed(true),
    }
}
