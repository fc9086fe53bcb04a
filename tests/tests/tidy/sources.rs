//! What holds for every source file by itself: its header, its columns, its tests, its length.

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// A word in the header of files that a task writes: they are exempt from widths and lengths.
const GENERATED: &str = concat!("@", "generated");

/// Faults of one file.
pub(crate) fn check(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !text.starts_with("//!") {
        faults.push(format!("{name}: no `//!` header"));
    }
    if let Err(error) = syn::parse_file(text) {
        faults.push(format!("{name}: {error}"));
    }
    for (at, line) in text.lines().enumerate() {
        let line_no = at + 1;
        let wide = COLUMNS_MAX < line.chars().count() && !is_unbreakable(line) && !is_case(name);
        if wide && !is_generated(text) {
            faults.push(format!("{name}:{line_no}: over {COLUMNS_MAX} columns"));
        }
        if line.trim_start().starts_with(concat!("#[should", "_panic")) {
            faults.push(format!("{name}:{line_no}: assert the behaviour instead of the panic"));
        }
        if line.trim() == concat!("#[", "ignore]") {
            faults.push(format!("{name}:{line_no}: an ignored test says why"));
        }
    }
    faults
}

/// Cases and their expected output stand in `tests` and in texts of benches as they are.
fn is_case(name: &str) -> bool {
    name.split('/').any(|part| part == "tests" || part == "benches")
}

/// Advice: what is longer than a reader likes.
pub(crate) fn lengths(name: &str, text: &str) -> Vec<String> {
    if is_generated(text) {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    let n_lines = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default().lines().count();
    if FILE_LINES_MAX < n_lines {
        warnings.push(format!("{name}: {n_lines} lines, advised {FILE_LINES_MAX}"));
    }
    for (line_no, function, n_lines) in functions(text) {
        if FUNCTION_LINES_MAX < n_lines {
            warnings.push(format!("{name}:{line_no}: `{function}` has {n_lines} lines"));
        }
    }
    warnings
}

/// An address, a table's row in a comment, and a text in quotes lose their sense over two lines.
fn is_unbreakable(line: &str) -> bool {
    let line = line.trim_start();
    if line.starts_with("//") {
        return line.contains("://") || line.starts_with("//! |") || line.starts_with("/// |");
    }
    line.contains('"')
}

fn is_generated(text: &str) -> bool {
    text.lines().take(5).any(|line| line.starts_with("//") && line.contains(GENERATED))
}

/// First line, name and length of every function. Formatted code closes a body with a brace in
/// the column where the function began.
fn functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let head = code.split('(').next().unwrap_or_default();
        let Some((before, name)) = head.split_once("fn ") else { continue };
        let words = ["pub", "pub(crate)", "const", "async", "unsafe", "extern"];
        if !before.split_whitespace().all(|word| words.contains(&word)) {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        let body = lines[at..].iter().position(|line| *line == close);
        let declaration = lines[at..].iter().position(|line| line.ends_with(';'));
        match (body, declaration) {
            (Some(end), other) if line.contains('{') || other.is_none_or(|at| at != 0) => {
                let name = name.split('<').next().unwrap_or_default();
                found.push((at + 1, name.to_owned(), end + 1));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_complains_about_its_fault() {
        let wide = format!("//! x\n// {}\n", "w".repeat(COLUMNS_MAX));
        let panics = format!("//! x\n{}]\nfn f() {{}}\n", concat!("#[should", "_panic"));
        let ignored = format!("//! x\n    {}\nfn f() {{}}\n", concat!("#[", "ignore]"));
        for (text, wanted) in [
            ("fn f() {}\n", "a.rs: no `//!` header"),
            (wide.as_str(), "a.rs:2: over 100 columns"),
            (panics.as_str(), "a.rs:2: assert the behaviour instead of the panic"),
            (ignored.as_str(), "a.rs:2: an ignored test says why"),
        ] {
            assert_eq!(check("a.rs", text), [wanted]);
        }
        let broken = check("a.rs", "//! x\nfn f( {}\n");
        assert!(broken.len() == 1 && broken[0].starts_with("a.rs: "), "{broken:?}");
    }

    #[test]
    fn a_sound_file_has_no_fault() {
        let wide = "w".repeat(COLUMNS_MAX);
        let text = format!(
            "//! x\n//! | a | {wide} |\n#[ignore = \"needs a rig\"]\n\
             fn f() {{}}\n// https://example.org/{wide}\nconst A: &str = \"{wide}\";\n"
        );
        assert_eq!(check("a.rs", &text), Vec::<String>::new());
    }

    #[test]
    fn lengths_are_counted_without_tests_and_generated_text() {
        let body = "    step();\n".repeat(80);
        let text = format!("//! x\nfn long() {{\n{body}}}\n\nfn short() {{\n}}\n");
        assert_eq!(lengths("a.rs", &text), ["a.rs:2: `long` has 82 lines"]);
        assert_eq!(lengths("a.rs", &format!("//! {GENERATED}\n{text}")), Vec::<String>::new());
        let tests = format!("//! x\n#[cfg(test)]\nmod tests {{\n{}}}\n", "// t\n".repeat(500));
        assert_eq!(lengths("a.rs", &tests), Vec::<String>::new());
        let long_file = format!("//! x\n{}", "const A: u8 = 0;\n".repeat(500));
        assert_eq!(lengths("a.rs", &long_file), ["a.rs: 501 lines, advised 400"]);
    }
}
