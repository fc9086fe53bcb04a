//! Measured programs: each prints the figures that docs/MEASURED.md quotes.
