//! What is said of a panic: where in our code, once, and nothing of what was read.
//!
//! Reading one connection may fail a million times by the same fault. Each is counted (`panics`); standard error gets one
//! line for each place in the code, up to a bound, and never the message: nobody can promise what stands in one.

use std::fmt::Write as _;
use std::io::{Write as _, stderr};
use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::{Mutex, Once, PoisonError};

/// Places of which anything is said.
const MOST_PLACES: usize = 16;

type Place = (String, u32);

static SAID: Mutex<Vec<Place>> = Mutex::new(Vec::new());

/// From now on, in all threads.
pub fn say_little() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|panic| {
            let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(line) = panic.location().and_then(|place| news(place, &mut said)) {
                let _ = stderr().write_all(line.as_bytes()); // nobody may be listening
            }
        }));
    });
}

/// Does this; a panic in it is `death`, and its message goes nowhere.
pub fn contained<T, E>(death: E, act: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    panic::catch_unwind(AssertUnwindSafe(act)).unwrap_or(Err(death))
}

/// The line, if nothing was said of this place yet.
fn news(place: &Location<'_>, said: &mut Vec<Place>) -> Option<String> {
    let file = place.file().rsplit_once("src/").map_or(place.file(), |(_, file)| file);
    let found = (file.to_owned(), place.line());
    if said.contains(&found) || said.len() == MOST_PLACES {
        return None;
    }
    let mut line = String::new();
    writeln!(
        line,
        "a mistake in the native engine, at {file}:{}: please report it; others like it are counted",
        found.1
    )
    .ok()?;
    said.push(found);
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::KEYS;

    #[test]
    fn each_place_is_said_once_and_without_its_message() {
        let one = Location::caller();
        let mut said = Vec::new();
        let line = news(one, &mut said).unwrap();
        assert!(line.starts_with("a mistake in the native engine, at fault.rs:") && line.ends_with("counted\n"));
        assert_eq!(line.lines().count(), 1);
        assert_eq!(news(one, &mut said), None);
        said.clear();
        said.resize(MOST_PLACES, (String::new(), 0));
        assert_eq!(news(one, &mut said), None, "a bound");
    }

    #[test]
    fn a_panic_is_an_error_that_says_nothing() {
        assert_eq!(contained("died", || if KEYS.is_empty() { Ok(1) } else { panic!("X-MSISDN") }), Err("died"));
        assert_eq!(contained("died", || Ok(1)), Ok(1));
        assert_eq!(contained("died", || Err::<(), _>("failed")), Err("failed"));
    }
}
