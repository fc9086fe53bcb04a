//! Speed-ups over the churn, drawn into `docs/measured/`.

use arqon_bench_report::picture;
use arqon_plot::{Labels, Line};

/// Draws how many times as fast as full recomputation steps are, by the share that changes.
/// `lines`: a name, and shares with speed-ups, each.
#[expect(clippy::print_stdout, reason = "a picture that is missing is said where it would be")]
pub fn speedups(file: &str, title: &str, lines: Vec<(&str, Vec<(f64, f64)>)>) {
    let labels = Labels { title, x: "share that changes", y: "times as fast" };
    let lines: Vec<Line> =
        lines.into_iter().map(|(name, points)| Line { name: name.to_owned(), points }).collect();
    if let Err(error) = picture(file, labels, &lines) {
        println!("{file} is not drawn: {error}\n");
    }
}
