//! `loop:` in both forms: as a step over the rows so far, and as a node with variables of its own.

use super::reader::Fields;
use super::reader::Item;
use super::reader::Reader;
use crate::ast::Direction;
use crate::ast::Loop;
use crate::ast::LoopBounds;
use crate::ast::LoopVariable;
use crate::ast::Merge;
use crate::ast::Name;
use crate::ast::NodeLoop;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::name::NameRule;
use crate::suggest::suggest;

pub(crate) const STEP_KEYS: &[&str] = &["do", "merge", "rounds", "exact"];
const MERGE_KEYS: &[&str] = &["min", "max", "by"];
pub(crate) const MERGE_WORDS: &[&str] = &["distinct"];
pub(crate) const NEXT_KEYS: &[&str] = &["from", "merge"];
pub(crate) const NODE_KEYS: &[&str] = &["let", "flow", "next", "rounds", "exact"];

impl<'a> Reader<'a> {
    /// `- loop: [steps]` with `merge`, `rounds` and `exact` beside it, or all of it in one map
    /// with the steps under `do`.
    pub(crate) fn step_loop(&mut self, item: Item<'a>, fields: &Fields<'a>) -> Option<Loop> {
        if self.map(item.value).is_none() {
            let body = self.steps(item);
            let merge = self.merge(fields)?;
            return Some(Loop { body, merge, bounds: self.loop_bounds(fields) });
        }
        let inner = self.fields(item.value, "a `loop`", item.span, STEP_KEYS)?;
        for key in ["merge", "rounds", "exact"] {
            if let (Some(beside), Some(within)) = (fields.get(key), inner.get(key)) {
                self.report(
                    Diagnostic::new(
                        code::yaml::DUPLICATE_KEY,
                        beside.span,
                        format!("`{key}` stands within the `loop` and beside it"),
                    )
                    .secondary(within.span, "the first one"),
                );
            }
        }
        let body = self.require(&inner, "do").map(|steps| self.steps(steps));
        let merge = self.merge(if inner.get("merge").is_some() { &inner } else { fields })?;
        let either = |key| inner.get(key).or_else(|| fields.get(key));
        let bounds = self.bounds(either("rounds"), either("exact"));
        Some(Loop { body: body?, merge, bounds })
    }

    fn loop_bounds(&mut self, fields: &Fields<'a>) -> LoopBounds {
        self.bounds(fields.get("rounds"), fields.get("exact"))
    }

    fn bounds(&mut self, rounds: Option<Item<'a>>, exact: Option<Item<'a>>) -> LoopBounds {
        if let (None, Some(exact)) = (rounds, exact) {
            self.report(
                Diagnostic::new(
                    code::yaml::MISSING_KEY,
                    exact.span,
                    "`exact` needs `rounds`: how many rounds are the result",
                )
                .help("write `rounds: 3` beside it, or leave `exact` away"),
            );
        }
        LoopBounds {
            rounds: rounds.map(|rounds| self.expression(rounds.value)),
            exact: exact.and_then(|exact| self.boolean(exact.value)),
        }
    }

    /// `merge: distinct`, `merge: { min: field, by: key }`; distinct when it is not written.
    fn merge(&mut self, fields: &Fields<'a>) -> Option<Merge> {
        let Some(item) = fields.get("merge") else { return Some(Merge::Distinct) };
        let what = "`distinct`, `{ min: field, by: key }` or `{ max: field, by: key }`";
        if let Some(scalar) = self.scalar(item.value).filter(|_| !self.is_empty(item.value)) {
            if scalar.text == "distinct" {
                return Some(Merge::Distinct);
            }
            let span = self.inner_span(item.value);
            self.report(
                Diagnostic::new(
                    code::yaml::UNKNOWN_WORD,
                    span,
                    format!("`{}` is not a way to merge", scalar.text),
                )
                .did_you_mean(suggest(&scalar.text, MERGE_WORDS.iter().copied()))
                .help(format!("it is {what}")),
            );
            return None;
        }
        if self.map(item.value).is_none() {
            self.wrong_shape(item.value, what);
            return None;
        }
        let best = self.fields(item.value, "a `merge`", item.span, MERGE_KEYS)?;
        let (direction, decides) = match (best.get("min"), best.get("max")) {
            (Some(least), None) => (Direction::Ascending, least),
            (None, Some(greatest)) => (Direction::Descending, greatest),
            (Some(_), Some(greatest)) => {
                self.report(Diagnostic::new(
                    code::yaml::UNKNOWN_KEY,
                    greatest.span,
                    "a `merge` keeps the least or the greatest, not both",
                ));
                return None;
            }
            (None, None) => {
                self.report(Diagnostic::new(
                    code::yaml::MISSING_KEY,
                    item.span,
                    "a `merge` needs `min` or `max`",
                ));
                return None;
            }
        };
        let field = self.name(decides.value, NameRule::Identifier, "field");
        let by = self.require(&best, "by")?;
        let by = self.names(by.value, NameRule::Identifier, "field");
        Some(Merge::Best { direction, field: field?, by: by? })
    }

    /// `loop:` of a node, with the `out:` beside it.
    pub(crate) fn node_loop(&mut self, item: Item<'a>, node: &Fields<'a>) -> Option<NodeLoop> {
        if self.list(item.value).is_some() {
            self.report(
                Diagnostic::new(
                    code::yaml::WRONG_SHAPE,
                    item.span,
                    "the `loop` of a node is a map with `let`, `flow` and `next`",
                )
                .help("steps over the rows so far are a step: `do: [- loop: […]]`"),
            );
            return None;
        }
        if let Some(from) = node.get("from") {
            self.report(
                Diagnostic::new(
                    code::yaml::UNKNOWN_KEY,
                    from.span,
                    "a node with a `loop` reads through its `let`, not `from`",
                )
                .secondary(item.span, "the loop"),
            );
        }
        let fields = self.fields(item.value, "a `loop`", item.span, NODE_KEYS)?;
        let out = self
            .require(node, "out")
            .and_then(|out| self.name(out.value, NameRule::Plain, "variable"));
        let flow = match fields.get("flow") {
            Some(flow) => self.flow(flow.value),
            None => Vec::new(),
        };
        let lets = self.require(&fields, "let");
        let nexts = self.require(&fields, "next");
        let variables = self.variables(lets?, nexts?)?;
        let bounds = self.loop_bounds(&fields);
        Some(NodeLoop { span: item.span, variables, flow, bounds, out })
    }

    /// `let` and `next`, which have the same names.
    fn variables(&mut self, lets: Item<'a>, nexts: Item<'a>) -> Option<Vec<LoopVariable>> {
        let what = "a map of variables, `{ variable: … }`";
        let starts = self.expect_map(lets.value, what);
        let nexts_of = self.expect_map(nexts.value, what);
        let (starts, nexts_of) = (starts?, nexts_of?);
        if starts.is_empty() {
            self.empty(lets.span, "`let` names no variable");
            return None;
        }
        for next in &nexts_of {
            if !starts.iter().any(|start| start.key == next.key) {
                let names = starts.iter().map(|start| start.key);
                self.report(
                    Diagnostic::new(
                        code::names::LOOP_VARIABLE,
                        next.span,
                        format!("`next` speaks of `{}`, which `let` does not start", next.key),
                    )
                    .did_you_mean(suggest(next.key, names))
                    .secondary(lets.span, "the variables"),
                );
            }
        }
        let is_misspelt =
            nexts_of.iter().any(|next| !starts.iter().any(|start| start.key == next.key));
        let mut variables = Vec::with_capacity(starts.len());
        for start in starts {
            let name = self.declared(start, NameRule::Plain, "variable");
            let next = nexts_of.iter().find(|next| next.key == start.key);
            if next.is_none() && !is_misspelt {
                self.report(
                    Diagnostic::new(
                        code::names::LOOP_VARIABLE,
                        start.span,
                        format!("variable `{}` has no `next`", start.key),
                    )
                    .secondary(nexts.span, "what the variables are in the next round")
                    .help(format!("add `{}: {{ from: […], merge: distinct }}`", start.key)),
                );
            }
            let again = next.map(|next| Name { node: next.key.to_owned(), span: next.span });
            let (next, merge) = next.map_or((Vec::new(), None), |next| self.next(*next));
            variables.push(LoopVariable {
                name,
                again,
                start: self.references(start.value, start.span).unwrap_or_default(),
                next,
                merge: merge.unwrap_or(Merge::Distinct),
            });
        }
        Some(variables)
    }

    /// `{ from: [a, b], merge: distinct }`, or the names alone.
    fn next(&mut self, item: Item<'a>) -> (Vec<Name>, Option<Merge>) {
        if self.map(item.value).is_none() {
            return (self.references(item.value, item.span).unwrap_or_default(), None);
        }
        let fields = self.fields(item.value, "the next round", item.span, NEXT_KEYS);
        let Some(fields) = fields else { return (Vec::new(), None) };
        let from = self
            .require(&fields, "from")
            .and_then(|from: Item<'a>| self.references(from.value, from.span));
        (from.unwrap_or_default(), self.merge(&fields))
    }
}

#[cfg(test)]
mod tests {
    use crate::ast::StepKind;
    use crate::circuit::ParseOptions;
    use crate::circuit::parse_circuit;

    #[test]
    fn both_ways_to_write_a_step_are_one() {
        let read = |step: &str| {
            let text = format!("arqon: 1\ncircuit: a\nflow:\n  n:\n    from: t\n    do:\n{step}");
            let (circuit, faults) = parse_circuit(&text, &ParseOptions::default());
            assert_eq!(faults, []);
            match &circuit.expect("it is a circuit").flow[0].steps[0].kind {
                StepKind::Loop(it) => {
                    (it.body.len(), it.bounds.rounds.is_some(), it.bounds.exact.is_some())
                }
                other => panic!("{other:?}"),
            }
        };
        let beside =
            read("      - loop:\n          - where: a\n        rounds: 3\n        exact: true\n");
        let within = read("      - loop: { do: [where: a], rounds: 3, exact: true }\n");
        assert_eq!(beside, within);
        assert_eq!(beside, (1, true, true));
    }
}
