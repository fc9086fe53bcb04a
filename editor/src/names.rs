//! Every place of a circuit where something is named: its declaration and its uses.

use std::collections::{BTreeMap, BTreeSet};

use arqon_compiler::Facts;
use arqon_grammar::ast;
use arqon_grammar::expr::{Expr, ExprKind};
use arqon_grammar::{Span, Spanned};

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A topic.
    Topic,
    /// A node of the flow.
    Node,
    /// A record type.
    Schema,
    /// A function of the circuit.
    Function,
    /// A parameter.
    Param,
    /// An operator.
    Operator,
    /// A label of a route; its name is `node.label`.
    Label,
    /// A variable or a node within the loop of a node; its name is `node.variable`.
    Local,
    /// A field of a row, or what a join calls the row of its other side.
    Field,
    /// A variant of an enumeration.
    Variant,
    /// A parameter of a function of the circuit.
    Argument,
    /// A variable of a lambda.
    Variable,
    /// A way to reach an operator; its name is `operator.via`.
    Implementation,
    /// A named port of a node.
    Port,
    /// A profile.
    Profile,
    /// A role.
    Role,
    /// A test.
    Test,
}

/// One place where something is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Occurrence {
    /// The name's place.
    pub(crate) span: Span,
    /// What is named.
    pub(crate) kind: Kind,
    /// The name.
    pub(crate) name: String,
    /// Which of all that are called so is meant, where a name alone does not tell: the place of a
    /// declaration that stands for all of them. 0 for what is named once in a circuit.
    pub(crate) owner: u32,
    /// Whether it is declared here.
    pub(crate) is_declaration: bool,
}

impl Occurrence {
    /// Whether both name the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.kind, self.owner) == (other.kind, other.owner) && self.name == other.name
    }
}

/// All of them, by place.
pub(crate) fn occurrences(facts: &Facts) -> Vec<Occurrence> {
    let Some(circuit) = &facts.circuit else { return Vec::new() };
    let mut collector = Collector::new(circuit);
    collector.declarations(circuit);
    for node in &circuit.flow {
        collector.node(node);
    }
    for chain in &circuit.routes {
        for stop in &chain.stops {
            collector.reference(stop);
        }
    }
    for role in &circuit.access {
        collector.declared(Kind::Role, &role.name);
        for grant in role.publish.iter().chain(&role.subscribe).chain(&role.execute) {
            collector.reference(&grant.target);
        }
    }
    for profile in &circuit.profiles {
        collector.declared(Kind::Profile, &profile.name);
        for (operator, via) in &profile.uses {
            collector.reference(operator);
            collector.implementation(operator.as_str(), via, false);
        }
        for param in &profile.params {
            collector.used(Kind::Param, &param.name);
        }
    }
    for test in &circuit.tests {
        collector.declared(Kind::Test, &test.name);
    }
    for step in circuit.tests.iter().flat_map(|test| &test.steps) {
        collector.test_step(step);
    }
    circuit.for_each_expression(&mut |expr| collector.expression(expr));
    collector.params_in_expressions(facts);
    let mut found = collector.found;
    found.sort_by_key(|occurrence| (occurrence.span, !occurrence.is_declaration));
    found.dedup_by_key(|occurrence| occurrence.span);
    found
}

/// The occurrence at an offset; of several the smallest.
pub(crate) fn at(occurrences: &[Occurrence], offset: u32) -> Option<&Occurrence> {
    let before = occurrences.partition_point(|it| it.span.start <= offset);
    occurrences[..before].iter().rev().find(|it| offset <= it.span.end)
}

/// A name as it is written where it stands.
pub(crate) fn written(kind: Kind, name: &str) -> &str {
    match kind {
        Kind::Label | Kind::Local | Kind::Implementation => {
            name.rsplit_once('.').map_or(name, |(_, last)| last)
        }
        Kind::Topic
        | Kind::Node
        | Kind::Schema
        | Kind::Function
        | Kind::Param
        | Kind::Operator
        | Kind::Field
        | Kind::Variant
        | Kind::Argument
        | Kind::Variable
        | Kind::Port
        | Kind::Profile
        | Kind::Role
        | Kind::Test => name,
    }
}

struct Collector<'a> {
    kinds: BTreeMap<&'a str, Kind>,
    schemas: BTreeSet<&'a str>,
    functions: BTreeSet<&'a str>,
    params: BTreeMap<&'a str, Span>,
    /// Names within the loops around the place, each with its whole name.
    locals: BTreeMap<String, String>,
    found: Vec<Occurrence>,
}

impl<'a> Collector<'a> {
    fn new(circuit: &'a ast::Circuit) -> Self {
        let mut kinds = BTreeMap::new();
        let operators = circuit.operators.iter().map(|it| (it.name.as_str(), Kind::Operator));
        let nodes = circuit.flow.iter().map(|it| (it.name.as_str(), Kind::Node));
        let topics = circuit.topics.iter().map(|it| (it.name.as_str(), Kind::Topic));
        // Of equal names the topic counts, as when the circuit is compiled.
        kinds.extend(operators.chain(nodes).chain(topics));
        Self {
            kinds,
            schemas: circuit.schemas.iter().map(|it| it.name.as_str()).collect(),
            functions: circuit.functions.iter().map(|it| it.name.as_str()).collect(),
            params: circuit.params.iter().map(|it| (it.name.as_str(), it.name.span)).collect(),
            locals: BTreeMap::new(),
            found: Vec::new(),
        }
    }

    fn push(&mut self, kind: Kind, span: Span, name: &str, is_declaration: bool) {
        // A name written with escapes has no place of its own length.
        if span.len() as usize == written(kind, name).len() {
            self.found.push(Occurrence {
                span,
                kind,
                name: name.to_owned(),
                owner: 0,
                is_declaration,
            });
        }
    }

    fn declared(&mut self, kind: Kind, name: &ast::Name) {
        self.push(kind, name.span, &name.node, true);
    }

    fn used(&mut self, kind: Kind, name: &ast::Name) {
        self.push(kind, name.span, &name.node, false);
    }

    fn declarations(&mut self, circuit: &ast::Circuit) {
        for param in &circuit.params {
            self.declared(Kind::Param, &param.name);
        }
        for schema in &circuit.schemas {
            self.declared(Kind::Schema, &schema.name);
            self.fields(&schema.fields);
        }
        for function in &circuit.functions {
            self.declared(Kind::Function, &function.name);
        }
        for topic in &circuit.topics {
            self.declared(Kind::Topic, &topic.name);
            if let Some(ty) = &topic.schema {
                self.ty(ty);
            }
        }
        for operator in &circuit.operators {
            self.declared(Kind::Operator, &operator.name);
            for via in &operator.via {
                self.implementation(operator.name.as_str(), &via.name, true);
            }
            if let Some(via) = &operator.selected {
                self.implementation(operator.name.as_str(), via, false);
            }
            match operator.contract.as_ref().map(|contract| &contract.node) {
                Some(ast::Contract::Own { job, result }) => {
                    for ty in job.iter().chain(result) {
                        self.ty(ty);
                    }
                }
                Some(ast::Contract::Named { .. }) | None => {}
            }
        }
    }

    fn fields(&mut self, fields: &[ast::Field]) {
        for field in fields {
            self.ty(&field.ty);
        }
    }

    fn ty(&mut self, ty: &ast::TypeExpr) {
        for part in ty.parts() {
            if let ast::TypeKind::Named(name) = &part.kind
                && self.schemas.contains(name.as_str())
            {
                self.push(Kind::Schema, part.span, name, false);
            }
            let ast::TypeKind::Tensor { dims, .. } = &part.kind else { continue };
            for dim in dims {
                if let ast::Dimension::Symbol(name) = &dim.node
                    && self.params.contains_key(name.as_str())
                {
                    self.push(Kind::Param, dim.span, name, false);
                }
            }
        }
    }

    fn node(&mut self, node: &ast::Node) {
        self.declared(Kind::Node, &node.name);
        if let Some(repeated) = &node.repeated {
            self.repeated(node.name.as_str(), repeated);
        }
        self.parts(node);
    }

    /// The loop of a node. What it names within itself has no name outside.
    fn repeated(&mut self, owner: &str, repeated: &ast::NodeLoop) {
        for start in repeated.variables.iter().flat_map(|variable| &variable.start) {
            self.reference(start);
        }
        let outside = self.locals.clone();
        let variables = repeated.variables.iter().map(|variable| &variable.name);
        for name in variables.chain(repeated.flow.iter().map(|node| &node.name)) {
            let whole = format!("{owner}.{}", name.node);
            self.push(Kind::Local, name.span, &whole, true);
            self.locals.insert(name.node.clone(), whole);
        }
        for variable in &repeated.variables {
            for name in variable.again.iter().chain(&variable.next) {
                self.reference(name);
            }
        }
        for node in &repeated.flow {
            if let Some(inner) = &node.repeated {
                self.repeated(&format!("{owner}.{}", node.name.node), inner);
            }
            self.parts(node);
        }
        repeated.out.iter().for_each(|out| self.reference(out));
        self.locals = outside;
    }

    fn parts(&mut self, node: &ast::Node) {
        match node.from.as_ref().map(|from| &from.node) {
            Some(ast::Source::One(name)) => self.reference(name),
            Some(ast::Source::Union(names)) => {
                for name in names {
                    self.reference(name);
                }
            }
            Some(ast::Source::Ports(ports)) => {
                for port in ports {
                    self.declared(Kind::Port, &port.name);
                    port.sources.iter().for_each(|name| self.reference(name));
                }
            }
            None => {}
        }
        for step in &node.steps {
            self.step(node, step);
        }
        match node.to.as_ref().map(|to| &to.node) {
            Some(ast::Sink::Topic(topic)) => self.reference(topic),
            Some(ast::Sink::Labels(labels)) => {
                for (label, topic) in labels {
                    self.label(node.name.as_str(), label.as_str(), label.span, false);
                    self.reference(topic);
                }
            }
            None => {}
        }
    }

    fn implementation(&mut self, operator: &str, via: &ast::Name, is_declaration: bool) {
        let whole = format!("{operator}.{}", via.node);
        self.push(Kind::Implementation, via.span, &whole, is_declaration);
    }

    fn label(&mut self, node: &str, label: &str, span: Span, is_declaration: bool) {
        if self.locals.contains_key(node) {
            return;
        }
        self.push(Kind::Label, span, &format!("{node}.{label}"), is_declaration);
    }

    fn step(&mut self, node: &ast::Node, step: &ast::Step) {
        match &step.kind {
            ast::StepKind::Join(join) => self.reference(&join.source),
            ast::StepKind::Loop(looped) => {
                for step in &looped.body {
                    self.step(node, step);
                }
            }
            ast::StepKind::Route(branches) => {
                for branch in branches {
                    let label = &branch.label;
                    self.label(node.name.as_str(), label.as_str(), label.span, true);
                }
            }
            ast::StepKind::Call(call) => {
                self.reference(&call.operator);
                if let Some(topic) = &call.errors {
                    self.reference(topic);
                }
            }
            ast::StepKind::Kernel(kernel) => {
                for topic in kernel.control.iter().chain(&kernel.metrics) {
                    self.reference(topic);
                }
                if let Some(Spanned { node: ast::Emit::Pull(topic), .. }) = &kernel.emit {
                    self.reference(topic);
                }
            }
            ast::StepKind::Wasm(wasm) => wasm.returns.iter().for_each(|ty| self.ty(ty)),
            ast::StepKind::Where(_)
            | ast::StepKind::Select(_)
            | ast::StepKind::With(_)
            | ast::StepKind::Drop(_)
            | ast::StepKind::Unnest(_)
            | ast::StepKind::Group(_)
            | ast::StepKind::Distinct(_)
            | ast::StepKind::Top(_)
            | ast::StepKind::Over(_)
            | ast::StepKind::Window(_)
            | ast::StepKind::Within(_)
            | ast::StepKind::Carries(_)
            | ast::StepKind::Error => {}
        }
    }

    fn test_step(&mut self, step: &ast::TestStep) {
        match step {
            ast::TestStep::Example(example) => {
                for mock in &example.mocks {
                    self.reference(&mock.name);
                }
                for (name, _) in example.send.iter().chain(&example.expect) {
                    self.reference(name);
                }
            }
            ast::TestStep::Law(_) => {}
        }
    }

    /// A topic, a node, an operator; or `owner.part`, of which both are named.
    fn reference(&mut self, name: &ast::Name) {
        let first = name.node.split('.').next().unwrap_or("");
        if let Some(whole) = self.locals.get(first).cloned() {
            let end = name.span.start + u32::try_from(first.len()).unwrap_or(0);
            let span = Span::new(name.span.start, end.min(name.span.end));
            return self.push(Kind::Local, span, &whole, false);
        }
        if let Some(kind) = self.kinds.get(name.as_str()).copied() {
            self.used(kind, name);
            return;
        }
        let Some((owner, part)) = name.node.rsplit_once('.') else { return };
        let Some(kind) = self.kinds.get(owner).copied() else { return };
        if name.span.len() as usize != name.node.len() {
            return;
        }
        let owner_end = name.span.start + u32::try_from(owner.len()).unwrap_or(0);
        self.push(kind, Span::new(name.span.start, owner_end), owner, false);
        if kind == Kind::Node && part != "errors" {
            self.label(owner, part, Span::new(owner_end + 1, name.span.end), false);
        }
    }

    fn expression(&mut self, expr: &Expr) {
        expr.for_each(&mut |part| match &part.kind {
            ExprKind::Call { function, .. } if self.functions.contains(function.as_str()) => {
                self.push(Kind::Function, function.span, function.as_str(), false);
            }
            _ => {}
        });
    }

    /// Names that typing has found to be parameters.
    fn params_in_expressions(&mut self, facts: &Facts) {
        let by_place: BTreeMap<Span, &str> =
            self.params.iter().map(|(name, span)| (*span, *name)).collect();
        for (place, declared) in facts.names() {
            if let Some(name) = by_place.get(declared) {
                self.push(Kind::Param, *place, name, false);
            }
        }
    }
}
