//! The engine on live ports, as Python has it.

use std::os::fd::RawFd;
use std::time::Duration;

use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::crossing::Crossing;
use super::{counts_of, limits_of, watch_of};
use crate::live;
use crate::ring::{Ring, Shape};

/// Socket, octets of a block, blocks, LINKTYPE_ number.
type Described = (RawFd, usize, usize, u32);
type Taken<'py> = Vec<Bound<'py, PyAny>>;

/// The rings of live ports, each read by a thread that `start` starts; `poll` waits without the interpreter.
#[pyclass(module = "monitor._engine")]
pub struct Live {
    rings: live::Live,
    batch_heads: usize,
    crossing: Crossing,
}

#[pymethods]
impl Live {
    /// A ring of each port, and how many read on what is in them; the sockets may be closed then.
    #[new]
    fn new(
        py: Python<'_>,
        limits: &Bound<'_, PyAny>,
        watch: &Bound<'_, PyAny>,
        rings: Vec<Described>,
        workers: usize,
    ) -> PyResult<Live> {
        let (limits, watch) = (limits_of(limits)?, watch_of(watch)?);
        let share = |(socket, block_size, blocks, link)| Ring::share(socket, Shape { block_size, blocks, link });
        let rings = rings.into_iter().map(share).collect::<Result<_, _>>()?;
        Ok(Live {
            rings: live::Live::new(&limits, &watch, rings, workers)?,
            batch_heads: limits.batch_heads,
            crossing: Crossing::new(py)?,
        })
    }

    /// Starts the threads; what this thread may not do, they may not do.
    fn start(&mut self) -> PyResult<()> {
        self.rings.start().map_err(|error| PyOSError::new_err(error.to_string()))
    }

    /// Heads, messages, trace, counts and the latest time; waits at most `seconds` for the first head.
    fn poll<'py>(
        &mut self,
        py: Python<'py>,
        seconds: f64,
    ) -> PyResult<(Taken<'py>, Taken<'py>, Taken<'py>, Bound<'py, PyDict>, i64)> {
        let (live, most) = (&self.rings, self.batch_heads);
        let taken = py
            .detach(|| live.poll(most, Duration::from_secs_f64(seconds.clamp(0.0, 60.0))))
            .map_err(|_| PyRuntimeError::new_err("a thread of the engine has died"))?;
        let crossing = &mut self.crossing;
        let heads = taken.heads.iter().map(|(head, times)| crossing.head(py, head, *times)).collect::<PyResult<_>>()?;
        let messages = taken.messages.iter().map(|message| crossing.message(py, message)).collect::<PyResult<_>>()?;
        let trace = taken.trace.iter().map(|step| crossing.step(py, step)).collect::<PyResult<_>>()?;
        Ok((heads, messages, trace, counts_of(py, &taken.counts)?, taken.time_ns))
    }

    /// Another Watch from now on.
    fn watch_for(&mut self, watch: &Bound<'_, PyAny>) -> PyResult<()> {
        self.rings.watch_for(&watch_of(watch)?);
        Ok(())
    }

    /// Reads nothing more; the next polls give what still waits.
    fn finish(&mut self, py: Python<'_>) {
        let live = &mut self.rings;
        py.detach(move || live.finish());
    }
}
