//! The open documents, and the texts that their imports are read from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use arqon_grammar::{LoadFault, Loader, Main, NoFiles};
use lsp_types::Uri;

use crate::analysis::Analysis;
use crate::text::Lines;
use crate::uri::{path_of, uri_of};
use crate::workspace::{ImportRoot, Workspace};

/// An open document.
#[derive(Debug)]
pub(crate) struct Document {
    /// Where the editor has it.
    pub(crate) uri: Uri,
    /// What is in the editor now.
    pub(crate) text: Rc<str>,
    /// The editor's count of changes.
    pub(crate) version: i32,
    /// Its lines.
    pub(crate) lines: Lines,
    /// What the compiler calls it.
    name: String,
    path: Option<PathBuf>,
    /// What is known of the text; none after a change.
    analysis: Option<Analysis>,
    /// Whether the editor has been told what was found in it.
    is_told: bool,
    /// The last analysis of a text with readable structure, if the present one has none.
    last_readable: Option<Analysis>,
    /// What nobody asks for any more; to let go of it takes a while.
    outdated: Vec<Analysis>,
}

impl Document {
    /// A document of which nothing is known yet.
    pub(crate) fn new(uri: Uri, version: i32, text: &str) -> Self {
        let path = path_of(&uri);
        let name =
            path.as_ref().map_or_else(|| uri.as_str().to_owned(), |it| it.display().to_string());
        let lines = Lines::new(text);
        Self {
            uri,
            text: Rc::from(text),
            version,
            lines,
            name,
            path,
            analysis: None,
            is_told: false,
            last_readable: None,
            outdated: Vec::new(),
        }
    }

    /// What is known of it; [`Documents::analyse`] has seen to it.
    pub(crate) fn analysis(&self) -> Option<&Analysis> {
        self.analysis.as_ref()
    }

    /// What is known of it, or was known when it could be read last.
    pub(crate) fn readable(&self) -> Option<&Analysis> {
        self.analysis.as_ref().filter(|it| it.is_readable()).or(self.last_readable.as_ref())
    }

    /// This is known of it.
    pub(crate) fn know(&mut self, analysis: Analysis) {
        self.analysis = Some(analysis);
    }

    /// The URI of a file of its circuit.
    pub(crate) fn uri_of(&self, name: &str) -> Option<Uri> {
        if name == self.name { Some(self.uri.clone()) } else { uri_of(Path::new(name)) }
    }

    fn forget(&mut self) {
        self.is_told = false;
        let Some(analysis) = self.analysis.take() else { return };
        let outdated = if analysis.is_readable() {
            self.last_readable.replace(analysis)
        } else {
            Some(analysis)
        };
        self.outdated.extend(outdated);
    }

    fn imports(&self, path: &Path) -> bool {
        let analysis = self.analysis.as_ref();
        let mut files = analysis.iter().flat_map(|it| it.compiled.sources.files().iter().skip(1));
        files.any(|file| Path::new(&file.name) == path)
    }
}

/// All open documents, by their URI.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    open: BTreeMap<String, Document>,
}

impl Documents {
    /// The document of that URI.
    pub(crate) fn get(&self, uri: &Uri) -> Option<&Document> {
        self.open.get(uri.as_str())
    }

    /// A document is open from now on, with this text.
    pub(crate) fn open(&mut self, uri: &Uri, version: i32, text: &str) {
        let document = Document::new(uri.clone(), version, text);
        let path = document.path.clone();
        self.open.insert(uri.as_str().to_owned(), document);
        self.forget_importers(path.as_deref());
    }

    /// Another text of an open document.
    pub(crate) fn change(&mut self, uri: &Uri, version: i32, text: &str) {
        let Some(document) = self.open.get_mut(uri.as_str()) else { return };
        document.forget();
        document.text = Rc::from(text);
        document.lines = Lines::new(text);
        document.version = version;
        let path = document.path.clone();
        self.forget_importers(path.as_deref());
    }

    /// A document is closed; the file counts again.
    pub(crate) fn close(&mut self, uri: &Uri) {
        let path = self.open.remove(uri.as_str()).and_then(|document| document.path);
        self.forget_importers(path.as_deref());
    }

    /// Files beside the documents have changed.
    pub(crate) fn forget_all(&mut self) {
        self.open.values_mut().for_each(Document::forget);
    }

    fn forget_importers(&mut self, path: Option<&Path>) {
        let Some(path) = path else { return };
        self.open.values_mut().filter(|it| it.imports(path)).for_each(Document::forget);
    }

    /// A document of whose present text the editor has not been told what was found.
    pub(crate) fn untold(&self) -> Option<Uri> {
        let mut untold = self.open.values().filter(|document| !document.is_told);
        untold.next().map(|document| document.uri.clone())
    }

    /// The editor is told now.
    pub(crate) fn told(&mut self, uri: &Uri) {
        if let Some(document) = self.open.get_mut(uri.as_str()) {
            document.is_told = true;
        }
    }

    /// Sees to it that a document is analysed; false if it was.
    pub(crate) fn analyse(&mut self, uri: &Uri, workspace: &dyn Workspace) -> bool {
        let Some(document) = self.open.get(uri.as_str()) else { return false };
        if document.analysis.is_some() {
            return false;
        }
        let analysis = self.examine(document, workspace, &BTreeMap::new());
        if let Some(document) = self.open.get_mut(uri.as_str()) {
            if analysis.is_readable() {
                document.outdated.extend(document.last_readable.take());
            }
            document.analysis = Some(analysis);
        }
        true
    }

    /// What is known of a document, open or not, if some files have other texts.
    pub(crate) fn examine(
        &self,
        document: &Document,
        workspace: &dyn Workspace,
        edited: &BTreeMap<PathBuf, Rc<str>>,
    ) -> Analysis {
        let options = workspace.options();
        let root = document.path.as_deref().and_then(|path| workspace.root(path));
        let Some(root) = root else {
            let main = Main::alone(&document.name, &document.text);
            return Analysis::new(main, &mut NoFiles, &options);
        };
        let ImportRoot { name, path, folder, loader } = root;
        let opened = self.open.values().filter_map(|it| Some((it.path.clone()?, &it.text)));
        let edited = edited.iter().map(|(path, text)| (path.clone(), text));
        let texts = opened.chain(edited).map(|(path, text)| (path, Rc::clone(text))).collect();
        let mut loader = OpenFirst { folder, loader, texts };
        let main = Main { name: &document.name, text: &document.text, path: &path, root: &name };
        Analysis::new(main, &mut loader, &options)
    }

    /// All open documents.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Document> {
        self.open.values()
    }

    /// Lets go of what nobody asks for any more, when there is time.
    pub(crate) fn discard_outdated(&mut self) {
        self.open.values_mut().for_each(|document| document.outdated.clear());
    }

    /// Nothing is known of a document, and nothing is to be found out about its present text.
    pub(crate) fn give_up(&mut self, uri: &Uri) {
        if let Some(document) = self.open.get_mut(uri.as_str()) {
            document.analysis = Some(Analysis::nothing(&document.name));
        }
    }
}

/// Imports from the editor's own texts first, then from the files.
struct OpenFirst {
    folder: PathBuf,
    loader: Box<dyn Loader>,
    texts: BTreeMap<PathBuf, Rc<str>>,
}

impl Loader for OpenFirst {
    fn load(&mut self, path: &str) -> Result<String, LoadFault> {
        match self.texts.get(&self.folder.join(path)) {
            Some(text) => Ok(text.to_string()),
            None => self.loader.load(path),
        }
    }
}
