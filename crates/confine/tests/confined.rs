//! What a confined thread can still do, tried for real. Each test confines a thread of its own: what it starts inherits, what is
//! beside it does not.

#![cfg(target_os = "linux")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::thread;

use confine::{Confinement, Needs, confine};

/// Does `work` in a thread that was confined. `None`, with a line on standard error, where the kernel cannot confine at all.
fn confined<T: Send + 'static>(needs: Needs, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let found = thread::spawn(move || {
        let confinement = confine(&needs);
        confinement.is_whole().then(work).ok_or(confinement)
    });
    match found.join().unwrap() {
        Ok(result) => Some(result),
        Err(confinement) => {
            eprintln!("LEFT OUT: {confinement}");
            None
        }
    }
}

fn is_refused<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

#[test]
fn nothing_is_written_and_only_what_is_needed_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_owned();
    for name in ["model", "scratch", "private"] {
        fs::create_dir(place.join(name)).unwrap();
        fs::write(place.join(name).join("file"), name).unwrap();
    }
    let needs = Needs { read: vec![place.join("model")], write: vec![place.join("scratch")], ..Needs::default() };
    let here = place.clone();
    confined(needs, move || {
        assert_eq!(fs::read_to_string(here.join("model/file")).unwrap(), "model");
        assert_eq!(fs::read_dir(here.join("model")).unwrap().count(), 1);
        assert!(is_refused(fs::read_to_string(here.join("private/file"))));
        assert!(is_refused(fs::read_dir(here.join("private"))));
        for written in [here.join("model/file"), here.join("private/file")] {
            assert!(is_refused(OpenOptions::new().append(true).open(&written)), "{written:?}");
            assert!(is_refused(fs::remove_file(&written)), "{written:?}");
            assert!(is_refused(fs::set_permissions(&written, fs::metadata(&written).unwrap().permissions())));
            assert!(is_refused(File::open(here.join("model/file")).unwrap().set_modified(std::time::UNIX_EPOCH)));
        }
        assert!(is_refused(fs::write(here.join("model/new"), "")));
        assert!(is_refused(fs::create_dir(here.join("new"))));
        assert!(is_refused(std::os::unix::fs::symlink("/", here.join("model/link"))));
        assert!(is_refused(fs::rename(here.join("model/file"), here.join("scratch/moved"))));
        fs::write(here.join("scratch/new"), "new").unwrap();
        fs::remove_file(here.join("scratch/new")).unwrap();
        // What is refused is refused to threads that come later, too.
        thread::spawn(move || assert!(is_refused(fs::write(here.join("model/new"), "")))).join().unwrap();
    });
    assert_eq!(fs::read_to_string(place.join("private/file")).unwrap(), "private");
    assert_eq!(fs::read_dir(place.join("model")).unwrap().count(), 1);
}

#[test]
fn there_is_no_network() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    confined(Needs::default(), move || {
        assert!(is_refused(TcpStream::connect(address)));
        assert!(is_refused(TcpListener::bind("127.0.0.1:0")));
        assert!(is_refused(UdpSocket::bind("127.0.0.1:0")));
        assert!(is_refused(UnixStream::connect("/run/any")));
    });
    let local = Needs { local_sockets: true, ..Needs::default() };
    confined(local, move || {
        assert!(is_refused(TcpStream::connect(address)));
        // There is a socket, and nobody at the other end, or none that may be seen.
        let error = UnixStream::connect("/proc/none").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    });
    assert!(TcpStream::connect(address).is_ok());
}

#[test]
fn there_are_no_other_programs_and_no_power_over_other_processes() {
    let mut other = Command::new("sleep").arg("60").spawn().unwrap();
    let id = other.id() as i32;
    confined(Needs::default(), move || {
        assert!(is_refused(Command::new("/bin/true").spawn()));
        // SAFETY: `fork` fails here; were it not to, the child would end at once.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: it does not return.
            unsafe { libc::_exit(0) };
        }
        assert_eq!((child, io::Error::last_os_error().kind()), (-1, ErrorKind::PermissionDenied));
        // SAFETY: a signal of number 0 asks whether one may be sent, and sends none.
        let sent = unsafe { libc::kill(id, 0) };
        assert_eq!((sent, io::Error::last_os_error().kind()), (-1, ErrorKind::PermissionDenied));
        let limit = libc::rlimit { rlim_cur: 1 << 20, rlim_max: 1 << 20 };
        // SAFETY: the pointer is to a struct of the type that the function reads.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, -1);
    });
    other.kill().unwrap();
    other.wait().unwrap();
}

/// ONNX Runtime counts processors there, and Rust's threads the processors that are theirs.
#[test]
fn threads_start_and_processors_are_known() {
    confined(Needs::default(), || {
        let mut cpus = String::new();
        File::open("/proc/cpuinfo").unwrap().read_to_string(&mut cpus).unwrap();
        assert!(cpus.contains("processor") && Path::new("/sys/devices/system/cpu/possible").is_file());
        assert!(thread::available_parallelism().is_ok());
        let sum: usize = (0..8).map(|number| thread::spawn(move || number)).map(|one| one.join().unwrap()).sum();
        assert_eq!(sum, 28);
        fs::write("/dev/null", "nothing").unwrap();
    });
}

#[test]
fn the_result_says_what_is_in_force() {
    let found = thread::spawn(|| confine(&Needs::default())).join().unwrap();
    // SAFETY: with no attributes and this flag, landlock_create_ruleset tells its version and does nothing.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0, 1) };
    assert_eq!(i64::from(found.landlock), version.max(0), "{found}");
    let status = fs::read_to_string("/proc/self/status").unwrap();
    assert_eq!(found.seccomp, status.contains("\nSeccomp:\t"), "{found}");
    assert!(!Confinement::default().is_whole());
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    for (name, most) in [("Max core file size", 0), ("Max file size", 1 << 30), ("Max open files", 4096)] {
        let hard =
            limits.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().nth(1)?.parse::<u64>().ok());
        assert!(hard.is_some_and(|hard| hard <= most), "{name}: {limits}");
    }
}
