//! `arqon explain`: a diagnostic code at length, from the registry that the compiler uses; or what
//! the compiler knows of a part of a circuit.

mod node;
mod passes;

use arqon_grammar::code::{self, Code};
use arqon_grammar::suggest::suggest;
use serde_json::json;

use self::node::Explained;
use crate::arguments::{ExplainArguments, GlobalArguments};
use crate::circuit::{compile_source, options};
use crate::console::{Console, Style};
use crate::exit::{Exit, Failure};
use crate::report::{print_beside, print_for_people};
use crate::source::Source;

/// Prints one code, the list of all, or a part of a circuit.
///
/// # Errors
/// A usage [`Failure`] for a code that nothing has, or a name that the circuit has not.
pub(crate) fn explain(
    arguments: &ExplainArguments,
    global: &GlobalArguments,
    console: Console,
) -> Result<Exit, Failure> {
    if let (Some(file), Some(name)) = (&arguments.subject, &arguments.node) {
        return part(file, name, arguments, global, console);
    }
    let Some(id) = &arguments.subject else {
        return if arguments.markdown { markdown(console) } else { list(console) };
    };
    let code = Code::parse(id).ok_or_else(|| unknown(id))?;
    let entry = code.entry();
    if !console.is_human() {
        console.document(&as_json(code))?;
        return Ok(Exit::Success);
    }
    let title = console.paint_out(Style::Bold, &format!("{}: {}", entry.id, entry.title));
    let section = |name: &str, text: &str| {
        let name = console.paint_out(Style::Cyan, name);
        let lines: String = text
            .trim_end()
            .lines()
            .map(|line| format!("    {line}").trim_end().to_owned() + "\n")
            .collect();
        format!("{name}\n\n{lines}")
    };
    console.out(&format!(
        "{title}\n\n{}\n\n{}\n{}",
        wrap(entry.explanation, 80),
        section("Wrong", entry.wrong),
        section("Mended", entry.mended),
    ))?;
    Ok(Exit::Success)
}

/// A node, a step, a topic or an operator of a circuit; faults of the circuit are shown as well,
/// and what could be found out in spite of them.
fn part(
    file: &str,
    name: &str,
    arguments: &ExplainArguments,
    global: &GlobalArguments,
    console: Console,
) -> Result<Exit, Failure> {
    let mut options = options(global, &arguments.compiler);
    options.compiler.keep_passes = true;
    let circuit = compile_source(&Source::read(std::path::Path::new(file))?, &options)?;
    let Some(plan) = &circuit.compiled.plan else {
        print_beside(console, &circuit.findings)?;
        return Ok(Exit::Errors);
    };
    print_for_people(console, std::slice::from_ref(&circuit.findings));
    let faulty = if circuit.findings.has_errors() { Exit::Errors } else { Exit::Success };
    let explained = Explained::find(&circuit, plan, name)?;
    if console.is_human() {
        console.out(&explained.text(console))?;
    } else {
        console.document(&explained.json())?;
    }
    Ok(faulty)
}

fn list(console: Console) -> Result<Exit, Failure> {
    if !console.is_human() {
        let codes: Vec<_> = code::all().map(as_json).collect();
        console.document(&json!({ "codes": codes }))?;
        return Ok(Exit::Success);
    }
    let line = |code: Code| {
        format!("{}  {}", console.paint_out(Style::Cyan, code.id()), code.entry().title)
    };
    let lines: Vec<String> = code::all().map(line).collect();
    console.out(&format!("{}\n", lines.join("\n")))?;
    Ok(Exit::Success)
}

/// `docs/DIAGNOSTICS.md`, written anew with every change of the registry.
fn markdown(console: Console) -> Result<Exit, Failure> {
    let mut page = String::from(
        "# Diagnostics\n\n\
         Every fault that `arqon` finds in a circuit has a code. `arqon explain CODE` prints its \
         part of this\npage, and `arqon explain --list --markdown` the page itself: both are \
         written from the registry\nthat the compiler uses.\n\n\
         E00xx YAML and shape; E01xx expressions; E02xx names and types; E03xx disciplines, \
         state, cycles;\nE04xx topology and bypass; E05xx operators and contracts; E06xx access; \
         Wxxxx warnings.\n",
    );
    for code in code::all() {
        let entry = code.entry();
        page.extend(["\n## ", entry.id, " ", entry.title, "\n\n"]);
        page.push_str(&wrap(entry.explanation, 100));
        for (title, example) in [("Wrong", entry.wrong), ("Mended", entry.mended)] {
            page.extend(["\n\n", title, ":\n\n```text\n", example.trim_end(), "\n```"]);
        }
        page.push('\n');
    }
    console.out(&page)?;
    Ok(Exit::Success)
}

fn unknown(id: &str) -> Failure {
    let upper = id.to_ascii_uppercase();
    let is_file = id.contains(['/', '.']) || std::path::Path::new(id).exists();
    if is_file {
        return Failure::usage(format!("`{id}` is no code; a circuit is explained part by part"))
            .help(format!("name a node, a step or a topic: arqon explain {id} NODE"));
    }
    let nearest = suggest(&upper, code::all().map(Code::id));
    let failure = Failure::usage(format!("no diagnostic has the code `{id}`"));
    match nearest {
        Some(near) => {
            failure.help(format!("did you mean `{near}`? `arqon explain --list` has all"))
        }
        None => failure.help("`arqon explain --list` has all codes"),
    }
}

fn as_json(code: Code) -> serde_json::Value {
    let entry = code.entry();
    json!({
        "code": entry.id,
        "severity": if code.is_warning() { "warning" } else { "error" },
        "title": entry.title,
        "explanation": entry.explanation,
        "wrong": entry.wrong,
        "mended": entry.mended,
    })
}

/// Breaks a text into lines of at most `width` characters, paragraphs kept apart.
fn wrap(text: &str, width: usize) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let mut lines = String::new();
        let mut column = 0;
        for word in paragraph.split_whitespace() {
            let n_chars = word.chars().count();
            if column > 0 && column + 1 + n_chars > width {
                lines.push('\n');
                column = 0;
            } else if column > 0 {
                lines.push(' ');
                column += 1;
            }
            lines.push_str(word);
            column += n_chars;
        }
        lines
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrap("one two three\nfour\n\nfive", 9), "one two\nthree\nfour\n\nfive");
        assert_eq!(wrap("unbreakable", 4), "unbreakable");
    }

    #[test]
    fn near_codes_are_suggested() {
        assert!(unknown("E001").help.unwrap().contains("did you mean `E00"));
        assert_eq!(unknown("zebra").help.unwrap(), "`arqon explain --list` has all codes");
    }
}
