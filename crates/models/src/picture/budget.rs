//! How large a picture may be, decided from its header.

use super::ImageError;

/// The largest picture that is decoded, in pixels: the number above which Pillow suspects a decompression bomb.
pub const MAX_PIXELS: u64 = 2 * 89_478_485;

/// The most that decoder and result may hold together, in bytes: 1 GiB.
pub const MAX_MEMORY: u64 = 1 << 30;

/// The largest file that is read, in bytes.
pub(super) const MAX_FILE: u64 = 1 << 30;

/// Refuses a picture whose decoding takes more than it may, of which a pixel takes `bytes` at the peak.
pub(super) fn check(width: u64, height: u64, bytes: u64) -> Result<(), ImageError> {
    let pixels = width.saturating_mul(height);
    if pixels > MAX_PIXELS {
        return Err(ImageError::TooManyPixels { width, height });
    }
    let bytes = pixels.saturating_mul(bytes);
    if bytes > MAX_MEMORY {
        return Err(ImageError::TooMuchMemory { width, height, bytes });
    }
    Ok(())
}
