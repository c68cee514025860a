//! A ring of blocks that the kernel fills with a port's frames: TPACKET_V3 (packet(7), packet_mmap.rst).
//!
//! Python opens the socket, has the ring made and joins the port, with the same code for both engines; here the ring's
//! memory is mapped and read. The kernel hands a block over when it is full or so old as Python asked for, so there is no
//! system call per frame. What it changed on a frame is undone: a VLAN tag that it took off is put back where it was, in
//! the gap that it leaves before each frame, and a frame whose checksum it left to the network card says so.
//!
//! Beside the sandbox the only module with `unsafe`: the mapping, and three system calls that std does not have.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::records::Frame;

/// LINKTYPE_ETHERNET: only such frames have tags.
const ETHERNET: u32 = 1;
/// Both addresses; the tag stood behind them.
const ADDRESSES: usize = 12;
/// 802.1Q, where the kernel does not say which tag it was.
const ETH_P_8021Q: u16 = 0x8100;

// linux/if_packet.h
const TP_STATUS_KERNEL: u32 = 0;
const TP_STATUS_USER: u32 = 1;
const TP_STATUS_CSUMNOTREADY: u32 = 1 << 3;
const TP_STATUS_VLAN_VALID: u32 = 1 << 4;
const TP_STATUS_VLAN_TPID_VALID: u32 = 1 << 6;

// tpacket_block_desc: version, offset to private; then of tpacket_hdr_v1
const BLOCK_STATUS: usize = 8;
const BLOCK_FRAMES: usize = 12;
const BLOCK_FIRST: usize = 16;

/// How a ring was made: the same for all of them.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Octets of a block.
    pub block_size: usize,
    /// How many there are.
    pub blocks: usize,
    /// LINKTYPE_ number of the frames.
    pub link: u32,
}

/// The ring of one socket, read in the order in which the kernel fills it.
#[derive(Debug)]
pub struct Ring {
    /// A duplicate: the socket lives as long as the ring.
    socket: File,
    memory: NonNull<u8>,
    shape: Shape,
    /// The block that is next.
    next: usize,
}

// SAFETY: the mapping belongs to this ring alone and is reached through it alone; nothing of it is bound to a thread.
unsafe impl Send for Ring {}

impl Ring {
    /// Maps the ring of a socket that has one of this shape.
    pub fn share(socket: RawFd, shape: Shape) -> io::Result<Ring> {
        // SAFETY: the caller's descriptor is open during this call; what is kept is a duplicate.
        let socket = File::from(unsafe { BorrowedFd::borrow_raw(socket) }.try_clone_to_owned()?);
        let (protection, length) = (libc::PROT_READ | libc::PROT_WRITE, shape.block_size * shape.blocks);
        // SAFETY: a fresh mapping where the kernel likes it touches no memory of ours.
        let memory =
            unsafe { libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, socket.as_raw_fd(), 0) };
        match NonNull::new(memory.cast::<u8>()) {
            Some(memory) if memory.as_ptr().cast() != libc::MAP_FAILED => Ok(Ring { socket, memory, shape, next: 0 }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// How many blocks it has.
    pub fn blocks(&self) -> usize {
        self.shape.blocks
    }

    /// When the first frame of the next block came, if the kernel has handed that block over.
    pub fn ready_ns(&self) -> Option<i64> {
        self.is_ours(self.next).then(|| {
            let block = self.block(self.next);
            let first = u32_at(block, BLOCK_FIRST) as usize; // the block's own time is when it was begun
            i64::from(u32_at(block, first + 4)) * 1_000_000_000 + i64::from(u32_at(block, first + 8))
        })
    }

    /// Eighths of the ring that wait to be read.
    pub fn eighths_full(&self) -> usize {
        let ahead = |eighths: usize| (self.next + self.shape.blocks * eighths / 8) % self.shape.blocks;
        (1..8).take_while(|&eighths| self.is_ours(ahead(eighths))).count()
    }

    /// Hands out the frames of the next block, if it is here, and gives it back; says how many there were.
    pub fn walk(&mut self, each: &mut impl FnMut(Frame<'_>)) -> usize {
        if !self.is_ours(self.next) {
            return 0;
        }
        let link = self.shape.link;
        let block = self.block_mut(self.next);
        let frames = u32_at(block, BLOCK_FRAMES) as usize;
        let mut at = u32_at(block, BLOCK_FIRST) as usize;
        for _ in 0..frames {
            match block.get_mut(at..).and_then(|octets| frame(octets, link)) {
                Some((found, following)) => {
                    each(found);
                    at += following;
                }
                None => break, // the kernel does not write such a block
            }
        }
        self.status(self.next).store(TP_STATUS_KERNEL, Ordering::Release);
        self.next = (self.next + 1) % self.shape.blocks;
        frames
    }

    /// The error that the socket holds, which is gone then: ENETDOWN when the port went down.
    pub fn take_error(&self) -> i32 {
        let (mut error, mut size) = (0i32, size_of::<i32>() as libc::socklen_t);
        // SAFETY: both pointers are to locals of the sizes that are told.
        unsafe {
            let (value, size) = ((&raw mut error).cast(), &raw mut size);
            libc::getsockopt(self.socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ERROR, value, size);
        }
        error
    }

    fn is_ours(&self, number: usize) -> bool {
        self.status(number).load(Ordering::Acquire) & TP_STATUS_USER != 0
    }

    fn status(&self, number: usize) -> &AtomicU32 {
        // SAFETY: `number` is below `blocks`, so this lies in the mapping, aligned as blocks are to pages; the kernel
        // writes it as a whole word, and we reach it as an atomic only.
        unsafe { AtomicU32::from_ptr(self.memory.as_ptr().add(number * self.shape.block_size + BLOCK_STATUS).cast()) }
    }

    fn block(&self, number: usize) -> &[u8] {
        // SAFETY: in the mapping as above. The kernel leaves a block alone from the moment it is handed over until it is
        // given back, and callers have seen that it is ours; nobody writes into it while `self` is borrowed.
        unsafe {
            let begin = self.memory.as_ptr().add(number * self.shape.block_size);
            std::slice::from_raw_parts(begin, self.shape.block_size)
        }
    }

    fn block_mut(&mut self, number: usize) -> &mut [u8] {
        // SAFETY: as `block`; `self` is borrowed exclusively, and `status` of this block is not reached meanwhile.
        unsafe {
            let begin = self.memory.as_ptr().add(number * self.shape.block_size);
            std::slice::from_raw_parts_mut(begin, self.shape.block_size)
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: mapped by `share` with this length, and nothing borrows from it any more.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.shape.block_size * self.shape.blocks) };
    }
}

/// The frame whose tpacket3_hdr `octets` begin with, and where the next one's begins.
fn frame(octets: &mut [u8], link: u32) -> Option<(Frame<'_>, usize)> {
    let word = |at: usize| octets.get(at..at + 4).map(|four| u32::from_ne_bytes([four[0], four[1], four[2], four[3]]));
    let half = |at: usize| octets.get(at..at + 2).map(|two| u16::from_ne_bytes([two[0], two[1]]));
    let (following, seconds, ns, kept, wire_len, status) =
        (word(0)? as usize, word(4)?, word(8)?, word(12)? as usize, word(16)?, word(20)?);
    let (begin, tci, tpid) = (usize::from(half(24)?), word(32)? as u16, half(36)?);
    let is_tagged = status & TP_STATUS_VLAN_VALID != 0 && link == ETHERNET && kept >= ADDRESSES && begin >= 4;
    let grown = if is_tagged { 4 } else { 0 };
    if is_tagged {
        let tpid = if status & TP_STATUS_VLAN_TPID_VALID != 0 { tpid } else { ETH_P_8021Q };
        octets.copy_within(begin..begin + ADDRESSES, begin - grown);
        let tag = octets.get_mut(begin + ADDRESSES - grown..begin + ADDRESSES)?;
        tag[..2].copy_from_slice(&tpid.to_be_bytes());
        tag[2..].copy_from_slice(&tci.to_be_bytes());
    }
    let found = Frame {
        time_ns: i64::from(seconds) * 1_000_000_000 + i64::from(ns),
        link,
        wire_len: wire_len + grown as u32,
        data: octets.get(begin - grown..begin + kept)?,
        checksum_ready: status & TP_STATUS_CSUMNOTREADY == 0,
    };
    Some((found, following))
}

fn u32_at(octets: &[u8], at: usize) -> u32 {
    octets.get(at..at + 4).map_or(0, |four| u32::from_ne_bytes([four[0], four[1], four[2], four[3]]))
}

/// Waits until one of the rings has a block or an error, or there is something in `bell`, or the time is over; says which
/// rings have an error, and whether there is something in `bell`.
pub fn wait(rings: &[Ring], bell: &impl AsRawFd, longest: Duration) -> (Vec<bool>, bool) {
    let entry = |fd, events| libc::pollfd { fd, events, revents: 0 };
    let mut entries: Vec<_> = rings.iter().map(|ring| entry(ring.socket.as_raw_fd(), libc::POLLIN)).collect();
    entries.push(entry(bell.as_raw_fd(), libc::POLLIN));
    let until = libc::timespec { tv_sec: longest.as_secs() as _, tv_nsec: longest.subsec_nanos().into() };
    // SAFETY: the array is as long as told, the time is a local, and there is no signal mask. An interruption is the
    // same as nothing.
    unsafe { libc::ppoll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, &raw const until, std::ptr::null()) };
    let is_rung = entries.pop().is_some_and(|entry| entry.revents & libc::POLLIN != 0);
    (entries.iter().map(|entry| entry.revents & libc::POLLERR != 0).collect(), is_rung)
}
