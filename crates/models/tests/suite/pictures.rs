//! Picture preprocessing against torchvision's on Pillow's pictures.

use models::imagenet::{CROP, MEAN, STANDARD_DEVIATION, normalize, preprocess_file, resize_and_crop};
use models::picture::{ImageError, MAX_MEMORY, MAX_PIXELS, Orientation, decode, decode_file, decode_file_upright};
use serde::Deserialize;

use crate::support::{fixture, integers};

/// Files in `fixtures/pictures` whose every byte must be that of torchvision. JPEG is among them: the decoder repeats
/// libjpeg-turbo's arithmetic, which is Pillow's.
const EXACT: &[&str] = &[
    "alpha-16.png",
    "alpha.png",
    "black-and-white.png",
    "column.png",
    "exact.png",
    "four-inks.jpg",
    "grey-16.png",
    "grey-alpha-16.png",
    "grey-alpha.png",
    "grey.jpg",
    "grey.png",
    "landscape-420.jpg",
    "large-420.jpg",
    "lossless.webp",
    "odd.png",
    "one.png",
    "palette-transparent.png",
    "palette.gif",
    "palette.png",
    "portrait-444.jpg",
    "progressive-422.jpg",
    "rgb-16.png",
    "rotated.jpg",
    "row.png",
    "scene.bmp",
    "small.png",
    "ycck.jpg",
];

/// Files of which every byte must be Pillow's, as `NAME.rgb.png` has them: kinds that are rare, and decoders that differ.
const DECODED: &[&str] = &[
    "555.bmp",
    "565.bmp",
    "black-and-white.tiff",
    "deflate-alpha.tiff",
    "four-inks-420.jpg",
    "four-inks-422.jpg",
    "green-first.jpg",
    "grey-16.tiff",
    "grey-transparent-16.png",
    "grey.tiff",
    "lzw.tiff",
    "moved.webp",
    "past-the-canvas.gif",
    "plain.tiff",
    "small-luma.jpg",
    "tall-red.jpg",
    "uncovered-transparent.gif",
    "uncovered.gif",
    "ycck-420.jpg",
];

/// Lossy WebP leaves the last bit of its upsampling to the decoder.
const ROUNDED: &[&str] = &["lossy.webp"];

fn expected(name: &str) -> Vec<[u8; 3]> {
    let path = fixture(&format!("pictures/{name}.expected.png"));
    let picture = image::open(path).unwrap();
    let image::DynamicImage::ImageRgb8(picture) = picture else { panic!("{name} is not RGB") };
    assert_eq!(picture.dimensions(), (CROP as u32, CROP as u32));
    picture.pixels().map(|pixel| pixel.0).collect()
}

fn found(name: &str) -> Vec<[u8; 3]> {
    let picture = decode_file(&fixture(&format!("pictures/{name}"))).unwrap_or_else(|error| panic!("{error}"));
    resize_and_crop(&picture)
}

#[test]
fn pictures_are_exactly_torchvisions() {
    for name in EXACT {
        let (found, expected) = (found(name), expected(name));
        let wrong = found.iter().zip(&expected).filter(|(a, b)| a != b).count();
        assert_eq!((wrong, found.len()), (0, CROP * CROP), "{name}");
    }
}

#[test]
fn rare_kinds_are_exactly_pillows() {
    for name in DECODED {
        let found = decode_file(&fixture(&format!("pictures/{name}"))).unwrap_or_else(|error| panic!("{error}"));
        let expected = image::open(fixture(&format!("pictures/{name}.rgb.png"))).unwrap().into_rgb8();
        assert_eq!(
            [found.width, found.height],
            [expected.width(), expected.height()].map(|side| side as usize),
            "{name}"
        );
        let wrong = expected.pixels().zip(&found.pixels).filter(|(expected, found)| expected.0 != **found);
        assert_eq!(wrong.count(), 0, "{name}");
    }
}

#[test]
fn lossy_webp_is_torchvisions_within_one_step() {
    let mut failures = Vec::new();
    for name in ROUNDED {
        let (found, expected) = (found(name), expected(name));
        let (found, expected) = (found.as_flattened(), expected.as_flattened());
        assert_eq!(found.len(), expected.len());
        let worst = found.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max();
        if worst > Some(1) {
            let many = found.iter().zip(expected).filter(|(a, b)| a.abs_diff(**b) > 1).count();
            failures.push(format!("{name}: {many} of {} bytes are off by up to {}", found.len(), worst.unwrap_or(0)));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn every_fixture_is_compared() {
    let names = std::fs::read_dir(fixture("pictures")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| !name.ends_with(".expected.png") && !name.ends_with(".rgb.png"));
    names.sort();
    let mut compared = [EXACT, DECODED, ROUNDED].concat();
    compared.sort_unstable();
    assert_eq!(names, compared);
}

/// By hand: `(128 / 255 - 0.485) / 0.229` and so on, in planes of one channel each.
#[test]
fn normalised_pixels_lie_in_planes() {
    let planes = normalize(&[[0, 128, 255], [255, 0, 128]]);
    let expected = [-2.117_904, 2.248_908_3, 0.205_182_1, -2.035_714_3, 2.64, 0.426_492_4];
    for (found, expected) in planes.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{planes:?}");
    }
    assert_eq!(planes.len(), 6);
    let whole = preprocess_file(&fixture("pictures/one.png")).unwrap();
    assert_eq!(whole.len(), 3 * CROP * CROP);
    // A picture of one colour, (200, 100, 50), stays it.
    for (channel, value) in [200.0, 100.0, 50.0].into_iter().enumerate() {
        let plane = &whole[channel * CROP * CROP..][..CROP * CROP];
        let expected: f32 = (value / 255.0 - MEAN[channel]) / STANDARD_DEVIATION[channel];
        assert!(plane.iter().all(|pixel| (pixel - expected).abs() < 1e-6), "{expected} {}", plane[0]);
    }
}

#[test]
fn what_is_no_picture_is_refused() {
    for data in [&b""[..], b"hello", b"<svg></svg>", b"%PDF-1.7", &[0; 1000]] {
        assert!(matches!(decode(data), Err(ImageError::NotAnImage)), "{data:?}");
    }
    let formats =
        ["odd.png", "landscape-420.jpg", "grey.jpg", "four-inks-420.jpg", "progressive-422.jpg", "palette.gif"];
    for name in formats.into_iter().chain(["scene.bmp", "lossy.webp", "lzw.tiff"]) {
        let bytes = std::fs::read(fixture(&format!("pictures/{name}"))).unwrap();
        let header = decode(&bytes[..24]).unwrap_err();
        assert!(matches!(header, ImageError::Damaged { .. }), "{name}: {header}");
        let half = decode(&bytes[..bytes.len() / 2]).unwrap_err();
        assert!(matches!(half, ImageError::Damaged { .. }), "{name}: {half}");
    }
    let text = decode_file(&fixture("pictures/absent.png")).unwrap_err().to_string();
    assert!(text.starts_with("cannot read") && text.contains("absent.png"), "{text}");
    let text = decode_file(&fixture("generate_pictures.py")).unwrap_err().to_string();
    assert!(
        text.ends_with("generate_pictures.py: not a picture in AVIF, BMP, GIF, JPEG, PNG, TIFF or WebP format"),
        "{text}"
    );
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab\nsize 12345\n";
    let text = decode(pointer).unwrap_err().to_string();
    assert!(text.contains("is a Git LFS pointer") && text.contains("git lfs pull"), "{text}");
}

/// Pillow refuses every JPEG that ends before the marker of its end.
#[test]
fn a_jpeg_that_is_cut_anywhere_is_refused() {
    for name in ["grey.jpg", "small-luma.jpg", "four-inks-422.jpg", "tall-red.jpg", "rotated.jpg"] {
        let bytes = std::fs::read(fixture(&format!("pictures/{name}"))).unwrap();
        for cut in [1, 2, 3, 5, 8, 13, 21, 100, bytes.len() / 3, bytes.len() / 2] {
            let error = decode(&bytes[..bytes.len() - cut]).unwrap_err();
            assert!(matches!(error, ImageError::Damaged { .. }), "{name} without {cut} bytes: {error}");
        }
    }
}

#[derive(Deserialize)]
struct Turned {
    file: Vec<u8>,
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

#[test]
fn a_picture_is_turned_as_pillow_turns_it() {
    let cases: Vec<Turned> = serde_json::from_slice(&std::fs::read(fixture("orientations.json")).unwrap()).unwrap();
    let mut seen = Vec::new();
    for case in cases {
        let orientation = Orientation::of(&case.file);
        let picture = decode(&case.file).unwrap().upright(orientation);
        assert_eq!((picture.width, picture.height), (case.width, case.height), "{orientation:?}");
        assert_eq!(picture.pixels, case.pixels, "{orientation:?}");
        assert_eq!(orientation.swaps_sides(), case.width < case.height);
        seen.push(orientation);
    }
    let all = [
        Orientation::Upright,
        Orientation::Mirrored,
        Orientation::HalfTurn,
        Orientation::Flipped,
        Orientation::Transposed,
        Orientation::QuarterTurn,
        Orientation::Transversed,
        Orientation::ThreeQuarterTurn,
    ];
    assert_eq!(seen, all);
    let (picture, orientation) = decode_file_upright(&fixture("pictures/rotated.jpg")).unwrap();
    assert_eq!((picture.width, picture.height, orientation), (120, 200, Orientation::QuarterTurn));
    let (picture, orientation) = decode_file_upright(&fixture("pictures/tall-red.jpg")).unwrap();
    assert_eq!((picture.width, orientation), (131, Orientation::Upright));
}

/// The header alone decides, so this needs neither time nor memory.
#[test]
fn an_enormous_picture_is_refused_before_it_is_decoded() {
    let header = |width: u32, height: u32| {
        let mut bytes = std::fs::read(fixture("pictures/one.png")).unwrap();
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let sum = crc32(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&sum.to_be_bytes());
        bytes
    };
    let error = decode(&header(20_000, 20_000)).unwrap_err();
    assert!(matches!(error, ImageError::TooManyPixels { width: 20_000, height: 20_000 }), "{error}");
    assert!(error.to_string().contains(&MAX_PIXELS.to_string()), "{error}");
    // A size within the limit fails later, for want of data.
    let error = decode(&header(200, 200)).unwrap_err();
    assert!(matches!(error, ImageError::Damaged { .. }), "{error}");

    // 178 million pixels are allowed to formats that give RGB at once, and too many for those that hold more beside it.
    let mut gif = std::fs::read(fixture("pictures/uncovered.gif")).unwrap();
    gif[6..10].copy_from_slice(&[0xff; 4]);
    let error = decode(&gif).unwrap_err();
    assert!(matches!(error, ImageError::TooManyPixels { width: 65_535, height: 65_535 }), "{error}");
    let mut alpha = std::fs::read(fixture("pictures/alpha-16.png")).unwrap();
    alpha[16..24].copy_from_slice(&[0, 0, 0x30, 0, 0, 0, 0x30, 0]);
    let sum = crc32(&alpha[12..29]);
    alpha[29..33].copy_from_slice(&sum.to_be_bytes());
    let error = decode(&alpha).unwrap_err();
    assert!(matches!(error, ImageError::TooMuchMemory { bytes: 1_660_944_384, .. }), "{error}");
    assert!(error.to_string().contains(&MAX_MEMORY.to_string()), "{error}");

    let mut jpeg = std::fs::read(fixture("pictures/landscape-420.jpg")).unwrap();
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x80, 0x00, 0x80, 0x00]);
    let error = decode(&jpeg).unwrap_err();
    assert!(matches!(error, ImageError::TooManyPixels { width: 32_768, height: 32_768 }), "{error}");
}

/// The checksum of PNG's chunks (ISO 3309), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

/// Whatever a damaged file holds, it gives a picture or a reason, and never a panic.
#[test]
fn damaged_pictures_never_panic() {
    let (mut pictures, mut refused) = (0, 0);
    for (seed, name) in [EXACT, DECODED, ROUNDED].concat().into_iter().enumerate() {
        let intact = std::fs::read(fixture(&format!("pictures/{name}"))).unwrap();
        let places = integers(seed as u64, name, 60, intact.len() as u64);
        let values = integers(seed as u64, "values", 60, 256);
        for (round, (place, value)) in places.iter().zip(&values).enumerate() {
            let mut bytes = intact.clone();
            // Headers are short, so every other change hits the first bytes.
            let place = if round % 2 == 0 { *place as usize } else { *place as usize % intact.len().min(700) };
            bytes[place] = *value as u8;
            if round % 5 == 0 {
                bytes.truncate(place + 1);
            }
            match decode(&bytes) {
                Ok(picture) => {
                    assert_eq!(resize_and_crop(&picture).len(), CROP * CROP, "{name}");
                    pictures += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(pictures > 100 && refused > 100, "{pictures} pictures, {refused} refused");
}
