//! A whole circuit with nearly everything in it is read without a fault, and means what it says.

use arqon_grammar::Diagnostic;
use arqon_grammar::ParseOptions;
use arqon_grammar::ast;
use arqon_grammar::ast::Circuit;
use arqon_grammar::expr::Expr;
use arqon_grammar::expr::ExprKind;
use arqon_grammar::expr::Literal;
use arqon_grammar::parse_circuit;

const REVENUE: &str = include_str!("circuits/revenue.yaml");

fn revenue() -> Circuit {
    let variables = [("HOST".to_owned(), "127.0.0.1".to_owned())].into();
    let (circuit, diagnostics) = parse_circuit(REVENUE, &ParseOptions { variables });
    let found: Vec<String> = diagnostics.iter().map(|found| found.brief(REVENUE)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    circuit.expect("a circuit")
}

#[test]
fn the_head_is_read() {
    let circuit = revenue();
    assert_eq!(circuit.name.as_ref().unwrap().node, "shop.revenue");
    assert_eq!(circuit.description.as_ref().unwrap().node, "revenue by region");
    let params: Vec<(&str, &Literal)> =
        circuit.params.iter().map(|p| (p.name.as_str(), &p.value.node)).collect();
    assert_eq!(
        params,
        [
            ("D", &Literal::Integer(64)),
            ("floor", &Literal::Number("0.05".to_owned())),
            ("since", &Literal::Date("2026-01-01".to_owned())),
            ("pause", &Literal::Duration(300_000_000_000)),
            ("note", &Literal::String("quoted".to_owned())),
            ("word", &Literal::String("EU".to_owned())),
            ("loss", &Literal::Integer(-3)),
        ]
    );
    let order = &circuit.schemas[1];
    assert_eq!(order.fields[4].unit.unwrap().node, ast::TimeUnit::Milliseconds);
    let ast::TypeKind::Struct(place) = &order.fields[5].ty.kind else { panic!("a struct") };
    assert_eq!(place[0].name.node, "street");
    let net = &circuit.functions[0];
    assert_eq!(net.name.span.slice(REVENUE), "net");
    assert_eq!(net.params[1].span.slice(REVENUE), "off");
    assert_eq!(net.body.to_string(), "(* price (- 1 off))");
    assert_eq!(circuit.functions[1].body.to_string(), "0.19");
}

#[test]
fn topics_are_read() {
    let circuit = revenue();
    let orders = &circuit.topics[1];
    assert_eq!(orders.carries.unwrap().node, ast::Discipline::Full);
    assert_eq!(orders.key.as_ref().unwrap().node[0].node, "id");
    assert_eq!(orders.edge.unwrap().node, ast::Edge::In);
    let nanos = |length: &Expr| match length.kind {
        ExprKind::Literal(Literal::Duration(nanos)) => nanos,
        _ => panic!("a duration"),
    };
    let lengths: Vec<i64> = orders.lengths().map(nanos).collect();
    assert_eq!(lengths, [2_000_000_000, 2_592_000_000_000_000]);
    assert_eq!(orders.queue.as_ref().unwrap().full.unwrap().node, ast::QueueFull::DropOldest);
    assert_eq!(orders.unchecked.unwrap().slice(REVENUE), "none");
    assert_eq!(circuit.topics[3].retain.as_ref().unwrap().node, ast::Retain::Bytes(256 << 20));
}

/// Steps in one line each.
#[expect(clippy::unwrap_used, reason = "the circuit has all of these")]
fn draw(step: &ast::Step) -> String {
    let named = |fields: &[ast::NamedExpr]| {
        let fields: Vec<String> =
            fields.iter().map(|field| format!("{}={}", field.name.node, field.value)).collect();
        fields.join(", ")
    };
    match &step.kind {
        ast::StepKind::Where(condition) => format!("where {condition}"),
        ast::StepKind::Select(fields) => format!("select {}", named(fields)),
        ast::StepKind::With(fields) => format!("with {}", named(fields)),
        ast::StepKind::Drop(names) => format!("drop {}", names[0].node),
        ast::StepKind::Join(join) => {
            let pair = &join.pairs.as_ref().unwrap().node[0];
            format!(
                "join {} {:?} {}={} as {} where {}",
                join.source.node,
                join.kind.node,
                pair.left,
                pair.right,
                join.alias.as_ref().unwrap().node,
                join.condition.as_ref().unwrap(),
            )
        }
        ast::StepKind::Unnest(field) => {
            format!("unnest {}", named(std::slice::from_ref(field)))
        }
        ast::StepKind::Group(group) => format!(
            "group {} agg {} where {}",
            named(&group.keys),
            named(&group.aggregates),
            group.condition.as_ref().unwrap()
        ),
        ast::StepKind::Distinct(fields) => {
            format!("distinct {:?}", fields.as_deref().map(named))
        }
        ast::StepKind::Top(top) => {
            let by: Vec<String> =
                top.by.iter().map(|key| format!("{} {:?}", key.value, key.direction)).collect();
            format!(
                "top {} by {} per {} offset {} ties {:?} rank {}",
                top.count,
                by.join(", "),
                top.per[0],
                top.offset.as_ref().unwrap(),
                top.ties.unwrap().node,
                top.rank.as_ref().unwrap().node
            )
        }
        ast::StepKind::Kernel(kernel) => format!("kernel {}", kernel.name.node),
        ast::StepKind::Wasm(wasm) => format!("wasm {}", wasm.capsule.node),
        ast::StepKind::Over(over) => {
            let by: Vec<String> = over
                .by
                .iter()
                .flatten()
                .map(|key| format!("{} {:?}", key.value, key.direction))
                .collect();
            format!("over {} by {} with {}", over.per[0], by.join(", "), named(&over.fields))
        }
        ast::StepKind::Window(window) => format!("window {:?}", window.kind.node),
        ast::StepKind::Within(within) => format!("within {}", within.last),
        ast::StepKind::Route(branches) => {
            let labels: Vec<String> = branches
                .iter()
                .map(|branch| match &branch.condition {
                    ast::BranchCondition::When(when) => format!("{}: {when}", branch.label.node),
                    ast::BranchCondition::Else(_) => format!("{}: else", branch.label.node),
                })
                .collect();
            format!("route {}", labels.join(", "))
        }
        ast::StepKind::Carries(discipline) => format!("carries {:?}", discipline.node),
        ast::StepKind::Call(call) => {
            format!("call {} keep {}", call.operator.node, named(&call.keep))
        }
        ast::StepKind::Loop(repeated) => {
            let body: Vec<String> = repeated.body.iter().map(draw).collect();
            format!("loop {} merge {:?}", body.join("; "), repeated.merge)
        }
        ast::StepKind::Error => "error".to_owned(),
    }
}

#[test]
fn steps_are_read() {
    let circuit = revenue();
    let steps: Vec<String> =
        circuit.flow.iter().flat_map(|node| node.steps.iter().map(draw)).collect();
    assert_eq!(
        steps,
        [
            "where (and (== status \"paid\") (> amount 0))",
            "join shop.customers Left customer=id as c where (!= region \"moon\")",
            "group region=c.region agg revenue=sum(amount), orders=count() where (> orders 0)",
            "select id=id, region=c.region, total=(* price amount)",
            "with big=(> total 100), label=(if (> total 9) \"x: y\" \"z\")",
            "drop label",
            "distinct None",
            "distinct Some(\"id=id, region=region\")",
            "top 3 by total Descending, id Ascending per region offset 1 ties All rank place",
            "carries Full",
            "route good: (> total 3), rest: else",
            "call nvm keep stream=stream, n=(+ seq 1)",
        ]
    );
    let ast::Source::Ports(ports) = &circuit.flow[2].from.as_ref().unwrap().node else {
        panic!("ports")
    };
    assert_eq!(ports[0].sources[0].node, "best.good");
    assert_eq!(ports[1].sources.len(), 2);
    let ast::StepKind::Call(call) = &circuit.flow[2].steps[0].kind else { panic!("a call") };
    let ast::ValueKind::Computed(pcm) = &call.job[1].1.kind else { panic!("computed") };
    assert_eq!(pcm.span.slice(REVENUE), "pcm");
}

#[test]
fn operators_access_and_tests_are_read() {
    let circuit = revenue();
    let nvm = &circuit.operators[0];
    assert_eq!(
        nvm.contract.as_ref().unwrap().node,
        ast::Contract::Named { name: "arqonbus.nvm".to_owned(), version: 1 }
    );
    let ast::Transport::Http { url, timeout } = &nvm.via[2].transport.as_ref().unwrap().node else {
        panic!("http")
    };
    assert_eq!(url.as_ref().unwrap().node, "http://127.0.0.1:7443/run");
    assert_eq!(timeout.unwrap().node, 30_000_000_000);
    assert_eq!(nvm.limits.as_ref().unwrap().energy_millijoules.unwrap().node, 50_000);
    assert_eq!(nvm.retry.as_ref().unwrap().backoff[1].node, 2_000_000_000);
    assert_eq!(circuit.routes[0].stops.len(), 3);
    assert_eq!(circuit.routes[1].condition.as_ref().unwrap().to_string(), "(< snr 10)");
    assert_eq!(circuit.limits.as_ref().unwrap().cpu_milli.unwrap().node, 500);
    let writer = &circuit.access[0];
    assert_eq!(writer.publish[1].target.node, "shop.orders");
    let caps = writer.publish[1].caps.as_ref().unwrap();
    assert_eq!(caps.messages.unwrap().node, ast::Rate { count: 10, per_nanos: 1_000_000_000 });
    assert_eq!(circuit.profiles[0].uses[0].1.node, "rig");
    let steps = &circuit.tests[0].steps;
    let ast::TestStep::Example(first) = &steps[0] else { panic!("an example") };
    assert_eq!(first.send[0].1[1].change, ast::TestChange::Delete);
    assert_eq!(first.expect[0].1[0].change, ast::TestChange::Signed(1));
    let ast::ValueKind::Map(row) = &first.send[1].1[0].row.kind else { panic!("a row") };
    assert!(row[4].1.is_none());
    let ast::TestStep::Example(second) = &steps[1] else { panic!("an example") };
    let bound = second.cost.as_ref().unwrap().updates.unwrap().node;
    assert!(bound.holds(8) && !bound.holds(9));
    assert!(matches!(&steps[2], ast::TestStep::Law(law) if law.law.node == "epochs_agree"));
}

#[test]
fn every_code_of_this_crate_has_examples_that_show_it() {
    for code in arqon_grammar::code::all() {
        let entry = code.entry();
        // What imports provoke needs files: tests/imports.rs.
        let is_ours = code.id().starts_with("E00") || code.id().starts_with("E01");
        let is_ours = is_ours && !code.id().starts_with("E003");
        if !is_ours || entry.wrong.starts_with('(') {
            continue;
        }
        let codes = |text: &str| -> Vec<&str> {
            let (_, found) = parse_circuit(text, &ParseOptions::default());
            found.iter().map(|found: &Diagnostic| found.code.id()).collect()
        };
        assert!(codes(entry.wrong).contains(&code.id()), "{code}: {:?}", codes(entry.wrong));
        assert!(!codes(entry.mended).contains(&code.id()), "{code}: {:?}", codes(entry.mended));
        let others: Vec<&str> = codes(entry.mended)
            .into_iter()
            .filter(|id| !matches!(*id, "E0018" | "E0012"))
            .collect();
        assert!(others.is_empty(), "{code}: the mended example has {others:?}");
    }
}
