//! Rows from and to files: CSV and NDJSON, plain or gzipped.
