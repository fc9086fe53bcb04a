//! Arrays of plain numbers that lie on huge pages where they are large.
//!
//! Who reads memory has to find its page first. A processor has some thousand pages at hand, so in
//! arrays of many megabytes on pages of 4 KiB most reads at random look a page up, which is memory
//! as well, and asking for lines ahead waits for that too. Of pages of 2 MiB all are at hand. A
//! system gives them to whoever asks, and allocators do not ask.

use std::ops::{Deref, DerefMut};

use bytemuck::Pod;
use memmap2::MmapMut;

/// An array that grows as a `Vec` does, and is one while it is small. From [`LARGE`] on it is a
/// mapping of its own for which huge pages are asked.
///
/// Each access finds out which of the two it is: loops take the slice once.
#[derive(Debug)]
pub(crate) struct Pages<T> {
    place: Place<T>,
}

#[derive(Debug)]
enum Place<T> {
    Heap(Vec<T>),
    /// `len` numbers from the byte `start` of the mapping on.
    Mapped {
        map: MmapMut,
        start: usize,
        len: usize,
    },
}

/// Bytes of a huge page. Where they are larger, arrays are on ordinary ones.
const HUGE_PAGE: usize = 2 << 20;

/// Bytes from which on an array has huge pages: at least a quarter of the first one is used.
const LARGE: usize = HUGE_PAGE / 4;

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self { place: Place::Heap(Vec::new()) }
    }
}

impl<T: Pod> Pages<T> {
    /// So many zeros. What is large is no memory before it is touched.
    pub(crate) fn zeros(len: usize) -> Self {
        let n_bytes = len.checked_mul(size_of::<T>()).expect("less than all memory");
        let place = match map(n_bytes) {
            Some((map, start)) => Place::Mapped { map, start, len },
            None => Place::Heap(vec![T::zeroed(); len]),
        };
        Self { place }
    }

    /// Those that are missing are this number; what is too much goes.
    pub(crate) fn resize(&mut self, len: usize, number: T) {
        let old = self.len();
        self.reserve(len.saturating_sub(old));
        match &mut self.place {
            Place::Heap(numbers) => numbers.resize(len, number),
            Place::Mapped { len: now, .. } => {
                *now = len;
                if old < len {
                    self[old..].fill(number);
                }
            }
        }
    }

    /// Appends a number.
    pub(crate) fn push(&mut self, number: T) {
        self.resize(self.len() + 1, number);
    }

    /// All go; their room stays.
    pub(crate) fn clear(&mut self) {
        match &mut self.place {
            Place::Heap(numbers) => numbers.clear(),
            Place::Mapped { len, .. } => *len = 0,
        }
    }

    /// There is room for so many more, and where that has to be made, for twice as many as there
    /// was.
    pub(crate) fn reserve(&mut self, n_more: usize) {
        let wanted = self.len().checked_add(n_more).expect("less than all memory");
        if wanted <= self.room() {
            return;
        }
        let room = wanted.max(2 * self.room());
        let n_bytes = room.checked_mul(size_of::<T>()).expect("less than all memory");
        let len = self.len();
        self.place = if let Some((mut map, start)) = map(n_bytes) {
            let old: &[u8] = bytemuck::cast_slice(self);
            map[start..start + old.len()].copy_from_slice(old);
            Place::Mapped { map, start, len }
        } else {
            let mut numbers = Vec::with_capacity(room);
            numbers.extend_from_slice(self);
            Place::Heap(numbers)
        };
    }

    /// Numbers that there is room for.
    fn room(&self) -> usize {
        match &self.place {
            Place::Heap(numbers) => numbers.capacity(),
            Place::Mapped { map, .. } => (map.len() - HUGE_PAGE) / size_of::<T>(),
        }
    }

    /// Bytes that it takes, with the room that is left.
    pub(crate) fn state_bytes(&self) -> usize {
        self.room() * size_of::<T>()
    }
}

/// Memory for so many bytes and its first byte that is used, if they are worth a mapping of their
/// own and there is one.
fn map(n_bytes: usize) -> Option<(MmapMut, usize)> {
    if !cfg!(target_os = "linux") || n_bytes < LARGE {
        return None;
    }
    // Systems before Linux 6.7 may begin it within a huge page; what is not touched is no memory.
    let n_bytes = n_bytes.checked_next_multiple_of(HUGE_PAGE)?.checked_add(HUGE_PAGE)?;
    let map = MmapMut::map_anon(n_bytes).ok()?;
    #[cfg(target_os = "linux")]
    // Who has none says so, and then all is as it would be otherwise.
    drop(map.advise(memmap2::Advice::HugePage));
    let start = map.as_ptr().align_offset(HUGE_PAGE);
    (start <= HUGE_PAGE).then_some((map, start))
}

impl<T: Pod> Deref for Pages<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match &self.place {
            Place::Heap(numbers) => numbers,
            Place::Mapped { map, start, len } => {
                bytemuck::cast_slice(&map[*start..*start + len * size_of::<T>()])
            }
        }
    }
}

impl<T: Pod> DerefMut for Pages<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.place {
            Place::Heap(numbers) => numbers,
            Place::Mapped { map, start, len } => {
                bytemuck::cast_slice_mut(&mut map[*start..*start + *len * size_of::<T>()])
            }
        }
    }
}

impl<T: Pod> From<&[T]> for Pages<T> {
    fn from(numbers: &[T]) -> Self {
        let mut pages = Self::default();
        pages.resize(numbers.len(), T::zeroed());
        pages.copy_from_slice(numbers);
        pages
    }
}

impl<T: Pod> Clone for Pages<T> {
    fn clone(&self) -> Self {
        Self::from(&self[..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Twelve bytes, so that no page has a whole number of them.
    type Triple = [u32; 3];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn they_are_what_a_vec_is(
            changes in prop::collection::vec((0..4, 0_usize..300_000), 1..12),
        ) {
            let (mut pages, mut wanted) = (Pages::<Triple>::default(), Vec::<Triple>::new());
            for (number, (kind, size)) in (0_u32..).zip(changes) {
                match kind {
                    0 | 1 => {
                        pages.resize(size, [number; 3]);
                        wanted.resize(size, [number; 3]);
                    }
                    2 => {
                        pages.push([number, 7, 7]);
                        wanted.push([number, 7, 7]);
                    }
                    _ => {
                        pages.clear();
                        wanted.clear();
                        pages.reserve(size);
                    }
                }
                if let Some(last) = pages.last_mut() {
                    last[1] = 9;
                    wanted.last_mut().unwrap()[1] = 9;
                }
                prop_assert!(pages[..] == wanted[..], "after change {}", number);
                prop_assert!(pages.clone()[..] == wanted[..]);
                prop_assert!(pages.state_bytes() >= 12 * wanted.len());
            }
        }
    }

    #[test]
    fn large_ones_begin_with_a_huge_page_and_small_ones_have_none() {
        let is_mapped = |pages: &Pages<u8>| matches!(pages.place, Place::Mapped { .. });
        let mut pages = Pages::<u8>::default();
        pages.resize(LARGE - 1, 5);
        assert!(!is_mapped(&pages));
        pages.push(6);
        assert_eq!(is_mapped(&pages), cfg!(target_os = "linux"));
        assert_eq!((pages[0], pages[LARGE - 1], pages.len()), (5, 6, LARGE));
        if is_mapped(&pages) {
            assert!(pages.as_ptr().addr().is_multiple_of(HUGE_PAGE));
            assert_eq!(pages.state_bytes(), HUGE_PAGE, "all of the page is told");
        }
    }
}
