//! Each `via` of an operator against its contract, so that `use` and `--use` cannot fail on types.

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::code::operators;
use arqon_grammar::code::warnings;

use crate::contract::builtin_name;
use crate::report::Report;

/// What `remote:` may ask of an endpoint.
const REMOTE_KEYS: [&str; 5] = ["type", "id", "hardware", "modes", "delta_only"];

/// The type of endpoints that take any contract.
const GENERIC: &str = "generic";

/// Reports what is wrong with the implementations of an operator, and with its `retry`.
pub(super) fn check_implementations(operator: &ast::Operator, report: &mut Report) {
    for via in &operator.via {
        let Some(transport) = &via.transport else { continue };
        match &transport.node {
            ast::Transport::Builtin(builtin) => check_builtin(operator, builtin, report),
            ast::Transport::Remote(wanted) => check_remote(operator, wanted, report),
            ast::Transport::Http { url: Some(url), .. } => check_url(&url.node, url.span, report),
            // A process is handed its jobs by the shim, which holds it to the contract.
            ast::Transport::Http { url: None, .. } | ast::Transport::Process { .. } => {}
        }
    }
    if let Some(retry) = &operator.retry {
        check_retry(retry, report);
    }
}

/// A built-in implementation has the name of the contract that it satisfies.
fn check_builtin(operator: &ast::Operator, builtin: &ast::Name, report: &mut Report) {
    let Some(contract) = &operator.contract else { return };
    let own = match &contract.node {
        ast::Contract::Named { name, .. } => builtin_name(name),
        ast::Contract::Own { .. } => None,
    };
    if own == Some(builtin.as_str()) {
        return;
    }
    let fault = Diagnostic::new(
        operators::OTHER_CONTRACT,
        builtin.span,
        format!(
            "the built-in `{}` does not satisfy the contract of operator `{}`",
            builtin.node, operator.name.node
        ),
    )
    .secondary(contract.span, "the contract");
    report.push(match own {
        Some(own) => fault.help(format!("the built-in of this contract is `{own}`")),
        None => fault
            .help("no built-in satisfies a contract of the circuit's own")
            .help("reach a worker of your own by `remote`, `http` or `process`"),
    });
}

/// A remote endpoint is picked by what it advertises, its type by the contract's name.
fn check_remote(operator: &ast::Operator, wanted: &[(ast::Name, ast::Value)], report: &mut Report) {
    for (key, _) in wanted.iter().filter(|(key, _)| !REMOTE_KEYS.contains(&key.as_str())) {
        report.unknown(
            operators::REMOTE_KEY,
            key.span,
            format!("endpoints do not advertise `{}`", key.node),
            key.as_str(),
            REMOTE_KEYS,
        );
    }
    let Some(contract) = &operator.contract else { return };
    let ast::Contract::Named { name, .. } = &contract.node else { return };
    let Some(own) = builtin_name(name) else { return };
    let Some((_, value)) = wanted.iter().find(|(key, _)| key.node == "type") else { return };
    let ast::ValueKind::Scalar { text, .. } = &value.kind else { return };
    if text != own && text != GENERIC {
        report.push(
            Diagnostic::new(
                operators::OTHER_CONTRACT,
                value.span,
                format!(
                    "endpoints of type `{text}` do not satisfy the contract of operator `{}`",
                    operator.name.node
                ),
            )
            .secondary(contract.span, "the contract")
            .help(format!("the endpoints of this contract are of type `{own}` or `{GENERIC}`")),
        );
    }
}

/// `http://host…` or `https://host…`, without a user's name.
fn check_url(url: &str, span: Span, report: &mut Report) {
    let rest = ["http://", "https://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let Some(rest) = rest else {
        report.push(
            Diagnostic::new(
                operators::WORKER_ADDRESS,
                span,
                format!("`{url}` is no `http://` or `https://` address"),
            )
            .help("write it as in `http://127.0.0.1:7443/run`"),
        );
        return;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        report.push(
            Diagnostic::new(
                operators::WORKER_ADDRESS,
                span,
                "a worker's address holds a user's name or a password",
            )
            .help("leave what stands before `@` away; plans and drawings show the address"),
        );
    } else if authority.split(':').next().unwrap_or_default().is_empty() {
        report.push(
            Diagnostic::new(operators::WORKER_ADDRESS, span, format!("`{url}` names no host"))
                .help("write it as in `http://127.0.0.1:7443/run`"),
        );
    }
}

/// Waiting times that no attempt reaches.
fn check_retry(retry: &ast::Retry, report: &mut Report) {
    let Some(max) = &retry.max else { return };
    let n_attempts = usize::try_from(max.node).unwrap_or(usize::MAX);
    let Some(first) = retry.backoff.get(n_attempts) else { return };
    let times = if n_attempts == 1 { "time" } else { "times" };
    report.push(
        Diagnostic::new(
            warnings::RETRY_WITHOUT_USE,
            first.span,
            format!("a failed job is tried again {n_attempts} {times}, so this wait is never used"),
        )
        .secondary(max.span, "how often it is tried again")
        .help(format!(
            "raise `max` to {}, or leave the rest of `backoff` away",
            retry.backoff.len()
        )),
    );
}
