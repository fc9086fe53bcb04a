//! `arqon explain FILE NODE`: what the compiler knows of a node, a step, a topic or an operator,
//! and what its passes make of it.

use arqon_grammar::Span;
use arqon_grammar::suggest::suggest;
use arqon_plan::{
    Extent, JoinKind, Plan, State, TextRange, Verb, Vertex, VertexId, WindowFrame, fields_text,
    state_text, verb_text,
};
use serde_json::{Value, json};

use crate::circuit::Circuit;
use crate::console::{Console, Style};
use crate::exit::Failure;

use super::passes::{Listing, assumptions, pass_lines};

/// What is known of one name in a circuit.
#[derive(Debug)]
pub(super) struct Explained {
    name: String,
    kind: &'static str,
    place: String,
    reads: Vec<String>,
    read_by: Vec<String>,
    parts: Vec<Part>,
    passes: Vec<Listing>,
}

/// A step, or a topic, with what is proven of its rows.
#[derive(Debug)]
struct Part {
    address: String,
    what: String,
    discipline: String,
    rows: String,
    key: Option<String>,
    at_most: String,
    holds: String,
    law: &'static str,
}

impl Explained {
    /// Looks a name up: a node, a step like `revenue[1]`, an arm like `node.label`, a topic, or an
    /// operator.
    ///
    /// # Errors
    /// A usage [`Failure`] with the nearest name if the circuit has no such one.
    pub(super) fn find(circuit: &Circuit, plan: &Plan, name: &str) -> Result<Self, Failure> {
        let vertices = vertices_of(plan, name);
        let (Some(first), Some(last)) = (vertices.first(), vertices.last()) else {
            return Err(unknown(circuit.findings.file(), plan, name));
        };
        let range = match plan.vertex(*first) {
            Vertex::Topic(topic) => topic.ranges.name,
            Vertex::Step(step) => step.range,
            Vertex::Endpoint(endpoint) => endpoint.range,
            Vertex::Client(client) => client.range,
        };
        let others = |ids: Vec<VertexId>| {
            let mut names: Vec<String> = Vec::new();
            for id in ids.into_iter().filter(|id| !vertices.contains(id)) {
                let name = plan.label(id).to_owned();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            names
        };
        let reads = vertices.iter().flat_map(|id| plan.inputs(*id)).map(|wire| wire.from);
        let readers = plan.outputs(*last).map(|wire| wire.to);
        let owner = match plan.vertex(*first) {
            Vertex::Step(step) => &*step.node,
            Vertex::Topic(_) | Vertex::Endpoint(_) | Vertex::Client(_) => plan.label(*first),
        };
        Ok(Self {
            name: name.to_owned(),
            kind: kind(plan.vertex(*first), name),
            place: place(circuit, range),
            reads: others(reads.collect()),
            read_by: others(readers.collect()),
            parts: vertices.iter().filter_map(|id| part(plan, *id)).collect(),
            passes: circuit.compiled.passes.iter().map(|pass| Listing::of(pass, owner)).collect(),
        })
    }

    /// As lines for people.
    pub(super) fn text(&self, console: Console) -> String {
        let title = console.paint_out(Style::Bold, &format!("{} {}", self.kind, self.name));
        let mut lines = vec![format!("{title}  {}", self.place)];
        for (word, names) in [("reads", &self.reads), ("read by", &self.read_by)] {
            if !names.is_empty() {
                lines.push(format!("  {word:<8} {}", names.join(", ")));
            }
        }
        for part in &self.parts {
            lines.push(String::new());
            part.lines(console, &mut lines);
        }
        pass_lines(&self.passes, console, &mut lines);
        lines.join("\n") + "\n"
    }

    /// As one document.
    pub(super) fn json(&self) -> Value {
        let parts: Vec<Value> = self
            .parts
            .iter()
            .map(|part| {
                json!({
                    "address": part.address, "does": part.what, "discipline": part.discipline,
                    "rows": part.rows, "key": part.key, "at_most": part.at_most,
                    "holds": part.holds, "law": part.law,
                })
            })
            .collect();
        let befores = std::iter::once(None).chain(self.passes.iter().map(Some));
        let passes: Vec<Value> =
            self.passes.iter().zip(befores).map(|(pass, before)| pass.json(before)).collect();
        json!({
            "name": self.name, "kind": self.kind, "place": self.place, "reads": self.reads,
            "read_by": self.read_by, "parts": parts, "passes": passes,
            "assumes": assumptions(),
        })
    }
}

impl Part {
    fn lines(&self, console: Console, lines: &mut Vec<String>) {
        let address = console.paint_out(Style::Cyan, &self.address);
        lines.push(format!("{address}  {}", self.what));
        let rows = format!("{} {}", self.discipline, self.rows);
        let facts = [
            ("rows", rows.as_str()),
            ("key", self.key.as_deref().unwrap_or("none is proven")),
            ("at most", &self.at_most),
            ("holds", &self.holds),
            ("law", self.law),
        ];
        lines.extend(facts.iter().map(|(word, fact)| format!("  {word:<8} {fact}")));
    }
}

/// The vertices that a name means: all steps of a node, or those at one address.
fn vertices_of(plan: &Plan, name: &str) -> Vec<VertexId> {
    let by = |is_it: &dyn Fn(&str, &str) -> bool| -> Vec<VertexId> {
        plan.steps()
            .filter(|(_, step)| is_it(&step.node, &step.address))
            .map(|(id, _)| id)
            .collect()
    };
    let node = by(&|node, _| node == name);
    if !node.is_empty() {
        return node;
    }
    let step = by(&|_, address| address == name);
    if !step.is_empty() {
        return step;
    }
    plan.named(name).into_iter().collect()
}

fn kind(vertex: &Vertex, name: &str) -> &'static str {
    match vertex {
        Vertex::Topic(_) => "topic",
        Vertex::Step(step) if *step.node == *name => "node",
        Vertex::Step(_) => "step",
        Vertex::Endpoint(_) => "operator",
        Vertex::Client(_) => "role",
    }
}

fn place(circuit: &Circuit, range: TextRange) -> String {
    circuit.findings.sources.lines().place(Span::new(range.start, range.end))
}

fn part(plan: &Plan, id: VertexId) -> Option<Part> {
    let (address, what, schema, law) = match plan.vertex(id) {
        Vertex::Step(step) => {
            (step.address.to_string(), verb_text(plan, id, step), &step.schema, law(&step.verb))
        }
        Vertex::Topic(topic) => {
            let what = format!("topic that carries {}", topic.discipline);
            let law = "each change by itself; a late reader gets the rows, and then the changes";
            (topic.name.to_string(), what, &topic.schema, law)
        }
        Vertex::Endpoint(_) | Vertex::Client(_) => return None,
    };
    let facts = plan.facts(id);
    let key = facts.key().map(|columns| {
        let names = columns.iter().filter_map(|at| schema.fields.get(*at));
        let names: Vec<&str> = names.map(|field| &*field.name).collect();
        if names.is_empty() {
            "there is one row".to_owned()
        } else {
            format!("({})", names.join(", "))
        }
    });
    Some(Part {
        address,
        what,
        discipline: facts.discipline.map_or("unknown".to_owned(), |it| it.to_string()),
        rows: fields_text(&schema.fields),
        key,
        at_most: match &facts.extent {
            Extent::Rows(1) => "1 row".to_owned(),
            Extent::Rows(n) => format!("{n} rows"),
            Extent::Bounded(formula) => formula.to_string(),
            Extent::Unbounded(topic) => {
                format!("as many rows as {} ever carried", plan.label(*topic))
            }
            Extent::Unknown => "unknown".to_owned(),
        },
        holds: match &facts.state {
            State::Stateless => "nothing".to_owned(),
            state @ (State::Bounded(_) | State::Unbounded { .. } | State::Unknown) => {
                state_text(plan, state)
            }
        },
        law,
    })
}

/// How the output of a step changes when its input does.
fn law(verb: &Verb) -> &'static str {
    match verb {
        Verb::From => "linear: the changes of all inputs add up",
        Verb::Where(_) | Verb::Project(_) | Verb::Route(_) | Verb::Arm(_) => {
            "linear: each change by itself, a retraction as the row that it takes back"
        }
        Verb::Unnest(_) => {
            "linear: a row stands for its elements, a retraction takes all of them back"
        }
        Verb::Join(join) if join.asof.is_some() => {
            "by key: a change moves the latest match of those left rows only whose match it is"
        }
        Verb::Join(join) => match join.kind {
            JoinKind::Full => "bilinear, and a row of either side stands alone without a match",
            JoinKind::Inner => {
                "bilinear: a change of one side meets the rows of the other side that match it"
            }
            JoinKind::Left => "bilinear, and a left row stands alone while nothing matches it",
            JoinKind::Semi => {
                "by key: a left row comes with the first match and goes with the last one"
            }
            JoinKind::Anti => {
                "by key: a left row goes with the first match and comes with the last one's end"
            }
        },
        Verb::Group(_) => {
            "by group: a change takes back the row of its group and puts the new one, exactly"
        }
        Verb::Distinct => "by row: the first copy comes, the last one goes",
        Verb::Over(_) => "by group: a change moves the rows whose values along the order change",
        Verb::Top(_) => "by group: a change moves the rows at the cut of its group",
        Verb::Window(window) if window.is_final => {
            "held until the window closes, and said once; what comes later goes to `late`"
        }
        Verb::Window(window) => match window.frame {
            WindowFrame::Aligned { .. } => {
                "linear: each change by itself, into those of its windows that are open"
            }
            WindowFrame::Session { .. } => {
                "by key: a change takes back the sessions that it joins or parts, and puts the new"
            }
        },
        Verb::Within(_) => "linear: each row comes, and is taken back when time has passed it",
        Verb::Late(_) => "linear: the rows that came after all their windows had closed",
        Verb::Carries(_) => "by key: each key that changed has its row taken back and put anew",
        Verb::Call(_) => {
            "one job for each row; a retraction repeats the recorded result, taken back"
        }
        Verb::Kernel(_) => {
            "by differences of its own state: exactly, or within its error bound, as its mode is"
        }
        Verb::Wasm(_) => {
            "linear: each change by itself, a retraction as what the capsule said of the row"
        }
        Verb::Variable(_) => {
            "round by round: it begins with its seed, and grows by what its body adds"
        }
        Verb::Leave { .. } => {
            "a least fixpoint: a change runs through the rounds that it touches, and takes back \
             what no longer follows"
        }
        Verb::Unknown => "unknown, since the step could not be typed",
    }
}

fn unknown(file: &str, plan: &Plan, name: &str) -> Failure {
    let addresses = plan.steps().map(|(_, step)| &*step.address);
    let nearest = suggest(name, plan.names().chain(addresses));
    let failure = Failure::usage(format!("`{file}` has no node, step, topic or operator `{name}`"));
    let nodes: Vec<&str> = plan.nodes().iter().map(|node| node.name).collect();
    let all = format!("its nodes are {}", nodes.join(", "));
    match nearest {
        Some(near) => failure.help(format!("did you mean `{near}`? {all}")),
        None => failure.help(all),
    }
}
