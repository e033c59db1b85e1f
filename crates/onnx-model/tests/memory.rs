//! What a small file may cost: the memory of a reader, counted by its allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use onnx_model::Model;

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A field of bytes.
fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut length = content.len();
    let mut bytes = vec![tag << 3 | 2];
    while length >= 128 {
        bytes.push(length as u8 | 128);
        length >>= 7;
    }
    bytes.push(length as u8);
    [bytes, content.to_vec()].concat()
}

/// A million of one message take no more than 60 times the file, whether the model is refused or read.
#[test]
fn a_million_small_messages_take_a_bounded_share_of_memory() {
    let graph = |content: Vec<u8>| [vec![8, 8], field(7, &[field(2, b"g"), content].concat())].concat();
    let many = |message: &[u8]| message.repeat(1_000_000);
    let node = |content: Vec<u8>| field(1, &[field(4, b"A"), content].concat());
    let attribute = |content: Vec<u8>| node(field(5, &[field(1, b"a"), content].concat()));
    let files = [
        ("empty nodes", graph(many(&field(1, b"")))),
        ("nodes", graph(many(&field(1, &field(4, b"A"))))),
        ("nodes with a name", graph(many(&node(field(2, b"y"))))),
        ("empty inputs of a node", graph(node(many(&field(1, b""))))),
        ("empty attributes", graph(node(many(&field(5, b""))))),
        ("empty tensors", graph(many(&field(5, b"")))),
        ("tensors", graph(many(&field(5, &[field(8, b"t"), vec![2 << 3, 1, 8, 0]].concat())))),
        ("empty tensors of an attribute", graph(attribute(many(&field(10, b""))))),
        ("empty graphs of an attribute", graph(attribute(many(&field(11, b""))))),
        ("empty texts of an attribute", graph(attribute(many(&field(9, b""))))),
        ("small integers of an attribute", graph(attribute(many(&[8 << 3, 0])))),
        ("empty inputs", graph(many(&field(11, b"")))),
        ("empty notes", graph(many(&field(13, b"")))),
    ];
    let mut failures = Vec::new();
    for (name, bytes) in files {
        let (length, before) = (bytes.len(), HELD.load(Ordering::Relaxed) - bytes.len());
        MOST.store(before, Ordering::Relaxed);
        let model = Model::decode(bytes);
        let most = MOST.load(Ordering::Relaxed) - before;
        if most >= 60 * length {
            failures.push(format!("{name}: {} times the file, {:?}", most / length, model.err()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
