//! Pictures inside a page.

use std::io::Cursor;

use evaluation::task::Thumbnail;
use image::{GrayImage, ImageFormat};

/// How many times a small picture is enlarged.
const SCALE: usize = 3;

/// A small picture as an `img` element, whose caption is read to those who cannot see it; `None` if the pixels are no picture.
pub fn picture(thumbnail: &Thumbnail) -> Option<String> {
    let Thumbnail { caption, width, grey } = thumbnail;
    let digits: Vec<u8> =
        grey.chars().map(|digit| digit.to_digit(16)).map(|digit| Some(digit? as u8)).collect::<Option<_>>()?;
    let pixels: Vec<u8> =
        digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |sum, digit| sum * 16 + digit)).collect();
    let height = pixels.len().checked_div(*width).filter(|height| height * width == pixels.len() && *height > 0)?;
    let mut png = Vec::new();
    let grey = GrayImage::from_raw(u32::try_from(*width).ok()?, u32::try_from(height).ok()?, pixels)?;
    grey.write_to(&mut Cursor::new(&mut png), ImageFormat::Png).ok()?;
    Some(format!(
        "<img alt=\"{}\" width=\"{}\" height=\"{}\" src=\"data:image/png;base64,{}\">",
        crate::html::escape(caption),
        SCALE * width,
        SCALE * height,
        base64(&png)
    ))
}

/// RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let value = (0..3).fold(0_u32, |value, index| value << 8 | u32::from(chunk.get(index).copied().unwrap_or(0)));
        for index in 0..4 {
            let digit = (value >> (18 - 6 * index)) as usize & 63;
            let filled = index <= chunk.len();
            text.push(if filled { ALPHABET.get(digit).map_or('=', |&byte| char::from(byte)) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 4648, section 10.
    #[test]
    fn base64_is_that_of_the_standard() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_picture_is_part_of_the_page() {
        let thumbnail = |width, grey: &str| Thumbnail { caption: "a \"4\"".to_owned(), width, grey: grey.to_owned() };
        let element = picture(&thumbnail(2, "00ff7f80")).unwrap();
        assert!(element.starts_with("<img alt=\"a &quot;4&quot;\"") && element.contains("base64,iVBORw0KGgo"));
        for (width, grey) in [(2, "00ff7f"), (0, "00"), (1, "0"), (1, "xy"), (1, "")] {
            assert_eq!(picture(&thumbnail(width, grey)), None, "{width} {grey}");
        }
    }
}
