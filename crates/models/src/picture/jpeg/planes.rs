//! A picture put together from the components of its JPEG.

use libjpeg_turbo_rs::{ColorSpace, ComponentInfo, Decoder};

use super::super::{ImageError, RgbImage};
use super::damaged;
use super::upsample::{Plane, enlarge};

/// Decodes a file of three or four components in any whole ratio of their sizes.
pub(super) fn decode(decoder: Decoder<'_>) -> Result<RgbImage, ImageError> {
    let space = decoder.jpeg_color_space();
    let header = decoder.header();
    let (width, height) = (header.width(), header.height());
    let components = header.components.clone();
    let largest = [across, down].map(|of| components.iter().map(of).max().unwrap_or(1));
    let raw = decoder.decode_raw().map_err(damaged)?;
    let sizes = raw.plane_widths.iter().zip(&raw.plane_heights);
    let planes = raw.planes.iter().zip(sizes).zip(&components).map(|((samples, (&stride, &rows)), component)| {
        let [horizontal, vertical] = [across(component), down(component)];
        let unfit = || ImageError::Damaged {
            format: "JPEG",
            reason: format!("a component of {horizontal}x{vertical} does not divide the {}x{}", largest[0], largest[1]),
        };
        let [true, true] = [largest[0].is_multiple_of(horizontal), largest[1].is_multiple_of(vertical)] else {
            return Err(unfit());
        };
        let (wide, high) = ((width * horizontal).div_ceil(largest[0]), (height * vertical).div_ceil(largest[1]));
        if wide > stride || high > rows || samples.len() < stride * rows {
            return Err(unfit());
        }
        let samples = samples.chunks_exact(stride).take(high).flat_map(|row| &row[..wide]).copied().collect();
        Ok(enlarge(&Plane { width: wide, height: high, samples }, largest[0] / horizontal, largest[1] / vertical))
    });
    let planes: Vec<Plane> = planes.collect::<Result<_, _>>()?;
    let row = |plane: usize, row: usize| &planes[plane].samples[row * planes[plane].width..][..width];
    let mut pixels = Vec::with_capacity(width * height);
    for y in 0..height {
        let three = row(0, y).iter().zip(row(1, y)).zip(row(2, y)).map(|((a, b), c)| [*a, *b, *c]);
        match (planes.len(), space) {
            (3, ColorSpace::Rgb) => pixels.extend(three),
            (3, _) => pixels.extend(three.map(rgb)),
            (4, ColorSpace::Ycck) => {
                pixels.extend(three.zip(row(3, y)).map(|(luma, black)| light(rgb(luma).map(|ink| 255 - ink), *black)));
            }
            (4, _) => pixels.extend(three.zip(row(3, y)).map(|(inks, black)| light(inks, *black))),
            (count, _) => {
                return Err(ImageError::Damaged { format: "JPEG", reason: format!("it has {count} components") });
            }
        }
    }
    RgbImage::new("JPEG", width, height, pixels)
}

fn across(component: &ComponentInfo) -> usize {
    usize::from(component.horizontal_sampling)
}

fn down(component: &ComponentInfo) -> usize {
    usize::from(component.vertical_sampling)
}

/// Luminance and colour differences to RGB in libjpeg's fixed-point numbers of 16 fractional bits (jdcolor.c).
fn rgb([luma, blue, red]: [u8; 3]) -> [u8; 3] {
    const fn fixed(value: f64) -> i32 {
        (value * 65_536.0 + 0.5) as i32
    }
    const HALF: i32 = 1 << 15;
    let [luma, blue, red] = [i32::from(luma), i32::from(blue) - 128, i32::from(red) - 128];
    let values = [
        luma + ((fixed(1.402) * red + HALF) >> 16),
        luma + ((-fixed(0.344_14) * blue - fixed(0.714_14) * red + HALF) >> 16),
        luma + ((fixed(1.772) * blue + HALF) >> 16),
    ];
    values.map(|value| value.clamp(0, 255) as u8)
}

/// Four inks as JPEG files hold them, inverted (255 is no ink), by Pillow's formula.
fn light(inks: [u8; 3], black: u8) -> [u8; 3] {
    let light = i32::from(black);
    inks.map(|ink| {
        let product = (255 - i32::from(ink)) * light + 128;
        (light - (((product >> 8) + product) >> 8)) as u8
    })
}
