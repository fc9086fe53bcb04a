//! What a text may be at most. Each limit is refused with a code of its own.

/// Largest circuit file, in bytes (`E0007`).
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most YAML nodes in one file (`E0007`).
pub const YAML_NODES_MAX: usize = 2_000_000;

/// Most entries of one section: nodes of the flow, topics, schemas, functions (`E0007`).
pub const SECTION_ENTRIES_MAX: usize = 50_000;

/// Most bytes of all sections but `tests`, whose rows cost little (`E0007`).
pub const SECTIONS_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Deepest nesting of lists and maps in one file (`E0008`).
pub const YAML_DEPTH_MAX: usize = 64;

/// Most files that a circuit imports, directly or through others (`E0034`).
pub const IMPORT_FILES_MAX: usize = 256;

/// Longest chain of files that import each other (`E0034`).
pub const IMPORT_DEPTH_MAX: usize = 16;

/// Most bytes of all files that a circuit imports (`E0034`).
pub const IMPORT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longest expression, in bytes (`E0102`).
pub const EXPRESSION_BYTES_MAX: usize = 64 * 1024;

/// Deepest expression tree, and deepest nesting of brackets, `if`s and lambdas (`E0103`).
pub const EXPRESSION_DEPTH_MAX: usize = 128;

/// Longest name, in bytes (`E0016`).
pub const NAME_BYTES_MAX: usize = 128;

/// Deepest nesting of a type (`E0022`).
pub const TYPE_DEPTH_MAX: usize = 16;

/// Most dimensions of a tensor (`E0022`).
pub const TENSOR_DIMENSIONS_MAX: usize = 32;

/// Most fields of one schema or struct (`E0022`).
pub const FIELDS_MAX: usize = 1_000;

/// Most diagnostics reported for one file; more would hide the first ones.
pub const DIAGNOSTICS_MAX: usize = 1_000;
