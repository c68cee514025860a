//! A hint to the processor: this memory will be needed soon.

const LINE_BYTES: usize = 64;

/// Asks for the first so many cache lines of something.
#[inline]
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
pub fn prefetch<T>(place: &T, lines: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    for line in 0..lines {
        let line = std::ptr::from_ref(place).cast::<i8>().wrapping_add(LINE_BYTES * line);
        // SAFETY: a hint reads nothing that the program could see, and never faults; SSE is part of the architecture
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line) };
    }
}

/// There is no such hint for other processors in stable Rust.
#[inline]
#[cfg(not(target_arch = "x86_64"))]
pub fn prefetch<T>(_: &T, _: usize) {}
