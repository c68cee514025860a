//! What a thread that parses traffic may still ask of the kernel: memory, time, its ring, and nothing else.
//!
//! Such a thread calls `enter` once its sources are open and mapped, before its first frame. A list of what is allowed,
//! not of what is forbidden: all else answers EPERM, so a mistake of ours is an error and no dead sensor, and what
//! hostile traffic might make of us opens no file, no connection and no program (docs/decisions/0005-sandbox.md). The
//! process around it is locked in by monitor/sandbox.py.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use linux::enter;

/// Says that there is none.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub fn enter() -> Result<(), String> {
    Err("no seccomp filter is written for this platform".to_owned())
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux {
    use std::collections::BTreeMap;
    use std::env::consts::ARCH;

    use seccompiler::SeccompCmpArgLen::Dword;
    use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
    use seccompiler::{
        BackendError, BpfProgram, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule, TargetArch, apply_filter,
    };

    /// Allowed with any argument.
    const ALLOWED: [i64; 32] = [
        // memory, given back or grown
        libc::SYS_brk,
        libc::SYS_madvise,
        libc::SYS_mremap,
        libc::SYS_munmap,
        // time and waiting
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_futex,
        libc::SYS_gettimeofday,
        libc::SYS_nanosleep,
        libc::SYS_ppoll,
        libc::SYS_restart_syscall,
        libc::SYS_sched_yield,
        // its ring, a capture, a pipe: what is open already
        libc::SYS_close,
        libc::SYS_fstat,
        libc::SYS_getsockopt,
        libc::SYS_lseek,
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_write, // what it says when it panics
        libc::SYS_writev,
        // the thread itself: seeds, signals, its end
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_getpid,
        libc::SYS_getrandom,
        libc::SYS_gettid,
        libc::SYS_membarrier,
        libc::SYS_rseq,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_set_robust_list,
        libc::SYS_sigaltstack,
        libc::SYS_tgkill, // abort
    ];

    /// The second argument of setsockopt that packet sockets have (packet(7)): a port that is made anew is joined again.
    const SOL_PACKET: u64 = 263;

    /// From now on this thread, and no other, can do nothing but what stands above. Says why, where the kernel refuses.
    pub fn enter() -> Result<(), String> {
        let program = filter().map_err(|error| error.to_string())?;
        apply_filter(&program).map_err(|error| error.to_string())
    }

    fn filter() -> Result<BpfProgram, BackendError> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
        #[cfg(target_arch = "x86_64")]
        rules.insert(libc::SYS_poll, Vec::new());
        // no memory becomes code
        let exec = libc::PROT_EXEC as u64;
        for call in [libc::SYS_mmap, libc::SYS_mprotect] {
            rules.insert(call, vec![only(2, MaskedEq(exec), 0)?]);
        }
        rules.insert(libc::SYS_setsockopt, vec![only(1, Eq, SOL_PACKET)?]);
        let (refused, arch) = (SeccompAction::Errno(libc::EPERM as u32), TargetArch::try_from(ARCH)?);
        SeccompFilter::new(rules, refused, SeccompAction::Allow, arch)?.try_into()
    }

    fn only(argument: u8, how: seccompiler::SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
        SeccompRule::new(vec![SeccompCondition::new(argument, Dword, how, value)?])
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpStream, UdpSocket};
    use std::process::Command;
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    /// What `look` sees in a thread that is locked in.
    fn inside<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> T {
        let locked_in = move || {
            super::enter().unwrap();
            look()
        };
        thread::spawn(locked_in).join().unwrap()
    }

    #[test]
    fn no_file_no_program_no_connection() {
        let refusals = inside(|| {
            [
                File::open("/etc/hostname").map(drop),
                OpenOptions::new().append(true).create(true).open("/tmp/msisdn-monitor-escaped").map(drop),
                std::fs::remove_file("/tmp/msisdn-monitor-escaped"),
                Command::new("/bin/true").spawn().map(drop),
                TcpStream::connect("127.0.0.1:9").map(drop),
                UdpSocket::bind("127.0.0.1:0").map(drop),
                thread::Builder::new().spawn(|| ()).map(drop),
            ]
            .map(|outcome| outcome.map_err(|error| error.kind()))
        });
        assert_eq!(refusals, [Err(ErrorKind::PermissionDenied); 7]);
    }

    #[test]
    fn what_parsing_needs_still_works() {
        let mut open = File::open("/proc/self/stat").unwrap();
        let (give, take) = channel();
        let (length, octet) = inside(move || {
            let large = vec![1_u8; 64 << 20]; // mmap, and munmap at the end
            let grown: Vec<u8> = (0..1 << 22).map(|number| number as u8).collect(); // mremap, brk
            let mut read = Vec::new();
            open.read_to_end(&mut read).unwrap();
            std::io::stderr().write_all(b"").unwrap();
            thread::sleep(Duration::from_millis(1));
            give.send(std::collections::HashMap::from([(1, 2)])).unwrap(); // a seed of getrandom, and a futex
            (read.len(), large[1 << 20].wrapping_add(grown[257]))
        });
        assert_eq!(take.recv().unwrap()[&1], 2);
        assert!(length > 0);
        assert_eq!(octet, 2);
    }

    #[test]
    fn a_panic_inside_is_still_told_to_who_waits() {
        let ended = thread::spawn(|| {
            super::enter().unwrap();
            assert!(File::open("/etc/hostname").is_ok(), "told");
        });
        assert_eq!(ended.join().unwrap_err().downcast_ref::<&str>().copied(), Some("told"));
    }

    #[test]
    fn other_threads_go_on_as_before() {
        inside(|| ());
        assert!(File::open("/proc/self/stat").is_ok());
    }
}
