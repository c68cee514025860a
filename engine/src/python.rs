//! The module `monitor._engine`: the only one that knows Python. Types in monitor/_engine.pyi.

mod crossing;
#[cfg(target_os = "linux")]
mod live;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::capture::Ending;
use crate::counts::{Count, Counts};
use crate::fault::{contained, say_little};
use crate::front::{Died, Front, Pace};
use crate::hashes::{HashTable, Numbers, Octets, write_sections};
use crate::identify::{Finding, Identifier, Identify, Place};
use crate::limits::Limits;
use crate::records::{Wanted, Watch};
use crate::sieve::Sieve;
use crate::tandem::Tandem;
use crate::worker::Worker;
use crossing::Crossing;

/// One engine. Captures are opened one after another; `pump` reads on without the interpreter.
#[pyclass(module = "monitor._engine")]
struct Engine {
    front: Box<dyn Front>,
    batch_heads: usize,
    crossing: Crossing,
}

#[pymethods]
impl Engine {
    /// `workers`: how many threads; more than two find nothing to do.
    #[new]
    fn new(py: Python<'_>, limits: &Bound<'_, PyAny>, watch: &Bound<'_, PyAny>, workers: usize) -> PyResult<Engine> {
        let (limits, watch) = (limits_of(limits)?, watch_of(watch)?);
        let batch_heads = limits.batch_heads;
        let front: Box<dyn Front> = if workers > 1 && watch.audited == 0 {
            Box::new(Tandem::new(limits, &watch)?)
        } else {
            Box::new(Worker::new(limits, &watch))
        };
        Ok(Engine { front, batch_heads, crossing: Crossing::new(py)? })
    }

    /// The next capture, which begins with its header: a file or a pipe by its path. A file is read ahead, a pipe once
    /// for each `pump`: who would have to wait for it asks first whether there is something.
    fn open(&mut self, path: std::path::PathBuf, ahead: bool) -> PyResult<()> {
        let file = File::open(path).map_err(|error| PyOSError::new_err(error.to_string()))?;
        self.front.open(file, if ahead { Pace::Ahead } else { Pace::Asked });
        Ok(())
    }

    /// Reads on for at most `seconds`, or until a batch of heads is full. None, or how the capture ended: a word, and
    /// what is wrong (`damaged`) or the errno (`unreadable`).
    fn pump(&mut self, py: Python<'_>, seconds: f64) -> PyResult<Option<(&'static str, String)>> {
        let (front, heads) = (&mut self.front, self.batch_heads);
        let until = Instant::now() + Duration::from_secs_f64(seconds.clamp(0.0, 60.0));
        let ending = py.detach(move || contained(Died, || front.pump(heads, until))).map_err(died)?;
        Ok(ending.map(|ending| match ending {
            Ending::Proper => ("proper", String::new()),
            Ending::Cut => ("cut", String::new()),
            Ending::Foreign => ("foreign", String::new()),
            Ending::Damaged(what) => ("damaged", what),
            Ending::Unreadable(errno) => ("unreadable", errno.to_string()),
        }))
    }

    /// Done with the current capture; connections go on in the next.
    fn close(&mut self, py: Python<'_>) {
        let front = &mut self.front;
        py.detach(move || front.close());
    }

    /// Nothing follows: let go of a batch of the heads that wait. Whether it was the last one.
    fn finish(&mut self, py: Python<'_>) -> PyResult<bool> {
        let (front, heads) = (&mut self.front, self.batch_heads);
        py.detach(move || contained(Died, || front.finish(heads))).map_err(died)
    }

    /// Another Watch from now on.
    fn watch_for(&mut self, watch: &Bound<'_, PyAny>) -> PyResult<()> {
        self.front.watch_for(&watch_of(watch)?);
        Ok(())
    }

    /// The suspect heads since the last call, as monitor.records.RequestHead.
    fn take_heads<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let heads = self.front.take_heads();
        heads.iter().map(|head| self.crossing.head(py, head, 1)).collect()
    }

    /// The messages since the last call, as monitor.records.Message.
    fn take_messages<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let messages = self.front.take_messages();
        messages.iter().map(|message| self.crossing.message(py, message)).collect()
    }

    /// What became of what since the last call, as monitor.records.Trace; empty without an audit.
    fn take_trace<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let steps = self.front.take_trace();
        steps.iter().map(|step| self.crossing.step(py, step)).collect()
    }

    /// Cumulative; the keys are those of monitor/counts.py.
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        counts_of(py, &self.front.progress().counts)
    }

    /// Frames read so far, of all captures.
    #[getter]
    fn frames(&self) -> u64 {
        self.front.progress().counts[Count::Frames]
    }

    /// The latest time stamp seen.
    #[getter]
    fn time_ns(&self) -> i64 {
        self.front.progress().time_ns
    }

    /// Link types of the current capture, in the order in which they came.
    #[getter]
    fn links(&self) -> Vec<u32> {
        self.front.progress().links
    }

    /// Where in the current capture the next record begins.
    #[getter]
    fn position(&self) -> u64 {
        self.front.progress().position
    }

    /// Octets read of the current capture.
    #[getter]
    fn bytes_read(&self) -> u64 {
        self.front.progress().bytes_read
    }
}

/// What stands in one text, for whoever has a head before him.
#[pyclass(module = "monitor._engine", frozen)]
struct Reader {
    sieve: Sieve,
    identify: Identify,
}

#[pymethods]
impl Reader {
    #[new]
    fn new(watch: &Bound<'_, PyAny>) -> PyResult<Reader> {
        let watch = watch_of(watch)?;
        let wanted = watch.wanted.clone().ok_or_else(|| PyValueError::new_err("nothing is wanted"))?;
        Ok(Reader { sieve: Sieve::new(&watch), identify: Identify::new(&wanted) })
    }

    /// Every identifier in a text: what it is, its digits, the field that has it, its form and spelling, and whether
    /// the operator must answer for it. What is one of a few is told by its place among them.
    fn search<'py>(&self, py: Python<'py>, place: u8, name: &[u8], octets: &[u8]) -> Vec<Told<'py>> {
        let place = match place {
            0 => Place::Header,
            1 => Place::Trailer,
            2 => Place::Cookie,
            3 => Place::Path,
            4 => Place::Query,
            _ => Place::Referer,
        };
        let tell = |Finding { field, found, own }: Finding<'_>| {
            let digits = String::from_utf8_lossy(&found.digits).into_owned();
            let kinds = (found.identifier as u8, found.form as u8, found.spelling as u8);
            (kinds.0, digits, PyBytes::new(py, &field), kinds.1, kinds.2, own)
        };
        self.identify.search(&self.sieve, place, name, octets).into_iter().map(tell).collect()
    }
}

/// See [`Reader::search`].
type Told<'py> = (u8, String, Bound<'py, PyBytes>, u8, u8, bool);

fn died(_: Died) -> PyErr {
    PyRuntimeError::new_err("a thread of the engine has died")
}

fn counts_of<'py>(py: Python<'py>, counts: &Counts) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    for (key, value) in counts.iter() {
        all.set_item(key, value)?;
    }
    Ok(all)
}

fn limits_of(limits: &Bound<'_, PyAny>) -> PyResult<Limits> {
    Ok(Limits {
        encapsulations: limits.getattr("encapsulations")?.extract()?,
        head_bytes: limits.getattr("head_bytes")?.extract()?,
        head_lines: limits.getattr("head_lines")?.extract()?,
        half_streams: limits.getattr("half_streams")?.extract()?,
        memory_bytes: limits.getattr("memory_bytes")?.extract()?,
        hold_bytes: limits.getattr("hold_bytes")?.extract()?,
        hold_bytes_per_half_stream: limits.getattr("hold_bytes_per_half_stream")?.extract()?,
        window_bytes: limits.getattr("window_bytes")?.extract()?,
        fragments_bytes: limits.getattr("fragments_bytes")?.extract()?,
        queue_bytes: limits.getattr("queue_bytes")?.extract()?,
        fragment_ns: limits.getattr("fragment_ns")?.extract()?,
        idle_ns: limits.getattr("idle_ns")?.extract()?,
        gap_ns: limits.getattr("gap_ns")?.extract()?,
        settle_ns: limits.getattr("settle_ns")?.extract()?,
        batch_heads: limits.getattr("batch_heads")?.extract()?,
        sampling_key: limits.getattr("sampling_key")?.extract()?,
    })
}

fn watch_of(watch: &Bound<'_, PyAny>) -> PyResult<Watch> {
    let octets = |name: &str| -> PyResult<Vec<Vec<u8>>> {
        watch.getattr(name)?.try_iter()?.map(|each| each?.extract()).collect()
    };
    Ok(Watch {
        names: octets("names")?,
        every_head: watch.getattr("every_head")?.extract()?,
        stems: octets("stems")?,
        rows: watch.getattr("rows")?.extract()?,
        named_rows: watch.getattr("named_rows")?.extract()?,
        named_by: watch.getattr("named_by")?.extract()?,
        ports: watch.getattr("ports")?.try_iter()?.map(|port| port?.extract()).collect::<PyResult<_>>()?,
        tokens: watch.getattr("tokens")?.extract()?,
        audited: watch.getattr("audited")?.extract()?,
        digests: table_of(&watch.getattr("digests")?)?.map(Arc::new),
        wanted: wanted_of(&watch.getattr("wanted")?)?.map(Arc::new),
    })
}

fn wanted_of(wanted: &Bound<'_, PyAny>) -> PyResult<Option<Wanted>> {
    if wanted.is_none() {
        return Ok(None);
    }
    let identifiers = |name: &str| -> PyResult<Vec<(Vec<u8>, Identifier)>> {
        let named: Vec<(Vec<u8>, String)> = wanted.getattr(name)?.extract()?;
        let of = |(name, word): (Vec<u8>, String)| Some((name, Identifier::named(&word)?));
        Ok(named.into_iter().filter_map(of).collect())
    };
    Ok(Some(Wanted {
        country: wanted.getattr("country")?.extract()?,
        trunk: wanted.getattr("trunk")?.extract()?,
        access: wanted.getattr("access")?.extract()?,
        lengths: wanted.getattr("lengths")?.extract()?,
        imsi_prefixes: wanted.getattr("imsi_prefixes")?.extract()?,
        tokens: wanted.getattr("tokens")?.extract()?,
        carries: identifiers("carries")?,
        hints: identifiers("hints")?,
        stems: identifiers("stems")?,
        own_fields: wanted.getattr("own_fields")?.extract()?,
        handset_fields: wanted.getattr("handset_fields")?.extract()?,
        aliases: wanted.getattr("aliases")?.extract()?,
    }))
}

type Native = (String, String, Vec<(u64, u64)>, u64, Option<String>);

/// What `Digests.native` of monitor.records says.
fn table_of(digests: &Bound<'_, PyAny>) -> PyResult<Option<HashTable>> {
    if digests.is_none() {
        return Ok(None);
    }
    let (country, trunk, ranges, begin, path): Native = digests.getattr("native")?.extract()?;
    let numbers = Numbers { country, trunk, ranges };
    Ok(Some(match path {
        Some(path) => HashTable::new(numbers, Octets::File(File::open(path)?), begin),
        None => {
            let mut made = Vec::new();
            write_sections(&numbers, &mut made, |_| Ok(()))?;
            HashTable::new(numbers, Octets::Memory(made), 0)
        }
    }))
}

/// Writes the table of monitor/identify/hashes.py behind its first `begin` octets, `line`. Calls `progress` with the
/// digests made since the last call; what it raises ends the work.
#[pyfunction]
#[pyo3(signature = (path, line, country, trunk, ranges, progress))]
fn write_hashes(
    py: Python<'_>,
    path: std::path::PathBuf,
    line: Vec<u8>,
    country: String,
    trunk: String,
    ranges: Vec<(u64, u64)>,
    progress: Py<PyAny>,
) -> PyResult<()> {
    let numbers = Numbers { country, trunk, ranges };
    py.detach(move || {
        let mut out = BufWriter::new(File::create(path)?);
        out.write_all(&line)?;
        write_sections(&numbers, &mut out, |made| {
            Python::attach(|py| progress.call1(py, (made,)).map(drop)).map_err(io::Error::other)
        })?;
        out.flush()
    })
    .map_err(|error| match error.downcast::<PyErr>() {
        Ok(raised) => raised,
        Err(error) => error.into(),
    })
}

/// The native engine (see monitor/_engine.pyi).
#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    say_little();
    module.add_function(wrap_pyfunction!(write_hashes, module)?)?;
    #[cfg(target_os = "linux")]
    module.add_class::<live::Live>()?;
    module.add_class::<Reader>()?;
    module.add_class::<Engine>()
}
