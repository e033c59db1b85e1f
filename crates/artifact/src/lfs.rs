//! The pointers that Git Large File Storage leaves in place of files that were not pulled.

/// How every pointer begins.
const HEAD: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The largest pointer, in bytes, by its specification.
const LARGEST: u64 = 1024;

/// What to tell about one.
pub const REASON: &str = "it is a Git LFS pointer, not the file itself; run `git lfs pull` in its repository";

/// Whether a file that begins with `head` and has `length` bytes is a pointer.
pub fn is_pointer(head: &[u8], length: u64) -> bool {
    length <= LARGEST && head.starts_with(HEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_told_from_a_text_about_one() {
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
        assert!(is_pointer(pointer, pointer.len() as u64));
        assert!(!is_pointer(pointer, 5000));
        assert!(!is_pointer(b"version https://example.org/", 60));
    }
}
