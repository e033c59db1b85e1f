//! Luminance and colour differences to RGB, with the arithmetic of libavif and libyuv, which are Pillow's.
//!
//! Usual matrices have constants of six bits behind the point, and chroma is smoothed in integers; the others are computed in
//! float32. Beside an alpha channel libyuv has other functions for more than eight bits, though the channel is dropped.

use super::av1::{Layout, Plane, Planes};

/// Bits behind the point of the sums in fixed point.
const POINT: u32 = 6;

/// The matrix of red, green and blue as luminance and differences of colours that are not mixed at all.
const IDENTITY: u16 = 0;
/// Luminance, green and orange.
const Y_CG_CO: u16 = 8;

/// What a sample of luminance or of a colour difference adds to a colour, in fixed point.
struct Fixed {
    /// 16 bits further behind the point: luminance is taken as a number of 16 bits.
    luminance: u32,
    offset: i32,
    blue_to_blue: i32,
    blue_to_green: i32,
    red_to_green: i32,
    red_to_red: i32,
}

const fn fixed(luminance: u32, offset: i32, [bb, bg, rg, rr]: [i32; 4]) -> Fixed {
    Fixed { luminance, offset, blue_to_blue: bb, blue_to_green: bg, red_to_green: rg, red_to_red: rr }
}

/// BT.601 at the full range and at the limited one, whose largest constant is cut off at 128 as in the next two pairs.
const BT601: [Fixed; 2] = [fixed(16_320, 32, [113, 22, 46, 90]), fixed(18_997, -1160, [128, 25, 52, 102])];
const BT709: [Fixed; 2] = [fixed(16_320, 32, [119, 12, 30, 101]), fixed(18_997, -1160, [128, 14, 34, 115])];
const BT2020: [Fixed; 2] = [fixed(16_320, 32, [120, 11, 37, 94]), fixed(19_003, -1160, [128, 12, 42, 107])];

/// The planes in RGB. `has_alpha` says whether the file has an alpha channel beside them.
///
/// # Errors
/// For matrices that Pillow does not know either.
pub(super) fn rgb(planes: &Planes, has_alpha: bool) -> Result<Vec<[u8; 3]>, String> {
    let colours = planes.colours;
    let range = usize::from(!colours.full_range);
    let is_grey = planes.layout == Layout::Grey;
    let fixed = match (colours.matrix, colours.primaries) {
        (1, _) | (12, 1 | 2) => Some(&BT709[range]),
        (2 | 5 | 6, _) | (12, 5 | 6) => Some(&BT601[range]),
        (9, _) | (12, 9) => Some(&BT2020[range]),
        (IDENTITY, _) if is_grey => Some(&BT601[range]),
        _ => None,
    };
    match fixed {
        Some(fixed) if is_grey && has_alpha => Ok(grey_fixed(planes, fixed)),
        Some(fixed) if !is_grey => Ok(in_fixed_point(planes, fixed, has_alpha)),
        _ => in_float(planes),
    }
}

/// Chroma for the pixels of one row.
trait Chroma {
    fn row(&self, plane: &Plane, y: usize, row: &mut Vec<i32>);
}

struct Smooth {
    layout: Layout,
    size: [usize; 2],
}

impl Smooth {
    /// The sample that a pixel lies in, and the one beside it to whose side it is; none at the borders.
    fn near_and_far(place: usize, end: usize, samples: usize, is_last: bool) -> (usize, Option<usize>) {
        let near = (place / 2).min(samples - 1);
        let far = if place % 2 == 1 { Some(near + 1) } else { near.checked_sub(1) };
        let at_the_border = place == 0 || (place + 1 == end && is_last);
        (near, far.filter(|far| !at_the_border && *far < samples))
    }
}

impl Chroma for Smooth {
    /// Bilinear, with one rounding. The last column takes its sample alone even where it has a neighbour, as in libyuv.
    fn row(&self, plane: &Plane, y: usize, row: &mut Vec<i32>) {
        row.clear();
        let [width, height] = self.size;
        let line = |y: usize| &plane.samples[y * plane.width..][..plane.width];
        if self.layout == Layout::Full {
            row.extend(line(y).iter().map(|sample| i32::from(*sample)));
            return;
        }
        let (near, far) = match self.layout {
            Layout::Quarter => Self::near_and_far(y, height, plane.height, height % 2 == 0),
            _ => (y, None),
        };
        // With a second row, sums have a weight of four.
        let (near, far) = (line(near), far.map(line));
        let (quarter, shift) = if far.is_some() { (2, 2) } else { (0, 0) };
        let down = |x: usize| match far {
            Some(far) => 3 * i32::from(near[x]) + i32::from(far[x]),
            None => i32::from(near[x]),
        };
        let half = 1 << (shift + 1);
        row.extend((0..width).map(|x| match Self::near_and_far(x, width, plane.width, true) {
            (near, Some(far)) => (3 * down(near) + down(far) + half) >> (shift + 2),
            (near, None) => (down(near) + quarter) >> shift,
        }));
    }
}

/// Each sample for all its pixels, as libyuv does it for twelve bits in two directions.
struct Nearest;

impl Chroma for Nearest {
    fn row(&self, plane: &Plane, y: usize, row: &mut Vec<i32>) {
        row.clear();
        let line = &plane.samples[y / 2 * plane.width..][..plane.width];
        row.extend(line.iter().flat_map(|sample| [i32::from(*sample); 2]));
    }
}

/// How samples of more than eight bits are used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// They lose their lower bits first.
    Eight,
    /// Luminance keeps them, and chroma until it is smoothed.
    Whole,
}

fn in_fixed_point(planes: &Planes, fixed: &Fixed, has_alpha: bool) -> Vec<[u8; 3]> {
    let (layout, bits) = (planes.layout, planes.bits);
    let smooth = Smooth { layout, size: [planes.planes[0].width, planes.planes[0].height] };
    match (has_alpha, bits, layout) {
        (true, 10, _) => with_chroma(planes, fixed, Depth::Whole, &smooth),
        (true, 12, Layout::Quarter) => with_chroma(planes, fixed, Depth::Whole, &Nearest),
        _ => with_chroma(planes, fixed, Depth::Eight, &smooth),
    }
}

fn with_chroma(planes: &Planes, fixed: &Fixed, depth: Depth, chroma: &impl Chroma) -> Vec<[u8; 3]> {
    let shortened;
    let planes = if depth == Depth::Eight && planes.bits > 8 {
        shortened = planes.shortened();
        &shortened
    } else {
        planes
    };
    let [luminance, blue, red] = &planes.planes[..] else { return Vec::new() };
    let down = planes.bits - 8;
    let (mut blue_row, mut red_row) = (Vec::new(), Vec::new());
    let mut pixels = Vec::with_capacity(luminance.samples.len());
    for (y, row) in luminance.samples.chunks_exact(luminance.width).enumerate() {
        chroma.row(blue, y, &mut blue_row);
        chroma.row(red, y, &mut red_row);
        let differences = blue_row.iter().zip(&red_row);
        pixels.extend(row.iter().zip(differences).map(|(sample, (blue, red))| {
            let grey = fixed.grey(*sample, planes.bits);
            let (blue, red) = ((blue >> down) - 128, (red >> down) - 128);
            [
                byte(grey + red * fixed.red_to_red),
                byte(grey - (blue * fixed.blue_to_green + red * fixed.red_to_green)),
                byte(grey + blue * fixed.blue_to_blue),
            ]
        }));
    }
    pixels
}

impl Fixed {
    /// The part of luminance, stretched to 16 bits by repeating its upper ones.
    fn grey(&self, sample: u16, bits: u32) -> i32 {
        let sample = u32::from(sample);
        let wide = sample << (16 - bits) | sample >> (2 * bits - 16);
        ((wide * self.luminance) >> 16) as i32 + self.offset
    }
}

fn byte(sum: i32) -> u8 {
    (sum >> POINT).clamp(0, 255) as u8
}

fn grey_fixed(planes: &Planes, fixed: &Fixed) -> Vec<[u8; 3]> {
    let down = planes.bits - 8;
    planes.planes[0].samples.iter().map(|sample| [byte(fixed.grey(sample >> down, 8)); 3]).collect()
}

impl Planes {
    /// The same with eight bits a sample.
    fn shortened(&self) -> Self {
        let down = self.bits - 8;
        let plane =
            |plane: &Plane| Plane { samples: plane.samples.iter().map(|sample| sample >> down).collect(), ..*plane };
        Self { bits: 8, planes: self.planes.iter().map(plane).collect(), ..*self }
    }
}

/// How three numbers become a colour, where they are not mixed in fixed point.
enum Mix {
    Identity,
    YCgCo,
    /// The shares of red and blue in luminance.
    Shares(f32, f32),
}

fn in_float(planes: &Planes) -> Result<Vec<[u8; 3]>, String> {
    let colours = planes.colours;
    let is_grey = planes.layout == Layout::Grey;
    let mix = match colours.matrix {
        IDENTITY if is_grey || planes.layout == Layout::Full => Mix::Identity,
        Y_CG_CO if colours.full_range => Mix::YCgCo,
        4 => Mix::Shares(0.30, 0.11),
        7 => Mix::Shares(0.212, 0.087),
        1 | 2 | 5 | 6 | 9 | 12 if is_grey => Mix::Identity,
        other => return Err(format!("its colours are mixed in a way that is not known (matrix {other} of H.273)")),
    };
    let largest = ((1_u32 << planes.bits) - 1) as f32;
    let up = planes.bits - 8;
    let [black, white] =
        if colours.full_range { [0.0, largest] } else { [16 << up, 219 << up].map(|it: u32| it as f32) };
    let chroma_white = if colours.full_range { largest } else { (224_u32 << up) as f32 };
    let (middle, chroma_white) = match mix {
        Mix::Identity => (black, white),
        _ => ((1_u32 << (planes.bits - 1)) as f32, chroma_white),
    };
    let luminance = &planes.planes[0];
    let grey = |sample: u16| (f32::from(sample) - black) / white;
    if is_grey {
        return Ok(luminance.samples.iter().map(|sample| [unit(grey(*sample)); 3]).collect());
    }
    let difference = |sample: u16| (f32::from(sample) - middle) / chroma_white;
    let smooth = FloatChroma { layout: planes.layout, size: [luminance.width, luminance.height] };
    let mut pixels = Vec::with_capacity(luminance.samples.len());
    for (y, row) in luminance.samples.chunks_exact(luminance.width).enumerate() {
        pixels.extend(row.iter().enumerate().map(|(x, sample)| {
            let grey = grey(*sample);
            let [blue, red] = [1, 2].map(|plane| smooth.at(&planes.planes[plane], [x, y], difference));
            mix.colour(grey, blue, red).map(unit)
        }));
    }
    Ok(pixels)
}

fn unit(value: f32) -> u8 {
    (0.5 + value.clamp(0.0, 1.0) * 255.0) as u8
}

impl Mix {
    fn colour(&self, grey: f32, blue: f32, red: f32) -> [f32; 3] {
        match *self {
            Self::Identity => [red, grey, blue],
            Self::YCgCo => {
                let rest = grey - blue;
                [rest + red, grey + blue, rest - red]
            }
            Self::Shares(kr, kb) => {
                let kg = 1.0 - kr - kb;
                let both = kr * (1.0 - kr) * red + kb * (1.0 - kb) * blue;
                [grey + 2.0 * (1.0 - kr) * red, grey - 2.0 * both / kg, grey + 2.0 * (1.0 - kb) * blue]
            }
        }
    }
}

struct FloatChroma {
    layout: Layout,
    size: [usize; 2],
}

impl FloatChroma {
    /// The chroma of one pixel: nine parts of its sample, three of each neighbour to its side, and one of the fourth.
    fn at(&self, plane: &Plane, [x, y]: [usize; 2], value: impl Fn(u16) -> f32) -> f32 {
        let sample = |x: usize, y: usize| value(plane.samples[y * plane.width + x]);
        if self.layout == Layout::Full {
            return sample(x, y);
        }
        let beside = |place: usize, end: usize| {
            let near = place / 2;
            match place {
                0 => near,
                _ if place + 1 == end && place % 2 == 1 => near,
                _ if place % 2 == 1 => near + 1,
                _ => near - 1,
            }
        };
        let (near_x, far_x) = (x / 2, beside(x, self.size[0]));
        let (near_y, far_y) = if self.layout == Layout::Quarter { (y / 2, beside(y, self.size[1])) } else { (y, y) };
        sample(near_x, near_y) * (9.0 / 16.0)
            + sample(far_x, near_y) * (3.0 / 16.0)
            + sample(near_x, far_y) * (3.0 / 16.0)
            + sample(far_x, far_y) * (1.0 / 16.0)
    }
}
