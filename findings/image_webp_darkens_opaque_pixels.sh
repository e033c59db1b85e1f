#!/usr/bin/env bash
# The decoder of crate image 0.25.10 for animated WebP (image-webp 0.2.4) makes opaque pixels of blended frames one level darker.
#
# Expected: what is opaque covers what is below it. A lossless animation gives back the colours that were put in.
# Seen: in a frame that is blended with the one before it, every channel of every opaque pixel is one less than what was put in,
# but for zeros. A frame that replaces the one before it is exact, and libwebp, by way of Pillow 13.0.0, is exact in both.
#
# Why it matters: encoders (Pillow's is libwebp's) choose blending by themselves, so that lossless files come back changed, and
# what a network makes of such a picture differs from what it makes of it in Python.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 numpy==2.4.6
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"

[dependencies]
image = { version = "=0.25.10", default-features = false, features = ["webp"] }
image-webp = "=0.2.4"
TOML
cat > "$folder/src/main.rs" <<'RUST'
use std::fs::{read, write};
use std::io::Cursor;

use image::AnimationDecoder;
use image::codecs::webp::WebPDecoder;

fn main() {
    let decoder = WebPDecoder::new(Cursor::new(read("animation.webp").unwrap())).unwrap();
    let frames = decoder.into_frames().collect_frames().unwrap();
    write("frames", frames.iter().flat_map(|frame| frame.buffer().as_raw()).copied().collect::<Vec<u8>>()).unwrap();
}
RUST
cd "$folder"
cat > finding.py <<'PYTHON'
import subprocess

import numpy as np
from PIL import Image, ImageSequence

below = np.random.default_rng(0).integers(0, 256, [16, 16, 4], dtype=np.uint8)
below[..., 3] = 255
above = below.copy()
square = np.s_[4:12, 4:12]
above[square][..., :3] = np.random.default_rng(1).integers(0, 256, [8, 8, 3], dtype=np.uint8)
put_in = np.stack([below, above])
first, second = map(Image.fromarray, put_in)
first.save("animation.webp", save_all=True, append_images=[second], lossless=True)

# The flags of a frame are the sixteenth byte of its chunk's content; the second bit says that it is not blended.
chunks = open("animation.webp", "rb").read().split(b"ANMF")[1:]
blended = [chunk[4 + 15] & 2 == 0 for chunk in chunks]
pillow = np.stack([np.array(frame.convert("RGBA")) for frame in ImageSequence.Iterator(Image.open("animation.webp"))])
subprocess.run(["nice", "-n", "10", "cargo", "run", "--quiet"], check=True)
crate = np.fromfile("frames", np.uint8).reshape(put_in.shape)
print(f"blended: {blended}")
print(f"one pixel of the second frame: put in {above[4, 4]}, by Pillow {pillow[1, 4, 4]}, by image {crate[1, 4, 4]}")
print(f"pixels that are changed, of 256: by Pillow {(pillow != put_in).any(3).sum((1, 2))}", end=", ")
print(f"by image {(crate != put_in).any(3).sum((1, 2))}")
darker = above.copy()
darker[square][..., :3] -= above[square][..., :3] > 0
assert blended == [False, True] and np.array_equal(pillow, put_in), "libwebp has changed"
assert np.array_equal(crate[0], below), "image has changed"
assert np.array_equal(crate[1], darker), "image has changed"
PYTHON
venv/bin/python finding.py
