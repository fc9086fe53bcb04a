//! The decoder of Parquet asserts what damaged files break: its panics are errors of the file.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::{ParquetError, Result};

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread would be an error of a file, for a panic hook: it is told as such
/// by the reader, and is no fault of the program.
pub fn is_guarded() -> bool {
    IS_GUARDED.get()
}

/// Decodes; what has been begun is not to be used again after an error.
pub(crate) fn guarded<T>(decode: impl FnOnce() -> Result<T>) -> Result<T> {
    IS_GUARDED.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(decode));
    IS_GUARDED.set(false);
    outcome.unwrap_or_else(|payload| Err(ParquetError::General(text(payload.as_ref()))))
}

fn text(payload: &(dyn Any + Send)) -> String {
    let own = payload.downcast_ref::<String>().map(String::as_str);
    let said = own.or_else(|| payload.downcast_ref::<&str>().copied());
    said.unwrap_or("the decoder gave up").to_owned()
}
