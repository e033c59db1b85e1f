//! AV1 pictures to planes, by rav1d, which is dav1d in Rust.

use re_rav1d::pixel::{ColorPrimaries, MatrixCoefficients, YUVRange};
use re_rav1d::{BitsPerComponent, Decoder, Error, Picture, PixelLayout, PlanarImageComponent, Settings};

use super::container::Colours;

/// Samples of one channel, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) samples: Vec<u16>,
}

/// How many samples there are of the colour differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// None: the picture is grey.
    Grey,
    /// One for two columns and two rows.
    Quarter,
    /// One for two columns.
    Half,
    /// One for each pixel.
    Full,
}

/// A decoded picture: luminance, and two colour differences unless it is grey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planes {
    pub(super) layout: Layout,
    /// 8, 10 or 12.
    pub(super) bits: u32,
    pub(super) colours: Colours,
    pub(super) planes: Vec<Plane>,
}

impl Layout {
    /// How many chroma samples there are in a direction with `pixels` pixels: columns, then rows.
    pub(super) fn chroma(self, [width, height]: [usize; 2]) -> [usize; 2] {
        match self {
            Self::Grey => [0, 0],
            Self::Quarter => [width.div_ceil(2), height.div_ceil(2)],
            Self::Half => [width.div_ceil(2), height],
            Self::Full => [width, height],
        }
    }
}

/// Decodes the first picture in `data`, which has at most `pixels` pixels. All of it happens on this thread. The coded data
/// are asked for their colours only where the file does not say them.
pub(super) fn decode(data: &[u8], pixels: u32, known: Option<Colours>) -> Result<Planes, String> {
    if data.is_empty() {
        return Err("its coded data are empty".to_owned());
    }
    let mut settings = Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_all_layers(false);
    settings.set_frame_size_limit(pixels);
    let mut decoder = Decoder::with_settings(&settings).map_err(|error| error.to_string())?;
    let mut sent = decoder.send_data(data.to_vec(), None, None, None);
    loop {
        match decoder.get_picture() {
            Ok(picture) => return planes(&picture, known),
            Err(Error::Again) => {}
            Err(error) => return Err(reason(error)),
        }
        match sent {
            Ok(()) => return Err("its coded data hold no picture".to_owned()),
            Err(Error::Again) => sent = decoder.send_pending_data(),
            Err(error) => return Err(reason(error)),
        }
    }
}

fn reason(error: Error) -> String {
    match error {
        Error::InvalidArgument => "its coded data are damaged".to_owned(),
        Error::UnsupportedBitstream => "its coded data are of a kind that is not known".to_owned(),
        Error::UnknownError(_) => "its coded data are of a larger picture than it says, or damaged".to_owned(),
        other => format!("its coded data cannot be decoded: {other}"),
    }
}

fn planes(picture: &Picture, known: Option<Colours>) -> Result<Planes, String> {
    let layout = match picture.pixel_layout() {
        PixelLayout::I400 => Layout::Grey,
        PixelLayout::I420 => Layout::Quarter,
        PixelLayout::I422 => Layout::Half,
        PixelLayout::I444 => Layout::Full,
    };
    let Some(BitsPerComponent(bits)) = picture.bits_per_component() else {
        return Err("its samples are of an unknown size".to_owned());
    };
    let size = [picture.width() as usize, picture.height() as usize];
    let mut planes = vec![plane(picture, PlanarImageComponent::Y, size)?];
    if layout != Layout::Grey {
        let chroma = layout.chroma(size);
        planes.push(plane(picture, PlanarImageComponent::U, chroma)?);
        planes.push(plane(picture, PlanarImageComponent::V, chroma)?);
    }
    Ok(Planes { layout, bits: bits as u32, colours: known.unwrap_or_else(|| colours(picture)), planes })
}

fn plane(picture: &Picture, component: PlanarImageComponent, [width, height]: [usize; 2]) -> Result<Plane, String> {
    let stride = picture.stride(component) as usize;
    let bytes = picture.plane(component);
    let mut samples = Vec::with_capacity(width * height);
    for row in bytes.chunks_exact(stride).take(height) {
        if picture.bit_depth() == 8 {
            samples.extend(row.iter().take(width).map(|sample| u16::from(*sample)));
        } else {
            samples.extend(row.as_chunks().0.iter().take(width).map(|sample| u16::from_ne_bytes(*sample)));
        }
    }
    if samples.len() != width * height {
        return Err("its coded data give too few samples".to_owned());
    }
    Ok(Plane { width, height, samples })
}

/// What the coded data say of their colours, for files that say nothing themselves.
fn colours(picture: &Picture) -> Colours {
    let primaries = match picture.color_primaries() {
        ColorPrimaries::BT709 => 1,
        ColorPrimaries::BT470BG | ColorPrimaries::ST170M => 6,
        ColorPrimaries::BT2020 => 9,
        ColorPrimaries::P3Display => 12,
        _ => 2,
    };
    let matrix = match picture.matrix_coefficients() {
        MatrixCoefficients::Identity => 0,
        MatrixCoefficients::BT709 => 1,
        MatrixCoefficients::BT470M => 4,
        MatrixCoefficients::BT470BG | MatrixCoefficients::ST170M => 6,
        MatrixCoefficients::ST240M => 7,
        MatrixCoefficients::YCgCo => 8,
        MatrixCoefficients::BT2020NonConstantLuminance => 9,
        MatrixCoefficients::BT2020ConstantLuminance => 10,
        MatrixCoefficients::ST2085 => 11,
        MatrixCoefficients::ChromaticityDerivedNonConstantLuminance => 12,
        MatrixCoefficients::ChromaticityDerivedConstantLuminance => 13,
        MatrixCoefficients::ICtCp => 14,
        _ => 2,
    };
    Colours { primaries, matrix, full_range: picture.color_range() == YUVRange::Full }
}
