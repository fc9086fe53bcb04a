//! Speed-ups over the churn, drawn into `docs/measured/`.

use std::path::Path;

use arqon_plot::{Labels, Line, draw};

/// Draws how many times as fast as full recomputation steps are, by the share that changes.
/// `lines`: a name, and shares with speed-ups, each.
#[expect(clippy::print_stdout, reason = "where the picture is belongs to the figures")]
pub fn speedups(file: &str, title: &str, lines: Vec<(&str, Vec<(f64, f64)>)>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/measured").join(file);
    let labels = Labels { title, x: "share that changes", y: "times as fast" };
    let lines: Vec<Line> =
        lines.into_iter().map(|(name, points)| Line { name: name.to_owned(), points }).collect();
    match draw(&path, labels, &lines) {
        Ok(()) => println!("drawn into docs/measured/{file}"),
        Err(error) => println!("not drawn: {error}"),
    }
}
