//! Heads, messages and what an audit asks for as the records of monitor/records.py.
//!
//! In a leak every head crosses, so what comes again is made once: hosts and fields, methods and versions, connections.
//! Python knows such an object's hash, and finds it in a dictionary by its identity.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::records::{Certainty, Flow, KeptMessage, Layer, Oddities, Oddity, RequestHead, Section};
use crate::trace::Step;

/// Of each kind; a full memory starts again.
const REMEMBERED: usize = 16_384;
/// Octets of a field that is remembered.
const LONGEST_REMEMBERED: usize = 256;

type Memory<K, V> = HashMap<K, Py<V>, RandomState>;

/// The classes of monitor.records that heads are made of, and what was made of late.
pub struct Crossing {
    head: Py<PyAny>,
    message: Py<PyAny>,
    carried: Py<PyAny>,
    fate: Py<PyAny>,
    stretch: Py<PyAny>,
    flow: Py<PyAny>,
    /// `tuple.__new__`: makes a NamedTuple without going through Python.
    new: Py<PyAny>,
    confirmed: Py<PyAny>,
    ambiguous: Py<PyAny>,
    whole: Py<PyAny>,
    trailer: Py<PyAny>,
    nothing: Py<PyTuple>,
    words: Memory<Box<[u8]>, PyBytes>,
    /// By length of the name, name and value.
    fields: Memory<Box<[u8]>, PyTuple>,
    flows: Memory<Flow, PyAny>,
    /// Where a key of `fields` is put together.
    key: Vec<u8>,
}

impl Crossing {
    pub fn new(py: Python<'_>) -> PyResult<Crossing> {
        let records = py.import("monitor.records")?;
        let class = |name: &str| -> PyResult<Py<PyAny>> { Ok(records.getattr(name)?.unbind()) };
        let member =
            |class: &str, name: &str| -> PyResult<Py<PyAny>> { Ok(records.getattr(class)?.getattr(name)?.unbind()) };
        Ok(Crossing {
            head: class("RequestHead")?,
            message: class("Message")?,
            carried: class("Carried")?,
            fate: class("Fate")?,
            stretch: class("Stretch")?,
            flow: class("Flow")?,
            new: py.get_type::<PyTuple>().getattr("__new__")?.unbind(),
            confirmed: member("Certainty", "CONFIRMED")?,
            ambiguous: member("Certainty", "AMBIGUOUS")?,
            whole: member("Section", "HEAD")?,
            trailer: member("Section", "TRAILER")?,
            nothing: PyTuple::empty(py).unbind(),
            words: HashMap::default(),
            fields: HashMap::default(),
            flows: HashMap::default(),
            key: Vec::new(),
        })
    }

    /// The head with the fields that are left of it; `times`: how many equal ones it stands for.
    pub fn head<'py>(&mut self, py: Python<'py>, head: &RequestHead, times: u64) -> PyResult<Bound<'py, PyAny>> {
        let text = &head.text;
        let flow = self.connection(py, &head.flow, &head.path)?;
        let (method, version) = (self.word(py, text.method()), self.word(py, text.version()));
        let mut fields = Vec::with_capacity(text.field_count());
        for (name, value) in text.fields() {
            fields.push(self.field(py, name, value)?);
        }
        let readings = if head.readings.is_empty() {
            self.nothing.bind(py).clone()
        } else {
            let readings =
                head.readings.iter().map(|other| self.head(py, other, times)).collect::<PyResult<Vec<_>>>()?;
            PyTuple::new(py, readings)?
        };
        let certainty = match head.certainty {
            Certainty::Confirmed => &self.confirmed,
            Certainty::Ambiguous => &self.ambiguous,
        };
        let section = match head.section {
            Section::Head => &self.whole,
            Section::Trailer => &self.trailer,
        };
        let values = (
            head.time_ns,
            flow,
            method,
            PyBytes::new(py, text.target()),
            version,
            PyTuple::new(py, fields)?,
            self.oddities(py, head.oddities)?,
            certainty,
            section,
            readings,
            times,
            text.target_is_clean(),
        );
        self.new.bind(py).call1((&self.head, values))
    }

    pub fn message<'py>(&self, py: Python<'py>, message: &KeptMessage) -> PyResult<Bound<'py, PyAny>> {
        let flow = self.flow(py, &message.flow, &message.path)?;
        self.message.bind(py).call1((message.time_ns, flow, PyBytes::new(py, &message.octets)))
    }

    pub fn step<'py>(&mut self, py: Python<'py>, step: &Step) -> PyResult<Bound<'py, PyAny>> {
        match step {
            Step::Carried { number, octets, skipped } => {
                self.carried.bind(py).call1((*number, PyBytes::new(py, octets), *skipped))
            }
            Step::Fate { number, what, reading, position } => {
                self.fate.bind(py).call1((*number, *what, *reading, *position))
            }
            Step::Stretch { reading, start, stop, what, head } => {
                let head = head.as_ref().map(|head| self.head(py, head, 1)).transpose()?;
                self.stretch.bind(py).call1((*reading, *start, *stop, *what, head))
            }
        }
    }

    /// The flow of a head, which says by itself what its path is.
    fn connection<'py>(&mut self, py: Python<'py>, flow: &Flow, path: &[Layer]) -> PyResult<Bound<'py, PyAny>> {
        if let Some(known) = self.flows.get(flow) {
            return Ok(known.bind(py).clone());
        }
        let made = self.flow(py, flow, path)?;
        remember(&mut self.flows, *flow, made.clone().unbind());
        Ok(made)
    }

    fn flow<'py>(&self, py: Python<'py>, flow: &Flow, path: &[Layer]) -> PyResult<Bound<'py, PyAny>> {
        let length = if flow.v6 { 16 } else { 4 };
        let layers: Vec<_> = path.iter().map(|layer| (layer.kind, layer.number)).collect();
        let (src, dst) = (PyBytes::new(py, &flow.src[..length]), PyBytes::new(py, &flow.dst[..length]));
        let values = (src, flow.sport, dst, flow.dport, PyTuple::new(py, layers)?);
        self.new.bind(py).call1((&self.flow, values))
    }

    fn field<'py>(&mut self, py: Python<'py>, name: &[u8], value: &[u8]) -> PyResult<Bound<'py, PyTuple>> {
        self.key.clear();
        self.key.extend_from_slice(&(name.len() as u32).to_ne_bytes()); // any octet may be part of either
        self.key.extend_from_slice(name);
        self.key.extend_from_slice(value);
        if let Some(known) = self.fields.get(self.key.as_slice()) {
            return Ok(known.bind(py).clone());
        }
        let made = PyTuple::new(py, [self.word(py, name), PyBytes::new(py, value)])?;
        if self.key.len() <= LONGEST_REMEMBERED {
            remember(&mut self.fields, self.key.as_slice().into(), made.clone().unbind());
        }
        Ok(made)
    }

    /// A method, a version or the name of a field.
    fn word<'py>(&mut self, py: Python<'py>, octets: &[u8]) -> Bound<'py, PyBytes> {
        if let Some(known) = self.words.get(octets) {
            return known.bind(py).clone();
        }
        let made = PyBytes::new(py, octets);
        if octets.len() <= LONGEST_REMEMBERED {
            remember(&mut self.words, octets.into(), made.clone().unbind());
        }
        made
    }

    fn oddities<'py>(&self, py: Python<'py>, oddities: Oddities) -> PyResult<Bound<'py, PyTuple>> {
        if oddities.is_empty() {
            return Ok(self.nothing.bind(py).clone());
        }
        PyTuple::new(py, oddities.iter().map(Oddity::name).collect::<Vec<_>>())
    }
}

fn remember<K: Eq + Hash, V>(memory: &mut Memory<K, V>, key: K, value: Py<V>) {
    if memory.len() >= REMEMBERED {
        memory.clear();
    }
    memory.insert(key, value);
}
