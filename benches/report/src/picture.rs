//! Plots in the folder of the docs.

use std::error::Error;
use std::fs;
use std::path::Path;

use arqon_plot::{Labels, Line, draw};

/// Draws lines into `docs/measured/`, from wherever in the repository the program is run, and
/// prints the link to it.
///
/// # Errors
/// If there is no point, or the file cannot be written.
#[expect(clippy::print_stdout, reason = "what is measured goes to who asked for it")]
pub fn picture(file: &str, labels: Labels<'_>, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/measured");
    fs::create_dir_all(&folder)?;
    draw(&folder.join(file), labels, lines)?;
    println!("![{}](measured/{file})\n", labels.title);
    Ok(())
}
