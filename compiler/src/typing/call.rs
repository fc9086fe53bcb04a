//! Calls: functions of the language, functions of the circuit put in, lambdas, aggregates.

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::Spanned;
use arqon_grammar::code::names;
use arqon_grammar::expr as syntax;
use arqon_operators::{Aggregate, Arg, TypeFault};
use arqon_types::Type;

use super::fault::{Operand, reported};
use super::habit::habit;
use super::scope::{Scope, TypedExpr, Variable};
use super::typer::{Arrival, BODIES_MAX, Typer};
use crate::row_type::{RowType, parts_among};

/// The arguments that have parts, each with its type. Most have none, and cost nothing here.
fn known_parts(args: &[Option<TypedExpr>]) -> Vec<(Type, Arc<RowType>)> {
    let known = args.iter().flatten();
    known.filter_map(|it| Some((it.expr.ty.clone(), Arc::clone(it.parts.as_ref()?)))).collect()
}

impl Typer<'_> {
    /// A call in an expression over one row.
    pub(super) fn call(
        &mut self,
        function: &Spanned<String>,
        arguments: &[syntax::Argument],
        span: Span,
        scope: &Scope<'_>,
    ) -> Option<TypedExpr> {
        let name = function.as_str();
        if let Some(known) = self.functions.get(name).copied() {
            self.used_functions.insert(name.to_owned());
            if let Some(notes) = &mut self.notes {
                notes.name(function.span, known.ast.name.span);
            }
            return self.put_in(&known, function, arguments, span, scope);
        }
        let Some(parameters) = arqon_operators::function_parameters(name) else {
            self.no_function(function, arguments, scope);
            return None;
        };
        if name == "epoch_time" {
            self.arrival(function.span)?;
        }
        let ordered = self.ordered(function, arguments, parameters)?;
        let place = self.places.place(span);
        let mut args: Vec<Option<TypedExpr>> = Vec::with_capacity(ordered.len());
        let mut operands = Vec::with_capacity(ordered.len());
        for argument in &ordered {
            if matches!(argument.kind, syntax::ExprKind::Lambda { .. }) {
                operands.push(Operand::untyped(argument.span));
                args.push(None);
                continue;
            }
            let typed = self.infer(argument, scope, None);
            operands.push(match &typed {
                Some(typed) => Operand::new(argument.span, typed),
                None => Operand::untyped(argument.span),
            });
            args.push(typed);
        }
        let is_lambda = |at: usize| matches!(ordered[at].kind, syntax::ExprKind::Lambda { .. });
        if args.iter().enumerate().any(|(at, arg)| arg.is_none() && !is_lambda(at)) {
            return None;
        }
        let known = known_parts(&args);
        let made = self.call_with_lambdas(name, &ordered, args, scope, place);
        match made {
            Ok(expr) => {
                self.meet_operands(&expr, span, &operands);
                let parts = parts_among(&expr.ty, known.iter().map(|(ty, parts)| (ty, parts)));
                Some(TypedExpr { parts, ..TypedExpr::plain(expr) })
            }
            Err(fault) => {
                let is_count = fault.kind == arqon_operators::FaultKind::ArgumentCount;
                let mut types = operands.iter().filter_map(|operand| operand.ty.as_ref());
                let no_list = !types.any(|ty| {
                    let text = ty.to_string();
                    text.contains("list<") || text.contains("tensor<")
                });
                // `sum`, `min` and others are functions of a row and aggregates of a group.
                if arqon_operators::aggregate_names().any(|known| known == name)
                    && (is_count && ordered.len() < 2 || fault.operand == Some(0))
                    && no_list
                {
                    self.aggregate_of_one_row(function);
                    return None;
                }
                let span = if is_count { function.span } else { span };
                let operands = if fault.kind == arqon_operators::FaultKind::Shape {
                    operands
                } else {
                    only_wrong(&fault, operands)
                };
                self.type_fault(&fault, span, &operands);
                None
            }
        }
    }

    /// At most one argument of a function of the language is a lambda; its body is typed when
    /// the function has said what its variables are.
    fn call_with_lambdas(
        &mut self,
        name: &str,
        ordered: &[&syntax::Expr],
        args: Vec<Option<TypedExpr>>,
        scope: &Scope<'_>,
        place: arqon_operators::Place,
    ) -> arqon_operators::Typed {
        let lambda = ordered.iter().copied().find_map(|argument| match &argument.kind {
            syntax::ExprKind::Lambda { params, body } => Some((argument, params, body)),
            _ => None,
        });
        let Some((lambda, params, body)) = lambda else {
            let args = args.into_iter().flatten().map(|typed| Arg::Value(typed.expr)).collect();
            return arqon_operators::call(name, args, place);
        };
        let lambda_place = self.places.place(lambda.span);
        let known = known_parts(&args);
        let mut type_body = |types: &[Type]| {
            let variable = |(name, ty): (_, &Type)| {
                let parts = parts_among(ty, known.iter().map(|(ty, parts)| (ty, parts)));
                Variable { name, ty: ty.clone(), parts }
            };
            let variables: Vec<Variable<'_>> =
                params.iter().map(Spanned::as_str).zip(types).map(variable).collect();
            let n_locals = self.n_locals;
            let inner = Scope::Lambda { outer: scope, variables: &variables, n_locals };
            self.n_locals += variables.len();
            let typed = self.infer(body, &inner, None);
            self.n_locals = n_locals;
            typed.map(|typed| typed.expr).ok_or_else(|| reported(lambda_place))
        };
        let mut lambda_arg =
            Some(Arg::Lambda { n_params: params.len(), place: lambda_place, body: &mut type_body });
        let mut all = Vec::with_capacity(args.len());
        for arg in args {
            // A second lambda has no place in any function; the first one's fault says so.
            let Some(arg) = arg.map(|typed| Arg::Value(typed.expr)).or_else(|| lambda_arg.take())
            else {
                return Err(TypeFault::new(
                    arqon_operators::FaultKind::Mismatch,
                    place,
                    format!("`{name}` takes one function"),
                ));
            };
            all.push(arg);
        }
        arqon_operators::call(name, all, place)
    }

    fn aggregate_of_one_row(&mut self, function: &Spanned<String>) {
        self.report.push(
            Diagnostic::new(
                names::AGGREGATE_PLACE,
                function.span,
                format!("the aggregate `{}` has no meaning for a single row", function.node),
            )
            .help(
                "aggregates stand, one each, in `agg:` of a `group`; after it their names are \
                 fields",
            ),
        );
    }

    /// Notes that `epoch_time()` is asked for, or says why it is not known here.
    fn arrival(&mut self, span: Span) -> Option<()> {
        let fault = |message: &str| Diagnostic::new(names::EPOCH_TIME, span, message);
        let name =
            "give it a name before, right behind the topic: `- with: { came: epoch_time() }`";
        let fault = match self.arrival {
            Arrival::Here | Arrival::Asked(_) => {
                self.arrival = Arrival::Asked(span);
                return Some(());
            }
            Arrival::Past => fault(
                "`epoch_time()` stands in `where`, `select`, `with`, `unnest` and `route` only",
            )
            .help(name),
            Arrival::Repeated => {
                fault("`epoch_time()` has no meaning in a loop, whose rows do not come in")
                    .help(name)
            }
            Arrival::Nowhere => {
                fault("`epoch_time()` is when a row came into a circuit, and there is none here")
                    .help("write a time, as in `t\"2026-01-01T00:00:00Z\"`")
            }
        };
        self.report.push(fault);
        None
    }

    fn no_function(
        &mut self,
        function: &Spanned<String>,
        arguments: &[syntax::Argument],
        scope: &Scope<'_>,
    ) {
        let name = function.as_str();
        if arqon_operators::aggregate_names().any(|known| known == name) {
            self.aggregate_of_one_row(function);
            return;
        }
        if arqon_operators::along_order_names().any(|known| known == name) {
            self.no_order(function);
            return;
        }
        if let Some(help) = habit(name) {
            let message = format!("unknown function `{name}`");
            let fault = Diagnostic::new(names::UNKNOWN_FUNCTION, function.span, message);
            self.report.push(fault.help(help));
            self.infer_all(arguments, scope);
            return;
        }
        if self.report.has_lost_functions() {
            // One of the functions that could not be read is meant.
            self.infer_all(arguments, scope);
            return;
        }
        let n_before = self.report.len();
        let mut candidates: Vec<&str> = Vec::new();
        for known in arqon_operators::function_names() {
            candidates.push(known);
        }
        candidates.extend(self.functions.keys().copied());
        self.report.unknown(
            names::UNKNOWN_FUNCTION,
            function.span,
            format!("unknown function `{name}`"),
            name,
            candidates,
        );
        self.report.revise(n_before, |fault| {
            if fault.help.is_empty() {
                fault
                    .help
                    .push("declare it under `functions:`, or `import` a file that does".to_owned());
            }
        });
        self.infer_all(arguments, scope);
    }

    /// Arguments of an unknown function may have faults of their own.
    fn infer_all(&mut self, arguments: &[syntax::Argument], scope: &Scope<'_>) {
        for argument in arguments {
            if !matches!(argument.value.kind, syntax::ExprKind::Lambda { .. }) {
                self.infer(&argument.value, scope, None);
            }
        }
    }

    /// The arguments in the order of the parameters; named ones find their place.
    pub(super) fn ordered<'t>(
        &mut self,
        function: &Spanned<String>,
        arguments: &'t [syntax::Argument],
        parameters: &[&str],
    ) -> Option<Vec<&'t syntax::Expr>> {
        let is_aggregate = arqon_operators::aggregate_names().any(|it| it == function.node);
        let n_positional = arguments.iter().take_while(|argument| argument.name.is_none()).count();
        let mut places: Vec<Option<&syntax::Expr>> = vec![None; parameters.len()];
        for (place, argument) in places.iter_mut().zip(&arguments[..n_positional]) {
            *place = Some(&argument.value);
        }
        let mut complete = true;
        for argument in &arguments[n_positional..] {
            let Some(name) = &argument.name else {
                self.report.push(Diagnostic::new(
                    names::WRONG_ARGUMENTS,
                    argument.value.span,
                    "an argument without a name stands after one with a name",
                ));
                complete = false;
                continue;
            };
            match parameters.iter().position(|parameter| *parameter == name.as_str()) {
                Some(at) if places[at].is_none() => places[at] = Some(&argument.value),
                Some(_) => {
                    self.report.push(Diagnostic::new(
                        names::WRONG_ARGUMENTS,
                        name.span,
                        format!("`{}` is given twice", name.node),
                    ));
                    complete = false;
                }
                None => {
                    self.report.unknown(
                        names::WRONG_ARGUMENTS,
                        name.span,
                        format!("`{}` has no argument `{}`", function.node, name.node),
                        name.as_str(),
                        // A filter is taken out of an aggregate's arguments before.
                        parameters.iter().copied().chain(is_aggregate.then_some("where")),
                    );
                    complete = false;
                }
            }
        }
        if !complete {
            return None;
        }
        let mut ordered: Vec<&syntax::Expr> = places.into_iter().map_while(|place| place).collect();
        let n_missing = arguments.len().saturating_sub(ordered.len());
        // Too many, or a gap before a named one: the count is what the callee will complain of.
        if n_positional > parameters.len() {
            ordered.extend(arguments[parameters.len()..n_positional].iter().map(|it| &it.value));
        } else if n_missing > 0 {
            self.report.push(Diagnostic::new(
                names::WRONG_ARGUMENTS,
                function.span,
                format!("`{}` lacks an argument before a named one", function.node),
            ));
            return None;
        }
        Some(ordered)
    }

    /// A call of a function of the circuit: its body, with the arguments in it.
    fn put_in(
        &mut self,
        known: &crate::resolve::Function<'_>,
        function: &Spanned<String>,
        arguments: &[syntax::Argument],
        span: Span,
        scope: &Scope<'_>,
    ) -> Option<TypedExpr> {
        let parameters: Vec<&str> = known.ast.params.iter().map(Spanned::as_str).collect();
        let ordered = self.ordered(function, arguments, &parameters)?;
        if ordered.len() != parameters.len() {
            // Without parameters it was meant to have some.
            let (place, other, label) = match parameters.as_slice() {
                [] => (known.ast.name.span, function.span, "called here"),
                _ => (function.span, known.ast.name.span, "declared here"),
            };
            self.report.push(
                Diagnostic::new(
                    names::WRONG_ARGUMENTS,
                    place,
                    format!(
                        "function `{}` takes {} {}, found {}",
                        function.node,
                        parameters.len(),
                        if parameters.len() == 1 { "argument" } else { "arguments" },
                        ordered.len()
                    ),
                )
                .secondary(other, label)
                .help(match parameters.as_slice() {
                    [] => format!(
                        "declare its parameters, as in `{}(x): …`, or call `{}()`",
                        function.node, function.node
                    ),
                    _ => format!("call `{}({})`", function.node, parameters.join(", ")),
                }),
            );
            return None;
        }
        let values: Vec<(&str, Option<TypedExpr>)> = parameters
            .iter()
            .zip(&ordered)
            .map(|(parameter, argument)| (*parameter, self.infer(argument, scope, None)))
            .collect();
        if known.recursive {
            return None;
        }
        if self.n_bodies == 0 {
            self.outer_call = span;
            self.places.call_at(span);
        }
        if self.n_bodies >= BODIES_MAX || self.n_parts > super::typer::PARTS_MAX {
            self.too_large();
            return None;
        }
        let inner = Scope::Function {
            name: known.ast.name.as_str(),
            arguments: &values,
            n_locals: self.n_locals,
        };
        // Counted on the way in: a body of unknown type puts nothing in, and takes its time.
        self.n_parts = self.n_parts.saturating_add(1);
        self.n_bodies += 1;
        let n_before = self.report.len();
        let typed = self.infer(&known.ast.body, &inner, None);
        self.n_bodies -= 1;
        if typed.is_none() {
            let given = parameters.iter().copied().zip(ordered.iter().map(|given| given.span));
            let given: Vec<(&str, Span)> = given.collect();
            self.blame_arguments(n_before, function.as_str(), &given);
        }
        let typed = typed?;
        let expr = self.bounded(typed.expr)?;
        Some(TypedExpr { expr, origin: None, named: None, parts: typed.parts })
    }

    /// A type that does not fit in a function's body is the fault of the argument, where the call
    /// gives one for it: that is what must change, and the body shows why.
    fn blame_arguments(&mut self, n_before: usize, function: &str, given: &[(&str, Span)]) {
        let places = self.places;
        self.report.revise(n_before, |fault| {
            if ![names::WRONG_TYPE, names::NOT_BOOL].contains(&fault.code) {
                return;
            }
            let labels = std::iter::once(&fault.primary).chain(&fault.secondary);
            let argument = labels.into_iter().find_map(|label| {
                let text = places.slice(label.span);
                let is_of = |parameter: &str| {
                    text == parameter || label.message.starts_with(&format!("`{parameter}` "))
                };
                given.iter().find(|(parameter, _)| is_of(parameter)).map(|(_, span)| *span)
            });
            if let Some(argument) = argument {
                let label = format!("in `{function}`: {}", fault.primary.message);
                let place = fault.primary.span;
                let label = label.trim_end_matches(": ").to_owned();
                *fault = std::mem::replace(fault, Diagnostic::new(fault.code, argument, ""))
                    .secondary(place, label);
                fault.primary.span = argument;
                fault.primary.message = String::new();
            }
        });
    }

    /// An entry of `agg:`: one aggregate over the rows of a group.
    pub(crate) fn aggregate(
        &mut self,
        ast: &syntax::Expr,
        scope: &Scope<'_>,
        is_empty_group: bool,
    ) -> Option<Aggregate> {
        self.n_parts = 0;
        let syntax::ExprKind::Call { function, arguments } = &ast.kind else {
            if !ast.is_error() {
                self.no_aggregate(ast);
            }
            return None;
        };
        let name = function.as_str();
        let Some(parameters) = arqon_operators::aggregate_parameters(name) else {
            let is_function = self.functions.contains_key(name)
                || arqon_operators::function_names().any(|known| known == name);
            if name == "mean" {
                let message = "`mean` is of a tensor, and no aggregate";
                let fault = Diagnostic::new(names::UNKNOWN_FUNCTION, function.span, message);
                let fault = fault.help("the mean of a group is `avg(x)`");
                self.report.push(fault.fix(function.span, "avg", "write `avg`"));
            } else if is_function {
                self.no_aggregate(ast);
            } else if let Some(help) = habit(name) {
                let message = format!("unknown aggregate `{name}`");
                let fault = Diagnostic::new(names::UNKNOWN_FUNCTION, function.span, message);
                self.report.push(fault.help(help));
            } else {
                self.report.unknown(
                    names::UNKNOWN_FUNCTION,
                    function.span,
                    format!("unknown aggregate `{name}`"),
                    name,
                    arqon_operators::aggregate_names(),
                );
            }
            return None;
        };
        let is_filter = |argument: &&syntax::Argument| {
            argument.name.as_ref().is_some_and(|it| it.node == "where")
        };
        let filters: Vec<&syntax::Argument> = arguments.iter().filter(is_filter).collect();
        let rest: Vec<syntax::Argument> =
            arguments.iter().filter(|argument| !is_filter(argument)).cloned().collect();
        let filter = match filters.as_slice() {
            [] => Some(None),
            [one] => self.condition(&one.value, scope, "`where`").map(Some),
            [_, second, ..] => {
                self.report.push(Diagnostic::new(
                    names::WRONG_ARGUMENTS,
                    second.value.span,
                    "`where` is given twice",
                ));
                None
            }
        };
        let ordered = self.ordered(function, &rest, parameters)?;
        let typed: Vec<Option<TypedExpr>> =
            ordered.iter().map(|argument| self.infer(argument, scope, None)).collect();
        let typed: Vec<TypedExpr> = typed.into_iter().collect::<Option<_>>()?;
        let operands: Vec<Operand> = ordered
            .iter()
            .zip(&typed)
            .map(|(argument, typed)| Operand::new(argument.span, typed))
            .collect();
        let args = typed.into_iter().map(|typed| typed.expr).collect();
        let place = self.places.place(ast.span);
        match arqon_operators::aggregate(name, args, filter?, is_empty_group, place) {
            Ok(aggregate) => {
                if let Some(notes) = &mut self.notes {
                    notes.typed(ast.span, &aggregate.ty);
                }
                Some(aggregate)
            }
            Err(mut fault) => {
                let is_count = fault.kind == arqon_operators::FaultKind::ArgumentCount;
                let span = if is_count { function.span } else { ast.span };
                if is_count {
                    fault.help = arqon_operators::aggregate_signature_text(name).map(str::to_owned);
                }
                let operands = only_wrong(&fault, operands);
                self.type_fault(&fault, span, &operands);
                None
            }
        }
    }

    fn no_aggregate(&mut self, ast: &syntax::Expr) {
        let fault = Diagnostic::new(
            names::AGGREGATE_PLACE,
            ast.span,
            format!("`{}` is no aggregate", self.text(ast.span)),
        );
        // The name of an aggregate alone lacks its brackets, and what stands in them.
        let bare = match &ast.kind {
            syntax::ExprKind::Name(name) => {
                arqon_operators::aggregate_names().find(|known| known == name)
            }
            _ => None,
        };
        self.report.push(match bare {
            Some("count") => fault.help("an aggregate is a call: `count()`").fix(
                ast.span,
                "count()",
                "write `count()`",
            ),
            Some(name) => fault.help(match arqon_operators::aggregate_signature_text(name) {
                Some(signature) => format!("an aggregate is a call: {signature}"),
                None => format!("an aggregate is a call: `{name}(x)`"),
            }),
            None => fault.help(
                "an entry of `agg:` is one call such as `sum(x)` or `count()`; compute with its \
                 result in a `with` after the `group`",
            ),
        });
    }
}

/// The operands without the origins of those that are not at fault: the arguments of a call need
/// not be of one type.
fn only_wrong(fault: &TypeFault, mut operands: Vec<Operand>) -> Vec<Operand> {
    for (at, operand) in operands.iter_mut().enumerate() {
        if fault.operand != Some(at) {
            *operand = Operand::untyped(operand.span);
        }
    }
    operands
}
