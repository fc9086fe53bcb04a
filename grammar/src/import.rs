//! A circuit with all that it imports: other circuit files, and protobuf files.
//!
//! Nothing here opens a file. The caller's [`Loader`] does, by paths from a root; that a path
//! does not lead out of the root by its own words is checked here, that no link does is the
//! loader's to check. A file is loaded once, however often it is named.

mod path;
mod well_known;
mod proto;
mod proto_types;
mod merge;

use std::collections::BTreeSet;

use crate::ast::Circuit;
use crate::circuit::ParseOptions;
use crate::circuit::parse_part;
use crate::code::imports as codes;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::sort;
use crate::limits::FILE_BYTES_MAX;
use crate::limits::IMPORT_BYTES_MAX;
use crate::limits::IMPORT_DEPTH_MAX;
use crate::limits::IMPORT_FILES_MAX;
use crate::sources::Sources;
use crate::span::Span;
use crate::span::Spanned;
use crate::suggest::suggest;
use path::PathFault;
use proto::ProtoFile;

/// Opens the files that circuits import.
pub trait Loader {
    /// The text of the file at `path`: parts joined by `/`, from the root, none of them `..`.
    ///
    /// # Errors
    /// A [`LoadFault`] if there is no such text under the root.
    fn load(&mut self, path: &str) -> Result<String, LoadFault>;
}

/// Why a file could not be loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoadFault {
    /// There is none at that path.
    Missing {
        /// Names of other files in its folder.
        near: Vec<String>,
    },
    /// A link on the way leads out of the root.
    Outside,
    /// It is a folder, a pipe or a device.
    NotAFile,
    /// It has more than [`FILE_BYTES_MAX`] bytes.
    TooLarge,
    /// It is not UTF-8.
    NotText,
    /// It cannot be read; the text says why.
    Unreadable(String),
    /// Where the circuit comes from there are no files.
    NoFiles,
}

/// A loader for circuits that stand alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Loader for NoFiles {
    fn load(&mut self, _path: &str) -> Result<String, LoadFault> {
        Err(LoadFault::NoFiles)
    }
}

/// The circuit that imports others.
#[derive(Clone, Copy, Debug)]
pub struct Main<'a> {
    /// What people call it.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Its path from the root.
    pub path: &'a str,
    /// What people call the root; empty for the current folder.
    pub root: &'a str,
}

impl<'a> Main<'a> {
    /// A circuit at the root.
    pub fn alone(name: &'a str, text: &'a str) -> Self {
        Self { name, text, path: "", root: "" }
    }
}

/// A circuit and what it imports, read.
#[derive(Debug)]
pub struct Reading {
    /// The texts of all files.
    pub sources: Sources,
    /// The circuit, with the declarations that it imports; none when its own text has no readable
    /// structure.
    pub circuit: Option<Circuit>,
    /// All faults of all files, the circuit's own first.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a circuit and everything that it imports.
pub fn read_circuit(main: Main<'_>, loader: &mut dyn Loader, options: &ParseOptions) -> Reading {
    let sources = Sources::new(main.name, main.text);
    let (circuit, diagnostics) = parse_part(sources.text(), sources.main().span, options);
    let Some(mut circuit) = circuit else {
        return Reading { sources, circuit: None, diagnostics };
    };
    let mut importer = Importer {
        loader,
        options,
        root: main.root,
        sources,
        known: BTreeSet::from([main.path.to_owned()]),
        chain: vec![main.path.to_owned()],
        diagnostics,
        parts: Vec::new(),
        protos: Vec::new(),
        is_incomplete: false,
    };
    importer.follow(&circuit.imports);
    importer.protos();
    let Importer { sources, mut diagnostics, parts, is_incomplete, .. } = importer;
    circuit.is_incomplete = is_incomplete;
    merge::merge(&mut circuit, parts, &sources, &mut diagnostics);
    sort(&mut diagnostics);
    Reading { sources, circuit: Some(circuit), diagnostics }
}

struct Importer<'l> {
    loader: &'l mut dyn Loader,
    options: &'l ParseOptions,
    root: &'l str,
    sources: Sources,
    /// Paths of all files that were asked for.
    known: BTreeSet<String>,
    /// The files that are being read, each imported by the one before.
    chain: Vec<String>,
    diagnostics: Vec<Diagnostic>,
    parts: Vec<Circuit>,
    protos: Vec<ProtoFile>,
    /// Whether a file could not be read, so that names may be missing.
    is_incomplete: bool,
}

impl Importer<'_> {
    /// Reads the imports of the file at the end of the chain.
    fn follow(&mut self, imports: &[Spanned<String>]) {
        for import in imports {
            if well_known::text(&import.node).is_some() {
                self.import(import, &import.node);
                continue;
            }
            let importer = self.chain.last().map_or("", String::as_str);
            match path::resolve(importer, &import.node) {
                Ok(path) => self.import(import, &path),
                Err(fault) => self.refuse(path_fault(import, fault)),
            }
        }
    }

    fn import(&mut self, import: &Spanned<String>, path: &str) {
        if self.is_known(import, path) {
            return;
        }
        // The circuit itself is known too.
        let n_asked = self.known.len() - 1;
        if IMPORT_FILES_MAX < n_asked {
            // Said once: a file of thousands of imports names thousands that are too many.
            if n_asked == IMPORT_FILES_MAX + 1 {
                self.beyond(
                    import,
                    format!("a circuit has at most {IMPORT_FILES_MAX} imported files"),
                );
            }
            return;
        }
        let text = match self.load(path) {
            Ok(text) => text,
            Err(fault) => return self.refuse(load_fault(import, &fault)),
        };
        let Some(span) = self.add(import, path, &text) else { return };
        self.chain.push(path.to_owned());
        if path::is_proto(path) {
            self.proto(path, span);
        } else {
            self.circuit(span);
        }
        self.chain.pop();
    }

    /// Whether nothing is left to do for a path; reports a circle.
    fn is_known(&mut self, import: &Spanned<String>, path: &str) -> bool {
        if let Some(first) = self.chain.iter().position(|known| known == path) {
            let mut way: Vec<&str> = self.chain[first..].iter().map(String::as_str).collect();
            way.push(path);
            let fault = Diagnostic::new(
                codes::IMPORT_CYCLE,
                import.span,
                format!("the import of `{}` leads back to itself", import.node),
            )
            .note(format!("`{}`", way.join("` -> `")))
            .help("move what both need into a file of its own, which imports neither");
            self.refuse(fault);
            return true;
        }
        !self.known.insert(path.to_owned())
    }

    fn load(&mut self, path: &str) -> Result<String, LoadFault> {
        match well_known::text(path) {
            Some(text) => Ok(text.to_owned()),
            None => self.loader.load(path),
        }
    }

    /// The file's place among the sources; none when a limit is reached.
    fn add(&mut self, import: &Spanned<String>, path: &str, text: &str) -> Option<Span> {
        let limit = if FILE_BYTES_MAX < text.len() {
            format!("it has {} bytes, at most {FILE_BYTES_MAX} are read", text.len())
        } else if IMPORT_DEPTH_MAX < self.chain.len() {
            format!("imports nest at most {IMPORT_DEPTH_MAX} deep")
        } else if IMPORT_BYTES_MAX < self.n_imported_bytes() + text.len() {
            format!("all imported files have at most {IMPORT_BYTES_MAX} bytes together")
        } else {
            let name = match self.root.trim_end_matches('/') {
                _ if well_known::text(path).is_some() => path.to_owned(),
                "" if self.root.is_empty() => path.to_owned(),
                root => format!("{root}/{path}"),
            };
            return Some(self.sources.add(&name, text));
        };
        self.beyond(import, limit);
        None
    }

    fn beyond(&mut self, import: &Spanned<String>, limit: String) {
        let message = format!("the import `{}` is beyond a limit", import.node);
        self.refuse(Diagnostic::new(codes::IMPORT_LIMIT, import.span, message).note(limit));
    }

    fn n_imported_bytes(&self) -> usize {
        self.sources.text().len() - self.sources.main_text().len()
    }

    fn circuit(&mut self, span: Span) {
        let (circuit, diagnostics) = parse_part(self.sources.text(), span, self.options);
        self.diagnostics.extend(diagnostics);
        match circuit {
            Some(circuit) => {
                self.follow(&circuit.imports);
                self.parts.push(circuit);
            }
            None => self.is_incomplete = true,
        }
    }

    /// Reads a protobuf file and those that it imports.
    fn proto(&mut self, path: &str, span: Span) {
        match ProtoFile::read(self.sources.text(), span) {
            Ok(file) => {
                for import in file.imports() {
                    self.proto_import(&import, path);
                }
                self.protos.push(file);
            }
            Err(faults) => {
                self.is_incomplete = true;
                self.diagnostics.extend(faults);
            }
        }
    }

    /// Protobuf files name others from a root of theirs: ours, or else the file's own folder.
    fn proto_import(&mut self, import: &Spanned<String>, importer: &str) {
        let from_root = path::resolve("", &import.node);
        let beside = path::resolve(importer, &import.node);
        let path = match (from_root, beside) {
            (Ok(root), Ok(beside)) if root != beside && !self.known.contains(&root) => {
                // Loading twice is cheaper than a way to ask for a file's presence.
                if self.load(&root).is_ok() { root } else { beside }
            }
            (Ok(path), _) | (Err(_), Ok(path)) => path,
            (Err(fault), Err(_)) => return self.refuse(path_fault(import, fault)),
        };
        self.import(import, &path);
    }

    /// Makes schemas of the messages of all protobuf files.
    fn protos(&mut self) {
        let protos = std::mem::take(&mut self.protos);
        let (schemas, faults) = proto_types::schemas(&protos, self.is_incomplete);
        self.diagnostics.extend(faults);
        self.parts.push(Circuit { schemas, ..Circuit::default() });
    }

    fn refuse(&mut self, fault: Diagnostic) {
        self.is_incomplete = true;
        self.diagnostics.push(fault);
    }
}

fn path_fault(import: &Spanned<String>, fault: PathFault) -> Diagnostic {
    let written = &import.node;
    let refused = |message: String| Diagnostic::new(codes::IMPORT_PATH, import.span, message);
    match fault {
        PathFault::Length => refused("an import is the path of a file".to_owned())
            .help("as in `import: [lab/schemas.yaml]`"),
        PathFault::Absolute => refused(format!("the import `{written}` is an absolute path"))
            .help("write the path from this file's folder, as in `lab/schemas.yaml`"),
        PathFault::Url => refused(format!("the import `{written}` is an address, not a path"))
            .help("copy the file beside the circuit, and write its path"),
        PathFault::Character => {
            refused(format!("the import `{}` is no path", written.escape_debug()))
                .help("folders are separated by `/`")
        }
        PathFault::Ending => {
            refused(format!("the import `{written}` is neither YAML nor protobuf"))
                .help("circuit files end in `.yaml` or `.yml`, protobuf files in `.proto`")
        }
        PathFault::Outside => Diagnostic::new(
            codes::IMPORT_OUTSIDE,
            import.span,
            format!("the import `{written}` leads out of the circuit's root"),
        )
        .help(OUTSIDE_HELP),
    }
}

const OUTSIDE_HELP: &str =
    "the root is the circuit's own folder; `--root DIR` names one that holds both files";

fn load_fault(import: &Spanned<String>, fault: &LoadFault) -> Diagnostic {
    let written = &import.node;
    let missing = |message: String| Diagnostic::new(codes::IMPORT_MISSING, import.span, message);
    match fault {
        LoadFault::Missing { near } => {
            let (folder, name) = match written.rsplit_once('/') {
                Some((folder, name)) => (format!("{folder}/"), name),
                None => (String::new(), written.as_str()),
            };
            let near = suggest(name, near.iter().map(String::as_str));
            let near = near.map(|near| format!("{folder}{near}"));
            let well_known = suggest(written, well_known::paths()).map(str::to_owned);
            missing(format!("there is no file `{written}`"))
                .did_you_mean(near.or(well_known).as_deref())
                .help("the path begins at the folder of the file that imports")
        }
        LoadFault::Outside => Diagnostic::new(
            codes::IMPORT_OUTSIDE,
            import.span,
            format!("the import `{written}` is a link out of the circuit's root"),
        )
        .help(OUTSIDE_HELP),
        LoadFault::NotAFile => missing(format!("`{written}` is not a file"))
            .help("an import names one file, not a folder"),
        LoadFault::TooLarge => Diagnostic::new(
            codes::IMPORT_LIMIT,
            import.span,
            format!("the import `{written}` is beyond a limit"),
        )
        .note(format!("at most {FILE_BYTES_MAX} bytes of a file are read")),
        LoadFault::NotText => {
            missing(format!("`{written}` is not UTF-8")).help("save the file as UTF-8")
        }
        LoadFault::Unreadable(why) => {
            missing(format!("`{written}` cannot be read")).note(why.clone())
        }
        LoadFault::NoFiles => missing(format!("`{written}` cannot be read from here"))
            .help("put the circuit in a file; its imports are found from there"),
    }
}
