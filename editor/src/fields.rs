//! Every place where a field is named, and every variant of an enumeration.
//!
//! A field has one name wherever its rows go: the schema of a topic, the key of a `select`, the
//! rows of a test. What belongs together the compiler has noted while it typed the circuit:
//! `select: [amount]` names the field that it takes and declares one of the same name, and that is
//! where a new name may begin.

use std::collections::{BTreeMap, BTreeSet};

use arqon_compiler::Facts;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::expr::{BinaryOperator, Expr, ExprKind, Literal};

use crate::names::{Kind, Occurrence};

/// The fields and variants of a circuit, in no order; `text` is that of all its files.
pub(crate) fn fields(facts: &Facts, circuit: &ast::Circuit, text: &str) -> Vec<Occurrence> {
    let mut declared = Declared::default();
    declared.circuit(circuit);
    let others: BTreeSet<Span> = circuit
        .params
        .iter()
        .map(|param| param.name.span)
        .chain(circuit.functions.iter().map(|function| function.name.span))
        .collect();
    let names: Vec<(Span, Span)> =
        facts.names().iter().filter(|(_, at)| !others.contains(at)).copied().collect();
    let mut classes = Classes::default();
    declared.names.iter().for_each(|span| _ = classes.id(*span));
    for pair in names.windows(2) {
        if pair[0].0 == pair[1].0 {
            classes.join(pair[0].1, pair[1].1);
        }
    }
    for (one, other) in facts.equals() {
        classes.join(*one, *other);
    }
    let mut found = Vec::new();
    let mut push = |span: Span, class: Span, is_declaration: bool| {
        let name = span.slice(text);
        // A name written with escapes has no place of its own length.
        if name == class.slice(text) {
            let (name, owner) = (name.to_owned(), class.start);
            found.push(Occurrence { span, kind: Kind::Field, name, owner, is_declaration });
        }
    };
    for (place, at) in &names {
        push(*place, classes.root(*at), false);
    }
    for span in classes.spans() {
        push(span, classes.root(span), true);
    }
    Variants { facts, text, declared: &declared, classes }.collect(circuit, &mut found);
    found
}

/// Where a field that is taken under its own name stands: the name, and the whole path.
pub(crate) fn shorthands(circuit: &ast::Circuit) -> BTreeMap<Span, Span> {
    let mut declared = Declared::default();
    declared.circuit(circuit);
    declared.shorthands
}

/// What the text declares.
#[derive(Default)]
struct Declared<'a> {
    names: Vec<Span>,
    shorthands: BTreeMap<Span, Span>,
    /// The enumeration of a field, by the place of the field: its name's place, its variants.
    enums: BTreeMap<Span, (Span, &'a [ast::Name])>,
    /// Values with the names that they get.
    values: Vec<(Span, Span)>,
}

impl<'a> Declared<'a> {
    fn circuit(&mut self, circuit: &'a ast::Circuit) {
        circuit.schemas.iter().for_each(|schema| self.fields(&schema.fields));
        circuit.topics.iter().flat_map(|topic| &topic.schema).for_each(|ty| self.ty(ty));
        for operator in &circuit.operators {
            if let Some(ast::Contract::Own { job, result }) =
                operator.contract.as_ref().map(|contract| &contract.node)
            {
                job.iter().chain(result).for_each(|ty| self.ty(ty));
            }
        }
        circuit.for_each_node(&mut |node| node.for_each_step(&mut |step| self.step(step)));
    }

    fn fields(&mut self, fields: &'a [ast::Field]) {
        for field in fields {
            self.names.push(field.name.span);
            let variants = field.ty.parts().into_iter().find_map(|part| match &part.kind {
                ast::TypeKind::Enum(variants) => Some(variants.as_slice()),
                _ => None,
            });
            if let Some(variants) = variants {
                let place = field.name.span.to(field.ty.span);
                self.enums.insert(place, (field.name.span, variants));
            }
            self.ty(&field.ty);
        }
    }

    fn ty(&mut self, ty: &'a ast::TypeExpr) {
        match &ty.kind {
            ast::TypeKind::Struct(fields) => self.fields(fields),
            ast::TypeKind::List(inner)
            | ast::TypeKind::Map(inner)
            | ast::TypeKind::Option(inner) => self.ty(inner),
            _ => {}
        }
    }

    fn step(&mut self, step: &'a ast::Step) {
        match &step.kind {
            ast::StepKind::Select(fields) | ast::StepKind::With(fields) => self.named(fields),
            ast::StepKind::Unnest(field) => self.named(std::slice::from_ref(field)),
            ast::StepKind::Distinct(fields) => self.named(fields.as_deref().unwrap_or_default()),
            ast::StepKind::Group(group) => {
                self.named(&group.keys);
                self.named(&group.aggregates);
            }
            ast::StepKind::Over(over) => self.named(&over.fields),
            ast::StepKind::Call(call) => self.named(&call.keep),
            ast::StepKind::Join(join) => {
                self.names.extend(join.alias.iter().map(|alias| alias.span));
            }
            ast::StepKind::Top(top) => self.names.extend(top.rank.iter().map(|rank| rank.span)),
            ast::StepKind::Wasm(wasm) => wasm.returns.iter().for_each(|ty| self.ty(ty)),
            ast::StepKind::Where(_)
            | ast::StepKind::Loop(_)
            | ast::StepKind::Drop(_)
            | ast::StepKind::Window(_)
            | ast::StepKind::Within(_)
            | ast::StepKind::Route(_)
            | ast::StepKind::Carries(_)
            | ast::StepKind::Kernel(_)
            | ast::StepKind::Error => {}
        }
    }

    fn named(&mut self, fields: &'a [ast::NamedExpr]) {
        for ast::NamedExpr { name, value } in fields {
            self.names.push(name.span);
            self.values.push((value.span, name.span));
            if value.span.start <= name.span.start && name.span.end <= value.span.end {
                self.shorthands.insert(name.span, value.span);
            }
        }
    }
}

/// Places that have one name.
#[derive(Clone, Default)]
struct Classes {
    ids: BTreeMap<Span, usize>,
    spans: Vec<Span>,
    parents: Vec<usize>,
}

impl Classes {
    fn id(&mut self, span: Span) -> usize {
        let (spans, parents) = (&mut self.spans, &mut self.parents);
        *self.ids.entry(span).or_insert_with(|| {
            spans.push(span);
            parents.push(parents.len());
            parents.len() - 1
        })
    }

    fn top(&mut self, mut id: usize) -> usize {
        while self.parents[id] != id {
            self.parents[id] = self.parents[self.parents[id]];
            id = self.parents[id];
        }
        id
    }

    fn join(&mut self, one: Span, other: Span) {
        let (one, other) = (self.id(one), self.id(other));
        let (one, other) = (self.top(one), self.top(other));
        // The first of them in the text stands for all.
        let (least, most) =
            if self.spans[one] <= self.spans[other] { (one, other) } else { (other, one) };
        self.parents[most] = least;
    }

    fn root(&mut self, span: Span) -> Span {
        let id = self.id(span);
        let top = self.top(id);
        self.spans[top]
    }

    fn spans(&self) -> Vec<Span> {
        self.spans.clone()
    }
}

/// The variants of enumerations, where they are declared and where a text is one of them.
struct Variants<'a, 'd> {
    facts: &'a Facts,
    text: &'a str,
    declared: &'d Declared<'a>,
    classes: Classes,
}

impl Variants<'_, '_> {
    fn collect(mut self, circuit: &ast::Circuit, found: &mut Vec<Occurrence>) {
        let origins: BTreeMap<Span, Span> = self.facts.enums().iter().copied().collect();
        let field_of = |place: &Span| {
            origins.get(place).and_then(|origin| self.declared.enums.get(origin)).copied()
        };
        // A field that is computed from another one has its variants, whatever it is called.
        for (value, name) in &self.declared.values {
            if let Some((field, _)) = field_of(value) {
                self.classes.join(field, *name);
            }
        }
        let mut uses: Vec<(Span, Span)> = Vec::new();
        circuit.for_each_expression(&mut |expr| {
            expr.for_each(&mut |part| {
                let ExprKind::Binary { operator, left, right } = &part.kind else { return };
                if !is_comparison(operator.node) {
                    return;
                }
                for (of, text) in [(left, right), (right, left)] {
                    if let Some((field, _)) = field_of(&of.span) {
                        texts(text, &mut |span| uses.push((field, span)));
                    }
                }
            });
        });
        for place in origins.keys().filter(|it| self.facts.type_of(**it).is_none()) {
            if let Some((field, _)) = field_of(place) {
                uses.push((field, *place));
            }
        }
        let mut push = |field: Span, span: Span, is_declaration: bool| {
            let owner = self.classes.root(field).start;
            let name = span.slice(self.text).to_owned();
            found.push(Occurrence { span, kind: Kind::Variant, name, owner, is_declaration });
        };
        for (field, variants) in self.declared.enums.values() {
            for variant in *variants {
                push(*field, variant.span, true);
            }
        }
        for (field, place) in uses {
            push(field, unquoted(place, self.text), false);
        }
    }
}

fn is_comparison(operator: BinaryOperator) -> bool {
    matches!(
        operator,
        BinaryOperator::Equal
            | BinaryOperator::NotEqual
            | BinaryOperator::Less
            | BinaryOperator::LessOrEqual
            | BinaryOperator::Greater
            | BinaryOperator::GreaterOrEqual
            | BinaryOperator::In
            | BinaryOperator::Default
    )
}

/// The texts that are written out.
fn texts(expr: &Expr, visit: &mut dyn FnMut(Span)) {
    match &expr.kind {
        ExprKind::Literal(Literal::String(_)) => visit(expr.span),
        ExprKind::List(items) => items.iter().for_each(|item| texts(item, visit)),
        ExprKind::If { consequence, alternative, .. } => {
            texts(consequence, visit);
            texts(alternative, visit);
        }
        _ => {}
    }
}

/// The place of a text without its quotes.
fn unquoted(span: Span, text: &str) -> Span {
    let written = span.slice(text);
    let is_quoted = ['"', '\''].iter().any(|quote| {
        2 <= written.len() && written.starts_with(*quote) && written.ends_with(*quote)
    });
    if is_quoted { Span::new(span.start + 1, span.end - 1) } else { span }
}
