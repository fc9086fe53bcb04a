//! The whole way: texts in; plan, dataflow plan, tests and diagnostics out. No IO.

use arqon_grammar::Diagnostic;
use arqon_grammar::Loader;
use arqon_grammar::Main;
use arqon_grammar::NoFiles;
use arqon_grammar::ParseOptions;
use arqon_grammar::Reading;
use arqon_grammar::Sources;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::read_circuit;
use arqon_plan::{DataflowPlan, Plan, verify};

use crate::build::{Used, build};
use crate::checks::{Unbounded, node_cycles, plan_errors, plan_warnings};
use crate::cost::{Cost, costs};
use crate::example::{TestPlan, type_tests};
use crate::facts::{Facts, Notes};
use crate::fuse::fuse;
use crate::lower::{Answers, lower};
use crate::marks::{Marks, trace_marks};
use crate::misspelt::at_declarations;
use crate::mocks::{Unanswered, mocks_of};
use crate::options::{Options, Purpose};
use crate::places::Places;
use crate::prune::prune;
use crate::push::push;
use crate::quotas::{check_quotas, quota_warnings};
use crate::release::release;
use crate::reorder::reorder;
use crate::report::Report;
use crate::resolve::{Found, Resolved, resolve};
use crate::reuse::reuse;
use crate::runnable::{NotRunnable, not_honoured, not_runnable};
use crate::share::{Twin, share};
use crate::typing::{Flow, Typer, type_flow};

/// The steps as a pass leaves them.
#[derive(Debug)]
pub struct Pass {
    /// `lower`, which makes them, or a pass over them.
    pub name: &'static str,
    /// The steps.
    pub plan: DataflowPlan,
    /// What each of them is expected to cost.
    pub costs: Vec<Cost>,
    /// Steps that were there before and are one with others now.
    pub twins: Vec<Twin>,
}

/// The steps with what tests say in the place of operators, kernels and capsules.
#[derive(Debug)]
pub struct Rehearsal {
    /// The executable form.
    pub dataflow: DataflowPlan,
    /// Outputs in which no row is to come.
    pub unanswered: Vec<Unanswered>,
}

/// What has become of a circuit.
#[derive(Debug)]
pub struct Compiled {
    /// The typed graph; of a circuit with faults as far as it is known. None if the text has no
    /// readable structure.
    pub plan: Option<Plan>,
    /// The executable form. None with errors, for a circuit that calls operators, and for editors.
    pub dataflow: Option<DataflowPlan>,
    /// What tests run in the place of `dataflow`, where that is none only because this version
    /// has no operators, kernels and capsules.
    pub rehearsal: Option<Rehearsal>,
    /// The steps after each pass, if the options ask for them.
    pub passes: Vec<Pass>,
    /// The circuit's tests; those with a fault are left out.
    pub tests: Vec<TestPlan>,
    /// Why a circuit without errors does not run in this version, each with its place.
    pub not_runnable: Vec<NotRunnable>,
    /// What only tunes, and has no effect in this version.
    pub not_honoured: Vec<NotRunnable>,
    /// All faults and warnings, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// The names of its profiles.
    pub profiles: Vec<String>,
    /// What editors ask about places, if the options ask for it.
    pub facts: Facts,
    /// The texts that all places are in: the circuit's own, then those it imports.
    pub sources: Sources,
}

impl Compiled {
    /// Whether anything refuses the circuit.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Compiles the text of a circuit file that imports nothing. `file_name` is how the user called
/// the file; it comes into plans and error rows.
pub fn compile(text: &str, file_name: &str, options: &Options) -> Compiled {
    compile_with(Main::alone(file_name, text), &mut NoFiles, options)
}

/// Compiles a circuit with what it imports; `loader` has the files.
pub fn compile_with(main: Main<'_>, loader: &mut dyn Loader, options: &Options) -> Compiled {
    let parse_options = ParseOptions { variables: options.variables.clone() };
    let Reading { sources, circuit, diagnostics } = read_circuit(main, loader, &parse_options);
    let mut report = Report::of_reader(diagnostics);
    let Some(mut circuit) = circuit else {
        return Compiled {
            plan: None,
            dataflow: None,
            rehearsal: None,
            passes: Vec::new(),
            tests: Vec::new(),
            not_runnable: Vec::new(),
            not_honoured: Vec::new(),
            diagnostics: report.into_sorted(),
            profiles: Vec::new(),
            facts: Facts::default(),
            sources,
        };
    };
    if circuit.is_incomplete {
        report.expect_unknown_names();
    }
    leave_idle_operators(&mut circuit, &sources);
    let file_name = main.name;
    let places = Places::of(&sources);
    let Front { resolved, mut flow, used, tests, notes } =
        front(&circuit, options, &places, &mut report);
    let marks = trace_marks(&resolved, &mut flow, &mut report);
    let plan = build(&resolved, &flow, &used, &sources);
    check((&resolved, &flow), &plan, options, &mut report);
    let mut trace = Trace { passes: Vec::new(), is_kept: options.keep_passes };
    let dataflow = if report.has_errors() || options.purpose == Purpose::Edit {
        None
    } else {
        lower(&resolved, &flow, (&plan, &marks), (file_name, Answers::Missing))
            .map(|(dataflow, _)| passes(dataflow, &mut trace))
    };
    let not_runnable = not_runnable(&resolved, &flow);
    let waits_for_mocks = !report.has_errors()
        && (dataflow.is_none() || mocks_of(&circuit.tests).next().is_some())
        && options.purpose == Purpose::Run
        && not_runnable.iter().all(|it| it.is_mockable);
    let rehearsal = (waits_for_mocks && !tests.is_empty())
        .then(|| rehearsal(&resolved, &flow, (&plan, &marks), file_name))
        .flatten();
    Compiled {
        plan: Some(plan),
        dataflow,
        rehearsal,
        passes: trace.passes,
        tests,
        not_runnable,
        not_honoured: not_honoured(&resolved),
        diagnostics: at_declarations(report.into_sorted(), sources.text()),
        profiles: circuit.profiles.iter().map(|profile| profile.name.node.clone()).collect(),
        facts: notes.map_or_else(Facts::default, |notes| Facts::new(circuit, notes)),
        sources,
    }
}

fn rehearsal(
    resolved: &Resolved<'_>,
    flow: &Flow,
    known: (&Plan, &Marks),
    file: &str,
) -> Option<Rehearsal> {
    let (dataflow, unanswered) = lower(resolved, flow, known, (file, Answers::Mocked))?;
    let mut trace = Trace { passes: Vec::new(), is_kept: false };
    Some(Rehearsal { dataflow: passes(dataflow, &mut trace), unanswered })
}

/// An imported operator is part of the circuit if the circuit names it; a library offers more
/// than each of its users needs.
fn leave_idle_operators(circuit: &mut ast::Circuit, sources: &Sources) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    circuit.operators.retain(|operator| {
        let name = &operator.name;
        sources.is_main(name.span)
            || sources.main_text().split(|c: char| !is_name(c)).any(|word| word == name.node)
    });
}

/// A circuit with all names known and all expressions typed.
struct Front<'a> {
    resolved: Resolved<'a>,
    flow: Flow,
    used: Used,
    tests: Vec<TestPlan>,
    notes: Option<Notes>,
}

/// Names and types. What the first round finds out about the dimensions of tensors is put in
/// before the next one; each round decides at least one name more, so that there is a last one.
fn front<'a>(
    circuit: &'a ast::Circuit,
    options: &Options,
    places: &Places<'_>,
    report: &mut Report,
) -> Front<'a> {
    let mut found = Found::new();
    loop {
        let mut round = report.clone();
        let resolved = resolve(circuit, options, &found, &mut round);
        let mut typer = Typer::new(&resolved.functions, &resolved.params, places, &mut round);
        typer.notes = (options.purpose == Purpose::Edit).then(Notes::default);
        let flow = type_flow(&resolved, &mut typer);
        let mut notes = typer.notes.take();
        if let Some(notes) = &mut notes {
            notes.topics(&resolved);
        }
        let symbols = typer.symbols.found();
        let mut used = Used {
            functions: std::mem::take(&mut typer.used_functions),
            params: std::mem::take(&mut typer.used_params),
        };
        used.params.extend(resolved.declared_params.iter().cloned());
        let tests = type_tests(&resolved, &flow, places, (&mut round, notes.as_mut()));
        if symbols.is_empty() || round.has_errors() {
            *report = round;
            return Front { resolved, flow, used, tests, notes };
        }
        found.extend(symbols);
    }
}

/// What the plan itself shows, unless it follows from a fault in the declaration of a topic.
/// Warnings only where nothing is refused, since what could not be typed would count as unused.
fn check(
    (resolved, flow): (&Resolved<'_>, &Flow),
    plan: &Plan,
    options: &Options,
    report: &mut Report,
) {
    let unbounded = if options.allow_unbounded { Unbounded::Allowed } else { Unbounded::Refused };
    let declared = || resolved.topics.iter().filter_map(|topic| Some((topic, topic.ast()?)));
    let bodies: Vec<Span> = declared().map(|(_, ast)| ast.name.span.to(ast.span)).collect();
    let faulty: Vec<Span> = report
        .faulty(&bodies)
        .into_iter()
        .zip(declared().zip(&bodies))
        // Rows of an unknown schema follow from a fault elsewhere, as in an import.
        .filter(|(is_faulty, ((topic, _), _))| *is_faulty || topic.row.open)
        .map(|(_, (_, body))| *body)
        .collect();
    let follows = |fault: &Diagnostic| {
        let labels = std::iter::once(&fault.primary).chain(&fault.secondary);
        labels.into_iter().any(|label| {
            let after = faulty.partition_point(|body| body.start <= label.span.start);
            after.checked_sub(1).is_some_and(|at| label.span.start < faulty[at].end)
        })
    };
    check_quotas(resolved, report);
    for fault in plan_errors(plan, unbounded) {
        if !follows(&fault) {
            report.push(fault);
        }
    }
    // A join whose other rows are not known yet is not in the plan, nor is what closes the circle.
    if !report.has_errors() {
        for fault in node_cycles(resolved.circuit, &flow.cycles) {
            report.push(fault);
        }
    }
    if !report.has_errors() {
        quota_warnings(resolved, report);
        for warning in plan_warnings(plan) {
            report.push(warning);
        }
    }
}

/// What the passes leave behind for people, if they want it.
struct Trace {
    passes: Vec<Pass>,
    is_kept: bool,
}

impl Trace {
    fn keep(&mut self, name: &'static str, plan: DataflowPlan) -> DataflowPlan {
        if self.is_kept {
            let costs = costs(&plan);
            self.passes.push(Pass { name, plan: plan.clone(), costs, twins: Vec::new() });
        }
        plan
    }
}

/// All passes over a dataflow plan.
fn passes(dataflow: DataflowPlan, trace: &mut Trace) -> DataflowPlan {
    let dataflow = trace.keep("lower", verified_in_tests("lower", dataflow));
    let dataflow = trace.keep("reorder", verified_in_tests("reorder", reorder(dataflow)));
    let dataflow = trace.keep("push", verified_in_tests("push", push(dataflow)));
    let (dataflow, twins) = share(dataflow);
    let dataflow = trace.keep("share", verified_in_tests("share", dataflow));
    if let Some(pass) = trace.passes.last_mut() {
        pass.twins = twins;
    }
    let dataflow = trace.keep("reuse", verified_in_tests("reuse", reuse(dataflow)));
    let dataflow = trace.keep("prune", verified_in_tests("prune", prune(dataflow)));
    let dataflow = trace.keep("fuse", verified_in_tests("fuse", fuse(dataflow)));
    trace.keep("release", verified("release", release(dataflow)))
}

/// The plan, if its invariants hold; a broken one is a fault of the compiler, not of the text.
fn verified(pass: &str, dataflow: DataflowPlan) -> DataflowPlan {
    let checked = verify(&dataflow);
    assert!(checked.is_ok(), "after pass `{pass}`: {checked:?}");
    dataflow
}

/// As [`verified`] where tests run; the last pass is verified everywhere.
fn verified_in_tests(pass: &str, dataflow: DataflowPlan) -> DataflowPlan {
    if cfg!(debug_assertions) { verified(pass, dataflow) } else { dataflow }
}
