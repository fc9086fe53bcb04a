//! Outcomes as `JUnit` XML, which build servers read.

use std::fmt::Write as _;
use std::time::Duration;

use super::outcome::Outcome;

/// The document.
pub(super) fn document(outcomes: &[Outcome]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let n_failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    write(
        &mut text,
        format_args!(
            "<testsuites name=\"arqon\" tests=\"{}\" failures=\"{n_failed}\" time=\"{}\">\n",
            outcomes.len(),
            seconds(outcomes)
        ),
    );
    for suite in outcomes.chunk_by(|a, b| a.file == b.file) {
        let n_failed = suite.iter().filter(|outcome| !outcome.passed()).count();
        write(
            &mut text,
            format_args!(
                "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{n_failed}\" time=\"{}\">\n",
                escape(&suite[0].file),
                suite.len(),
                seconds(suite)
            ),
        );
        for outcome in suite {
            case(&mut text, outcome);
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn case(text: &mut String, outcome: &Outcome) {
    let name = escape(&outcome.name);
    let class = escape(&outcome.file);
    let time = seconds(std::slice::from_ref(outcome));
    write(
        text,
        format_args!("    <testcase name=\"{name}\" classname=\"{class}\" time=\"{time}\""),
    );
    if outcome.passed() {
        text.push_str("/>\n");
        return;
    }
    text.push_str(">\n");
    for fault in &outcome.faults {
        let message = escape(&format!("{}: {}", fault.place, fault.message));
        let detail = escape(&fault.detail);
        write(text, format_args!("      <failure message=\"{message}\">{detail}</failure>\n"));
    }
    text.push_str("    </testcase>\n");
}

fn seconds(outcomes: &[Outcome]) -> String {
    let sum: Duration = outcomes.iter().map(|outcome| outcome.took).sum();
    format!("{:.3}", sum.as_secs_f64())
}

fn write(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a string cannot fail");
}

/// What XML 1.0 may hold: markup is escaped, other control characters become U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::examples::outcome::Fault;

    #[test]
    fn the_document_is_grouped_by_circuit_and_escaped() {
        let outcome = |file: &str, name: &str, faults| Outcome {
            file: file.to_owned(),
            name: name.to_owned(),
            took: Duration::from_millis(2),
            faults,
        };
        let fault = Fault {
            place: "a.yaml:3:5".to_owned(),
            message: "`a` < `b`".to_owned(),
            detail: "x & y\u{1}".to_owned(),
        };
        let text = document(&[
            outcome("a.yaml", "first", vec![]),
            outcome("a.yaml", "\"second\"", vec![fault]),
            outcome("b.yaml", "third", vec![]),
        ]);
        assert_eq!(
            text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuites name=\"arqon\" tests=\"3\" failures=\"1\" time=\"0.006\">\n\
             \x20 <testsuite name=\"a.yaml\" tests=\"2\" failures=\"1\" time=\"0.004\">\n\
             \x20   <testcase name=\"first\" classname=\"a.yaml\" time=\"0.002\"/>\n\
             \x20   <testcase name=\"&quot;second&quot;\" classname=\"a.yaml\" time=\"0.002\">\n\
             \x20     <failure message=\"a.yaml:3:5: `a` &lt; `b`\">x &amp; y\u{fffd}</failure>\n\
             \x20   </testcase>\n\
             \x20 </testsuite>\n\
             \x20 <testsuite name=\"b.yaml\" tests=\"1\" failures=\"0\" time=\"0.002\">\n\
             \x20   <testcase name=\"third\" classname=\"b.yaml\" time=\"0.002\"/>\n\
             \x20 </testsuite>\n\
             </testsuites>\n"
        );
    }
}
