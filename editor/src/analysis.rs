//! A text with all that is known of it; a broken text as far as it can be read.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use arqon_compiler::{Compiled, Facts, Options, Purpose, compile_with, with_profiles};
use arqon_grammar::{Diagnostic, Loader, Main, NoFiles, Span};
use arqon_plan::{FlowStep, Plan, VertexId};

use crate::fields::fields;
use crate::locals::locals;
use crate::names::{Occurrence, occurrences};

/// What is known of a text.
#[derive(Debug)]
pub(crate) struct Analysis {
    /// What the compiler made of it; of a text without structure, of one without its odd lines,
    /// whose other places are the same.
    pub(crate) compiled: Compiled,
    /// Types and declarations by place.
    pub(crate) facts: Facts,
    /// All places where something on the bus or a declaration of the circuit is named.
    pub(crate) occurrences: Vec<Occurrence>,
    /// The same with fields, variants and names within expressions, when somebody asks.
    everything: OnceCell<Vec<Occurrence>>,
    /// The faults and warnings of the text itself.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The last vertex of each address, `revenue` or `revenue[1]`.
    steps: BTreeMap<Arc<str>, VertexId>,
    /// The last vertex of each verb, by its place.
    verbs: BTreeMap<u32, (Span, VertexId)>,
}

impl Analysis {
    /// Reads and compiles a circuit.
    pub(crate) fn new(main: Main<'_>, loader: &mut dyn Loader, options: &Options) -> Self {
        let options = &Options { purpose: Purpose::Edit, ..options.clone() };
        let mut compiled = compile_with(main, loader, options);
        let mut diagnostics = std::mem::take(&mut compiled.diagnostics);
        if options.profile.is_none() {
            let profiles = std::mem::take(&mut compiled.profiles);
            let Ok(found) = with_profiles(diagnostics, &profiles, |profile| {
                let profile = Some(profile.to_owned());
                let options = Options { profile, ..options.clone() };
                Ok::<_, Infallible>(compile_with(main, loader, &options).diagnostics)
            });
            diagnostics = found;
        }
        if compiled.facts.circuit.is_none()
            && let Some(first) = diagnostics.first()
            && let Some(mended) = without_odd_lines(main, first.primary.span, loader, options)
        {
            let sources = std::mem::take(&mut compiled.sources);
            compiled = Compiled { sources, ..mended };
        }
        let facts = std::mem::take(&mut compiled.facts);
        let steps = compiled.plan.as_ref().map(addresses).unwrap_or_default();
        let verbs = compiled.plan.as_ref().map(verbs).unwrap_or_default();
        let occurrences = occurrences(&facts);
        let everything = OnceCell::new();
        Self { compiled, facts, occurrences, everything, diagnostics, steps, verbs }
    }

    /// What is known of a text that the compiler fails on.
    pub(crate) fn nothing(name: &str) -> Self {
        let none = Self::new(Main::alone(name, ""), &mut NoFiles, &Options::default());
        Self { diagnostics: Vec::new(), ..none }
    }

    /// All places where anything is named, by place. A field that is taken under its own name has
    /// two there: the one that it declares, then the one that it takes.
    pub(crate) fn everything(&self) -> &[Occurrence] {
        self.everything.get_or_init(|| {
            let mut all = self.occurrences.clone();
            if let Some(circuit) = &self.facts.circuit {
                all.extend(fields(&self.facts, circuit, self.compiled.sources.text()));
                all.extend(locals(circuit));
            }
            all.sort_by(|one, other| {
                let key = |it: &Occurrence| (it.span, !it.is_declaration, it.kind, it.owner);
                key(one).cmp(&key(other))
            });
            all.dedup();
            all
        })
    }

    /// The plan, as far as the text has one.
    pub(crate) fn plan(&self) -> Option<&Plan> {
        self.compiled.plan.as_ref()
    }

    /// Whether anything but the names of keys could be read.
    pub(crate) fn is_readable(&self) -> bool {
        self.facts.circuit.is_some()
    }

    /// The vertex whose rows leave the step of that address.
    pub(crate) fn step(&self, address: &str) -> Option<VertexId> {
        self.steps.get(address).copied()
    }

    /// The vertex of the last step of a node, or of what a loop names `node.name`.
    pub(crate) fn node(&self, name: &str) -> Option<VertexId> {
        let of_steps = (0..).map_while(|idx| self.step(&format!("{name}[{idx}]")));
        of_steps.last().or_else(|| self.step(name))
    }

    /// The verb at an offset, and the vertex whose rows leave its step.
    pub(crate) fn verb(&self, offset: u32) -> Option<(Span, VertexId)> {
        let (_, found) = self.verbs.range(..=offset).next_back()?;
        (offset <= found.0.end).then_some(*found)
    }
}

fn verbs(plan: &Plan) -> BTreeMap<u32, (Span, VertexId)> {
    let of_step = |(id, step): (VertexId, &FlowStep)| {
        let span = Span::new(step.range.start, step.range.end);
        step.address.ends_with(']').then_some((span.start, (span, id)))
    };
    plan.steps().filter_map(of_step).collect()
}

fn addresses(plan: &Plan) -> BTreeMap<Arc<str>, VertexId> {
    plan.steps().map(|(id, step)| (Arc::clone(&step.address), id)).collect()
}

/// The text with blanks in place of the line that cannot be read, and of more of them if need be.
fn without_odd_lines(
    main: Main<'_>,
    fault: Span,
    loader: &mut dyn Loader,
    options: &Options,
) -> Option<Compiled> {
    let mut text = main.text.to_owned();
    let mut fault = fault.start as usize;
    for _ in 0..LINES_MAX {
        if !blank_line(&mut text, fault) {
            return None;
        }
        let compiled = compile_with(Main { text: &text, ..main }, loader, options);
        if compiled.facts.circuit.is_some() {
            return Some(compiled);
        }
        fault = compiled.diagnostics.first()?.primary.span.start as usize;
    }
    None
}

/// Puts blanks over the line at an offset; over the one before it if it is blank already. False if
/// there is none.
fn blank_line(text: &mut String, offset: usize) -> bool {
    let mut end = text.len().min(offset);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end = text[end..].find('\n').map_or(text.len(), |at| end + at);
    loop {
        let start = text[..end].rfind('\n').map_or(0, |newline| newline + 1);
        if !text[start..end].trim().is_empty() {
            text.replace_range(start..end, &" ".repeat(end - start));
            return true;
        }
        if start == 0 {
            return false;
        }
        end = start - 1;
    }
}

/// Most lines that are left out of a text to read the rest.
const LINES_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn analyse(text: &str) -> Analysis {
        Analysis::new(Main::alone("a.yaml", text), &mut NoFiles, &Options::default())
    }

    #[test]
    fn a_broken_line_hides_nothing_of_the_others() {
        let text = "arqon: 1\ncircuit: a\nschemas:\n  S: { x: int64 }\ntopics:\n  t: { schema: S, \
            edge: in }\nflow:\n  n:\n    from: t\n    do:\n      \
            - where: x > 1\n      - sel\n      y: [\n    to: t\n";
        let found = analyse(text);
        assert_eq!(found.diagnostics[0].code.id(), "E0001");
        assert!(found.is_readable());
        assert!(found.step("n[0]").is_some());
        assert_eq!(found.compiled.sources.main_text(), text);
    }

    #[test]
    fn a_text_without_structure_is_no_circuit() {
        assert!(!analyse("").is_readable());
        assert!(!analyse("[[[[").is_readable());
    }
}
