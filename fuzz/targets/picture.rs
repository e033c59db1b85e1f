//! Pictures: format, size and memory before anything is decoded, then the decoders, whose panics cost one picture.

#![no_main]

use libfuzzer_sys::fuzz_target;
use models::picture::{Orientation, decode};

fuzz_target!(init: fuzz::contain(), |data: &[u8]| {
    let orientation = Orientation::of(data);
    if let Ok(picture) = decode(data) {
        assert_eq!(picture.pixels.len(), picture.width * picture.height, "the picture is not whole");
        let pixels = picture.pixels.len();
        assert_eq!(picture.upright(orientation).pixels.len(), pixels, "turning lost pixels");
    }
});
