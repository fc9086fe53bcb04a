//! What the server has from outside: how circuits are compiled, and where imports are found.

use std::fmt;
use std::path::{Path, PathBuf};

use arqon_compiler::Options;
use arqon_grammar::Loader;

/// What the server has from outside.
pub trait Workspace {
    /// How circuits are compiled.
    fn options(&self) -> Options;

    /// Where the imports of the circuit at `file` are found; none if nowhere.
    fn root(&self, file: &Path) -> Option<ImportRoot>;

    /// What a circuit at `file` may import, as it writes it: circuit and protobuf files, by their
    /// paths from its root.
    fn importable(&self, file: &Path) -> Vec<String>;

    /// The circuit files under a folder with their texts, as many as can be read in good time.
    fn circuits(&self, folder: &Path) -> Vec<(PathBuf, String)>;
}

/// Where the imports of a circuit are found.
pub struct ImportRoot {
    /// What people call the root.
    pub name: String,
    /// The circuit's path from the root.
    pub path: String,
    /// The root itself.
    pub folder: PathBuf,
    /// Reads files under it.
    pub loader: Box<dyn Loader>,
}

impl fmt::Debug for ImportRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportRoot")
            .field("folder", &self.folder)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
