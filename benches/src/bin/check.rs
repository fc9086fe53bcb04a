//! How long `arqon check` takes over many files, on one core and on all of them.
//!
//! `cargo xtask bench check [FILES]`: generated circuits of 50 nodes each in a folder of its own,
//! checked by the real command 5 times each way; printed are the medians.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use arqon_bench_report::{Table, median};
use arqon_benches::large::circuit;

fn main() -> ExitCode {
    let n_files: usize = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(500);
    let Some(arqon) = beside_this_program() else {
        println!("`arqon` is not built beside this program: cargo build --release -p arqon");
        return ExitCode::FAILURE;
    };
    let folder = std::env::temp_dir().join(format!("arqon-check-{}", std::process::id()));
    let done = measure(&arqon, &folder, n_files);
    // The folder is ours, and empty or gone afterwards.
    let _ = fs::remove_dir_all(&folder);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn beside_this_program() -> Option<std::path::PathBuf> {
    let arqon = std::env::current_exe().ok()?.with_file_name("arqon");
    arqon.exists().then_some(arqon)
}

fn measure(arqon: &Path, folder: &Path, n_files: usize) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let text = circuit(50);
    for idx in 0..n_files {
        fs::write(folder.join(format!("c{idx:04}.yaml")), &text)?;
    }
    let (mut one, mut all) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        // The operating system tells the command how many cores it has.
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", "0"]).arg(arqon);
        one.push(time(&mut pinned, folder)?);
        all.push(time(&mut Command::new(arqon), folder)?);
    }
    let n_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let title = format!("check: {n_files} files, {} KB of YAML each", text.len() / 1024);
    let table = Table::begin(title, &["cores", "median ms"]);
    table.row(&[&1, &format_args!("{:.0}", median(&one))]);
    table.row(&[&n_cores, &format_args!("{:.0}", median(&all))]);
    table.end();
    Ok(())
}

fn time(command: &mut Command, folder: &Path) -> std::io::Result<f64> {
    let start = Instant::now();
    let status = command.args(["check", "-q"]).arg(folder).stdout(Stdio::null()).status()?;
    let elapsed = start.elapsed().as_secs_f64() * 1e3;
    if status.success() {
        return Ok(elapsed);
    }
    Err(std::io::Error::other("the generated circuits have errors"))
}
