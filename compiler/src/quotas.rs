//! Limits and caps: that each lets something through, and that each decides something.

use std::collections::BTreeMap;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::Spanned;
use arqon_grammar::ast::{Grant, Limits, Rate, Role};
use arqon_grammar::code::access;
use arqon_grammar::code::warnings;

use crate::report::Report;
use crate::resolve::Resolved;

/// Reports limits of nothing, caps that decide nothing, and roles without rights.
pub(crate) fn check_quotas(resolved: &Resolved<'_>, report: &mut Report) {
    let circuit = resolved.circuit;
    let profiles = circuit.profiles.iter().filter_map(|profile| profile.limits.as_ref());
    let operators = circuit.operators.iter().filter_map(|operator| operator.limits.as_ref());
    for limits in circuit.limits.iter().chain(profiles).chain(operators) {
        check_nothing(limits, report);
    }
    for role in &circuit.access {
        for caps in
            rights(role).into_iter().flat_map(|(_, list)| list).filter_map(|it| it.caps.as_ref())
        {
            check_nothing(caps, report);
        }
    }
}

/// What is allowed and decides nothing; worth saying of a circuit without errors only.
pub(crate) fn quota_warnings(resolved: &Resolved<'_>, report: &mut Report) {
    for role in &resolved.circuit.access {
        if rights(role).iter().all(|(_, grants)| grants.is_empty()) {
            report.push(
                Diagnostic::new(
                    warnings::ROLE_WITHOUT_RIGHTS,
                    role.name.span,
                    format!("role `{}` may do nothing", role.name.node),
                )
                .help("list topics under `publish` or `subscribe`, or operators under `execute`"),
            );
        }
        for (right, grants) in rights(role) {
            check_twice(role, right, grants, report);
        }
        for grant in &role.execute {
            check_caps(resolved, role, grant, report);
        }
    }
}

fn rights(role: &Role) -> [(&'static str, &[Grant]); 3] {
    [("publish", &role.publish), ("subscribe", &role.subscribe), ("execute", &role.execute)]
}

fn check_nothing(limits: &Limits, report: &mut Report) {
    let rate = |rate: &Option<Spanned<Rate>>| rate.as_ref().map(|it| (it.node.count == 0, it.span));
    let whole = |count: &Option<Spanned<u64>>| count.as_ref().map(|it| (it.node == 0, it.span));
    let named = [
        ("messages", rate(&limits.messages)),
        ("bytes", rate(&limits.bytes)),
        ("state", whole(&limits.state)),
        ("cpu", whole(&limits.cpu_milli)),
        ("parallel", whole(&limits.parallel)),
        ("runtime", limits.runtime.as_ref().map(|it| (it.node <= 0, it.span))),
        ("runs", rate(&limits.runs)),
        ("energy", whole(&limits.energy_millijoules)),
    ];
    for (name, value) in named {
        if let Some((true, span)) = value {
            report.push(
                Diagnostic::new(
                    access::LIMIT_OF_NOTHING,
                    span,
                    format!("the limit `{name}` lets nothing through"),
                )
                .help("leave out what is not to be used at all, or raise the limit above 0"),
            );
        }
    }
}

fn check_twice(role: &Role, right: &str, grants: &[Grant], report: &mut Report) {
    let mut known: BTreeMap<&str, &Grant> = BTreeMap::new();
    for grant in grants {
        let first = *known.entry(&grant.target.node).or_insert(grant);
        if !std::ptr::eq(first, grant) {
            report.push(
                Diagnostic::new(
                    warnings::GRANTED_TWICE,
                    grant.target.span,
                    format!(
                        "role `{}` has `{}` twice under `{right}`",
                        role.name.node, grant.target.node
                    ),
                )
                .secondary(first.target.span, "the first one")
                .help("leave one of them away"),
            );
        }
    }
}

/// Caps of one entry of `execute` against the operator's own limits.
fn check_caps(resolved: &Resolved<'_>, role: &Role, grant: &Grant, report: &mut Report) {
    let Some(caps) = &grant.caps else { return };
    let Some(id) = resolved.operator_id(grant.target.as_str()) else { return };
    let operator = resolved.operator(id).ast;
    let Some(limits) = &operator.limits else { return };
    let whole = |cap: Option<&Spanned<u64>>, limit: Option<&Spanned<u64>>| {
        compared(cap, limit, |value| u128::from(*value))
    };
    let nanos = |nanos: &i64| u128::try_from(*nanos).unwrap_or(0);
    let energies = [&caps.energy_millijoules, &limits.energy_millijoules].map(Option::as_ref);
    let above = [
        ("parallel", whole(caps.parallel.as_ref(), limits.parallel.as_ref())),
        ("energy", whole(energies[0], energies[1])),
        ("runtime", compared(caps.runtime.as_ref(), limits.runtime.as_ref(), nanos)),
        ("runs", compared(caps.runs.as_ref(), limits.runs.as_ref(), runs_per_year)),
    ];
    for (name, places) in above {
        let Some((cap, limit)) = places else { continue };
        report.push(
            Diagnostic::new(
                warnings::CAP_ABOVE_LIMIT,
                cap,
                format!(
                    "role `{}` never reaches this cap: `{name}` of operator `{}` is smaller",
                    role.name.node, operator.name.node
                ),
            )
            .secondary(limit, "the operator's own limit")
            .help("lower the cap, or leave it away"),
        );
    }
}

/// The places of a cap and of the limit that is smaller.
fn compared<T>(
    cap: Option<&Spanned<T>>,
    limit: Option<&Spanned<T>>,
    size: impl Fn(&T) -> u128,
) -> Option<(Span, Span)> {
    let (cap, limit) = cap.zip(limit)?;
    (size(&limit.node) < size(&cap.node)).then_some((cap.span, limit.span))
}

/// A rate in a unit that all of them divide.
fn runs_per_year(rate: &Rate) -> u128 {
    const YEAR_NANOS: u128 = 365 * 86_400_000_000_000;
    u128::from(rate.count)
        * (YEAR_NANOS / u128::try_from(rate.per_nanos).unwrap_or(YEAR_NANOS).max(1))
}
