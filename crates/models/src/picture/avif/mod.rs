//! AVIF: a container, pictures in AV1 that rav1d decodes, and colours as Pillow's libavif makes them.

mod av1;
mod boxes;
mod colour;
mod container;

use super::{ImageError, Orientation, RgbImage, budget};
use av1::{Layout, Plane, Planes};
use container::{Container, Turn};

/// Bytes at the peak for each pixel: three samples of two bytes in the decoder, once more with film grain, and once more here;
/// a byte for its notes, and the result.
const PER_PIXEL: u64 = 3 * 6 + 1 + 3;

/// Whether a file is in the container of AVIF. Files of HEVC can begin alike.
pub(super) fn is_avif(data: &[u8]) -> bool {
    let brand = data.get(8..12).unwrap_or_default();
    data.get(4..8) == Some(b"ftyp") && [b"avif", b"avis", b"mif1", b"msf1"].iter().any(|known| brand == *known)
}

/// The picture as it lies in the file, unturned; of a sequence, the still picture in its place. Alpha is dropped.
pub(super) fn decode(data: &[u8]) -> Result<RgbImage, ImageError> {
    let container = Container::of(data).map_err(damaged)?;
    let [width, height] = container.size;
    budget::check(u64::from(width), u64::from(height), PER_PIXEL)?;
    let [columns, rows] = container.grid;
    let [tile_width, tile_height] = container.tile_size;
    budget::check(columns as u64 * u64::from(tile_width), rows as u64 * u64::from(tile_height), PER_PIXEL)?;
    let planes = planes(&container).map_err(damaged)?;
    let pixels = colour::rgb(&planes, container.has_alpha).map_err(damaged)?;
    RgbImage::new("AVIF", width as usize, height as usize, pixels)
}

fn damaged(reason: String) -> ImageError {
    ImageError::Damaged { format: "AVIF", reason }
}

/// The orientation in the container, which in Pillow goes before one in Exif data.
pub(super) fn orientation(data: &[u8]) -> Option<Orientation> {
    let Turn { quarters, mirror } = container::turn(data).ok()?;
    Some(match (quarters, mirror) {
        (Some(1), None) => Orientation::ThreeQuarterTurn,
        (Some(2), None) => Orientation::HalfTurn,
        (Some(3), None) => Orientation::QuarterTurn,
        (Some(1), Some(0)) | (Some(3), Some(1)) => Orientation::Transposed,
        (Some(1), Some(1)) | (Some(3), Some(0)) => Orientation::Transversed,
        (Some(2), Some(0)) | (Some(0) | None, Some(1)) => Orientation::Mirrored,
        (Some(2), Some(1)) | (Some(0) | None, Some(0)) => Orientation::Flipped,
        _ => Orientation::Upright,
    })
}

fn planes(container: &Container) -> Result<Planes, String> {
    let [tile_width, tile_height] = container.tile_size;
    let decode = |data: &[u8]| {
        let planes = av1::decode(data, tile_width.saturating_mul(tile_height), container.colours)?;
        let [width, height] = [planes.planes[0].width, planes.planes[0].height];
        if [width, height] != container.tile_size.map(|side| side as usize) {
            return Err(format!("it says {tile_width} x {tile_height} pixels and has {width} x {height}"));
        }
        Ok(planes)
    };
    let mut tiles = container.tiles.iter().map(|data| decode(data));
    let first = tiles.next().unwrap_or_else(|| Err("it holds no picture".to_owned()))?;
    if container.grid == [1, 1] && container.tile_size == container.size {
        return Ok(first);
    }
    let mut canvas = Canvas::new(container, &first)?;
    canvas.put(0, &first)?;
    for (number, tile) in tiles.enumerate() {
        canvas.put(number + 1, &tile?)?;
    }
    Ok(canvas.planes)
}

/// A picture that is put together from tiles.
struct Canvas {
    columns: usize,
    tile: [usize; 2],
    planes: Planes,
}

impl Canvas {
    fn new(container: &Container, first: &Planes) -> Result<Self, String> {
        let (size, tile) = (container.size.map(|it| it as usize), container.tile_size.map(|it| it as usize));
        let [columns, rows] = container.grid;
        if columns * tile[0] < size[0] || rows * tile[1] < size[1] {
            return Err("the tiles of its grid do not cover it".to_owned());
        }
        let chroma = first.layout.chroma(tile);
        if chroma != [0, 0] && (tile[0] % chroma[0] != 0 || tile[1] % chroma[1] != 0) {
            return Err("the tiles of its grid have odd sides".to_owned());
        }
        let plane = |[width, height]: [usize; 2]| Plane { width, height, samples: vec![0; width * height] };
        let mut planes = vec![plane(size)];
        if first.layout != Layout::Grey {
            planes.extend([plane(first.layout.chroma(size)), plane(first.layout.chroma(size))]);
        }
        Ok(Self { columns, tile, planes: Planes { planes, ..*first } })
    }

    fn put(&mut self, number: usize, tile: &Planes) -> Result<(), String> {
        if (tile.layout, tile.bits) != (self.planes.layout, self.planes.bits) {
            return Err("the tiles of its grid are of different kinds".to_owned());
        }
        let place = [number % self.columns, number / self.columns];
        for (plane, (from, to)) in tile.planes.iter().zip(&mut self.planes.planes).enumerate() {
            let sides = if plane == 0 { self.tile } else { self.planes.layout.chroma(self.tile) };
            let [left, top] = [place[0] * sides[0], place[1] * sides[1]];
            let wide = from.width.min(to.width.saturating_sub(left));
            let rows = to.samples.chunks_exact_mut(to.width).skip(top);
            if wide > 0 {
                for (to, from) in rows.zip(from.samples.chunks_exact(from.width)) {
                    to[left..left + wide].copy_from_slice(&from[..wide]);
                }
            }
        }
        Ok(())
    }
}
