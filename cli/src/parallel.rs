//! The same work for many files on all cores: the results in the order of the files, a bar for
//! who waits.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::console::Console;

/// What `work` makes of each item, in order; `noun` says what is counted: `circuits`.
pub(crate) fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    noun: &str,
    console: Console,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let n_threads = thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    if n_threads < 2 {
        return items.iter().map(work).collect();
    }
    let bar = bar(items.len(), noun, console);
    let next = AtomicUsize::new(0);
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..n_threads {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let idx = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(idx) else { return };
                    if sender.send((idx, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (idx, result) in receiver {
            results[idx] = Some(result);
            bar.inc(1);
        }
    });
    bar.finish_and_clear();
    // A thread that panicked has ended the scope with its panic.
    results.into_iter().map(|result| result.expect("every item was worked on")).collect()
}

/// A bar for a person who watches; it shows itself only when the work takes a while.
fn bar(n_items: usize, noun: &str, console: Console) -> ProgressBar {
    if !console.shows_progress() || n_items < SHOWN_ITEMS_MIN {
        return ProgressBar::hidden();
    }
    let target = ProgressDrawTarget::stderr_with_hz(10);
    let bar = ProgressBar::with_draw_target(Some(n_items as u64), target);
    let style = ProgressStyle::with_template("  {bar:32} {pos}/{len} {msg}")
        .expect("the template is well formed")
        .progress_chars("━╸─");
    bar.set_style(style);
    bar.set_message(noun.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Fewer files are done before a bar could be read.
const SHOWN_ITEMS_MIN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::{ColorChoice, OutputFormat, Verbosity};

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let console = Console::new(OutputFormat::Human, Verbosity::Quiet, ColorChoice::Never);
        let items: Vec<u64> = (0..500).collect();
        let squares = in_parallel(&items, "numbers", console, |item| {
            // Later items are done sooner.
            let n_rounds = (500 - item) * 50;
            (0..n_rounds).fold(item * item, |acc, round| std::hint::black_box(acc ^ round ^ round))
        });
        assert!(squares.iter().zip(0..).all(|(square, item): (&u64, u64)| *square == item * item));
        assert!(in_parallel(&[] as &[u64], "numbers", console, |item| *item).is_empty());
    }
}
