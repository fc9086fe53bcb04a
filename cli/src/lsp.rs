//! `arqon lsp`: the language server over stdin and stdout, with the files of the disk.

use std::io::{self, BufReader, BufWriter};
use std::path::Path;

use arqon_compiler::Options;
use arqon_editor::{Ending, ImportRoot, Workspace, serve};

use crate::arguments::{GlobalArguments, LspArguments};
use crate::circuit::{CompileOptions, options};
use crate::exit::{Exit, Failure};
use crate::imports::Root;

/// Serves an editor until it leaves.
///
/// # Errors
/// A [`Failure`] if stdout cannot be written.
pub(crate) fn lsp(arguments: &LspArguments, global: &GlobalArguments) -> Result<Exit, Failure> {
    let disk = Disk { options: options(global, &arguments.compiler) };
    let input = BufReader::new(io::stdin());
    let output = BufWriter::new(io::stdout());
    match serve(input, output, &disk) {
        Ok(Ending::Asked) => Ok(Exit::Success),
        Ok(Ending::Abrupt) => Ok(Exit::Errors),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::silent()),
        Err(error) => Err(Failure::unreachable(format!("cannot write to stdout: {error}"))),
    }
}

/// Circuits and what they import, as they lie on the disk.
struct Disk {
    options: CompileOptions,
}

impl Workspace for Disk {
    fn options(&self) -> Options {
        self.options.compiler.clone()
    }

    fn root(&self, file: &Path) -> Option<ImportRoot> {
        let root = Root::of(file, self.options.root.as_deref()).ok()?;
        Some(ImportRoot {
            name: root.name.clone(),
            path: root.path.clone(),
            folder: root.folder().to_owned(),
            loader: Box::new(root),
        })
    }
}
