//! Capture files: octets in by large reads into one reused buffer, frames out.
//!
//! Which files, in which order, and what an operator is told when one is broken, is decided in Python, once for both
//! engines; what is compressed or comes through a pipe is unpacked there by a thread of its own and arrives here as a
//! pipe. Why it is read() and not mmap: docs/decisions/0011-read-not-mmap.md.

use std::fs::File;
use std::io::{ErrorKind, Read};

use crate::pcap::{HEADER_SIZE, Reader, Walked};
use crate::records::Frame;

/// Octets of one read: large enough that a system call is nothing, small enough for the second-level cache.
const CHUNK: usize = 128 * 1024;

/// How a capture ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// After its last record.
    Proper,
    /// In the middle of a record.
    Cut,
    /// At a record that cannot be.
    Damaged(String),
    /// It begins like no capture.
    Foreign,
    /// The disk or the network answered with this errno.
    Unreadable(i32),
}

/// One capture that is being read.
#[derive(Debug)]
pub struct Capture {
    file: File,
    reader: Option<Reader>,
    buffer: Vec<u8>,
    /// The octets that were read and not walked: `buffer[begin..end]`.
    begin: usize,
    end: usize,
    /// Where in the capture `buffer` begins.
    base: u64,
    bytes_read: u64,
}

impl Capture {
    /// A capture that begins where the file stands; `buffer` is that of the one before it, to be used again.
    pub fn new(file: File, mut buffer: Vec<u8>) -> Capture {
        buffer.resize(buffer.len().max(CHUNK), 0);
        Capture { file, reader: None, buffer, begin: 0, end: 0, base: 0, bytes_read: 0 }
    }

    /// Reads once and hands out the frames that are whole then; says when and how the capture has ended.
    pub fn pump(&mut self, each: &mut impl FnMut(Frame<'_>)) -> Option<Ending> {
        self.make_room();
        let fresh = match self.file.read(&mut self.buffer[self.end..]) {
            Ok(fresh) => fresh,
            Err(error) if error.kind() == ErrorKind::Interrupted => return None,
            Err(error) => return Some(Ending::Unreadable(error.raw_os_error().unwrap_or_default())),
        };
        self.end += fresh;
        self.bytes_read += fresh as u64;
        let octets = &self.buffer[..self.end];
        if self.reader.is_none() && self.end >= HEADER_SIZE {
            match Reader::recognise(octets) {
                Some((reader, begin)) => (self.reader, self.begin) = (Some(reader), begin),
                None => return Some(Ending::Foreign),
            }
        }
        if let Some(reader) = &mut self.reader
            && let Walked::Wrong(what) = reader.walk(octets, &mut self.begin, each)
        {
            return Some(Ending::Damaged(what));
        }
        if fresh > 0 {
            return None;
        }
        Some(if self.begin == self.end && self.reader.is_some() { Ending::Proper } else { Ending::Cut })
    }

    /// Where in the capture the next record begins: the place that an operator is told.
    pub fn position(&self) -> u64 {
        self.base + self.begin as u64
    }

    /// Octets read so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// What was read last and is still here: the frames that were handed out lie in it.
    pub fn octets(&self) -> &[u8] {
        &self.buffer[..self.end]
    }

    /// Gives the buffer away with all that was walked, and reads on into `other`.
    pub fn exchange(&mut self, mut other: Vec<u8>) -> Vec<u8> {
        let rest = self.end - self.begin;
        other.resize(self.buffer.len().max(other.len()), 0);
        other[..rest].copy_from_slice(&self.buffer[self.begin..self.end]);
        self.base += self.begin as u64;
        (self.begin, self.end) = (0, rest);
        std::mem::replace(&mut self.buffer, other)
    }

    /// The buffer, for the next capture.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Moves what was not walked to the front; a record longer than the buffer makes it grow.
    fn make_room(&mut self) {
        if self.begin > 0 {
            self.buffer.copy_within(self.begin..self.end, 0);
            self.base += self.begin as u64;
            self.end -= self.begin;
            self.begin = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0); // pcap::RECORD_LIMIT bounds it
        }
    }
}
