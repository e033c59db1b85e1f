//! Pictures inside a page.

use std::io::Cursor;

use image::{GrayImage, ImageFormat};

/// An MNIST image as an `img` element; `None` if the pixels are not 28x28. `description` is read to those who cannot see it.
pub fn digit(pixels: &[u8], description: &str) -> Option<String> {
    let size = u32::try_from(models::mnist_cnn::IMAGE_SIZE).ok()?;
    let mut png = Vec::new();
    let picture = GrayImage::from_raw(size, size, pixels.to_vec())?;
    picture.write_to(&mut Cursor::new(&mut png), ImageFormat::Png).ok()?;
    let description = crate::html::escape(description);
    Some(format!(
        "<img alt=\"{description}\" width=\"84\" height=\"84\" src=\"data:image/png;base64,{}\">",
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
        let element = digit(&[0; 784], "a \"4\"").unwrap();
        assert!(element.starts_with("<img alt=\"a &quot;4&quot;\"") && element.contains("base64,iVBORw0KGgo"));
        assert_eq!(digit(&[0; 783], ""), None);
    }
}
