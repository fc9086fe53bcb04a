//! Tests of the expression room: text in, bracketed tree and diagnostics out.

use super::*;

/// The tree, then each diagnostic in plain lines.
fn check(text: &str, expected: &str) {
    let (expr, diagnostics) = parse_expression(text);
    let mut out = expr.to_string();
    for diagnostic in diagnostics {
        out.push('\n');
        out.push_str(&diagnostic.brief(text));
    }
    assert_eq!(out, expected, "{text}");
}

#[test]
fn operators_bind_as_written_down() {
    check("status == \"paid\" and amount > 0", "(and (== status \"paid\") (> amount 0))");
    check("a or b and not c == d", "(or a (and b (not (== c d))))");
    check("1 + 2 * 3 - -x % 2", "(- (+ 1 (* 2 3)) (% (- x) 2))");
    check("a // b // c < d", "(< (// a (// b c)) d)");
    check("x // 0 + 1", "(// x (+ 0 1))");
    check("a - b - c ++ d", "(++ (- (- a b) c) d)");
    check("x not in [1, 2] and y in z", "(and (not (in x [1, 2])) (in y z))");
    check("a == not b and c", "(and (== a (not b)) c)");
    check("- a.b[0].c", "(- a.b[0].c)");
    check("(a or b) and c", "(and (or a b) c)");
    check("(a < b) == c", "(== (< a b) c)");
}

#[test]
fn all_forms_are_read() {
    check("if a then 1 else if b then 2 else 3", "(if a 1 (if b 2 3))");
    check("sum(x, where=paid and y > 0)", "sum(x, where=(and paid (> y 0)))");
    check("map(l, x -> x + 1)", "map(l, ((x) -> (+ x 1)))");
    check("fold(l, (a, b) -> a * b)", "fold(l, ((a, b) -> (* a b)))");
    check("count()", "count()");
    check("1_000 + 1.50 + 1e-3", "(+ (+ 1000 1.50) 1e-3)");
    check("1h30m // 500ms", "(// 5400000000000ns 500000000ns)");
    check(
        "d\"1995-03-15\" < t\"2026-01-01T00:00:00Z\"",
        "(< d\"1995-03-15\" t\"2026-01-01T00:00:00Z\")",
    );
    check("[true, false, none, \"a\\\"b\"]", "[true, false, none, \"a\\\"b\"]");
    check("android + order_in + nothing", "(+ (+ android order_in) nothing)");
    check(" c.region ", "c.region");
    check("c.none", "c.none");
    check("[]", "[]");
}

#[test]
fn spans_are_exact() {
    let text = "amount > f(x, n=y.z)";
    let (expr, _) = parse_expression(text);
    let ExprKind::Binary { operator, left, right } = &expr.kind else { panic!("a comparison") };
    assert_eq!(expr.span.slice(text), text);
    assert_eq!(operator.span.slice(text), ">");
    assert_eq!(left.span.slice(text), "amount");
    let ExprKind::Call { function, arguments } = &right.kind else { panic!("a call") };
    assert_eq!(right.span.slice(text), "f(x, n=y.z)");
    assert_eq!(function.span.slice(text), "f");
    assert_eq!(arguments[1].name.as_ref().unwrap().span.slice(text), "n");
    let path = arguments[1].value.as_path().unwrap();
    assert_eq!(path[1].span.slice(text), "z");
}

#[test]
fn habits_are_mended() {
    let fix = |text: &str, code: &str, mended: &str| {
        let (_, diagnostics) = parse_expression(text);
        assert_eq!(diagnostics.len(), 1, "{text}: {diagnostics:?}");
        assert_eq!(diagnostics[0].code.id(), code, "{text}");
        let fix = diagnostics[0].fix.as_ref().unwrap();
        let mut out = text.to_owned();
        out.replace_range(fix.span.start as usize..fix.span.end as usize, &fix.replacement);
        assert_eq!(out, mended);
        assert!(parse_expression(&out).1.is_empty(), "{out}");
    };
    fix("a && b", "E0104", "a and b");
    fix("a || b", "E0105", "a or b");
    fix("!a", "E0106", "not a");
    fix("b and ! (a)", "E0106", "b and not (a)");
    fix("a = 3", "E0107", "a == 3");
    fix("f(x = 1, (y = 2))", "E0107", "f(x = 1, (y == 2))");
    fix("a === 3", "E0107", "a == 3");
    fix("a != null", "E0108", "a != none");
    fix("a == 'paid'", "E0109", "a == \"paid\"");
    fix("a <> b", "E0112", "a != b");
    fix("a > 9 ? 1 : 0", "E0113", "if a > 9 then 1 else 0");
    fix("a ?? 0", "E0113", "a // 0");
    fix("a AND b", "E0101", "a and b");
}

#[test]
fn all_habits_of_one_expression_are_reported() {
    check(
        "a && b = 'c'",
        "<error>\n1:3-5 error[E0104]: `&&` is written `and`\n  fix 1:3-5: write `and` -> and\n\
         1:8-9 error[E0107]: `=` is written `==`\n  fix 1:8-9: write `==` -> ==\n\
         1:10-13 error[E0109]: texts stand in double quotes\n  fix 1:10-13: write `\"c\"` -> \"c\"",
    );
}

#[test]
fn faults_have_their_place() {
    let first = |text: &str| {
        let (expr, diagnostics) = parse_expression(text);
        assert!(expr.is_error(), "{text}");
        diagnostics[0].brief(text).lines().next().unwrap().to_owned()
    };
    let cases = [
        ("", "1:1-1 error[E0101]: expected an expression, found nothing"),
        ("a +", "1:3-4 error[E0101]: a value is expected behind `+`"),
        ("price * > 3", "1:9-10 error[E0101]: a value is expected, found `>`"),
        ("a b", "1:3-4 error[E0101]: an operator is expected, found `b`"),
        ("x.lower()", "1:8-9 error[E0101]: an operator is expected, found `(`"),
        ("f(a", "1:2-3 error[E0101]: the bracket `(` is never closed"),
        ("f(a]", "1:4-5 error[E0101]: `(` is closed by `]`"),
        ("a)", "1:2-3 error[E0101]: `)` closes no bracket"),
        ("if a then b", "1:1-3 error[E0101]: this `if` has no `else`"),
        ("if a then 2", "1:1-3 error[E0101]: this `if` has no `else`"),
        ("if a then 2 3", "1:13-14 error[E0101]: an operator is expected, found `3`"),
        ("a @ b", "1:3-4 error[E0101]: `@` has no meaning in an expression"),
        ("1 < x < 9", "1:7-8 error[E0114]: comparisons do not chain"),
        ("x == \"abc", "1:6-7 error[E0116]: this text has no closing `\"`"),
        ("\"a\\qb\"", "1:3-5 error[E0116]: `\\q` is not an escape"),
        ("5min", "1:1-5 error[E0115]: `5min` is neither a number nor a duration"),
        ("1.5h", "1:1-5 error[E0115]: `1.5h` is neither a number nor a duration"),
        ("d\"2026-02-30\"", "1:1-14 error[E0115]: `2026-02-30` is not a date of the calendar"),
        ("x => 1", "1:3-5 error[E0107]: `=>` is written `>=`"),
        ("x -> 1", "1:3-5 error[E0101]: an operator is expected, found `->`"),
    ];
    for (text, expected) in cases {
        assert_eq!(first(text), expected, "{text}");
    }
    let big = "9".repeat(39);
    assert!(first(&big).contains("E0115"));
}

#[test]
fn limits_are_named() {
    let code = |text: &str| parse_expression(text).1.first().map(|d| d.code.id());
    assert_eq!(code(&format!("{}x{}", "(".repeat(129), ")".repeat(129))), Some("E0103"));
    assert_eq!(code(&format!("{}x", "not ".repeat(200))), Some("E0103"));
    assert_eq!(code(&format!("x{}", " // x".repeat(200))), Some("E0103"));
    assert_eq!(code(&format!("x{}", " + x".repeat(200))), Some("E0103"));
    assert_eq!(code(&format!("x{}", " + x".repeat(100))), None);
    assert_eq!(code(&format!("{}y", "if x then y else ".repeat(200))), Some("E0103"));
    assert_eq!(code(&"x".repeat(70_000)), Some("E0102"));
    assert_eq!(code(&format!("f({}x)", "x, ".repeat(2_000))), None);
    assert_eq!(code(&format!("f({}x)", "if a then b else c, ".repeat(500))), None);
}

#[test]
fn long_chains_of_and_are_balanced() {
    let text = format!("{}x", "x and ".repeat(10_000));
    let (expr, diagnostics) = parse_expression(&text);
    assert!(diagnostics.is_empty());
    assert_eq!(depth(&expr), 15);
    check("a and b and c and d", "(and (and a b) (and c d))");
    check("a and (b and c)", "(and a (and b c))");
    check("a or b or c", "(or a (or b c))");
}

fn depth(expr: &Expr) -> usize {
    match &expr.kind {
        ExprKind::Binary { left, right, .. } => 1 + depth(left).max(depth(right)),
        _ => 1,
    }
}
