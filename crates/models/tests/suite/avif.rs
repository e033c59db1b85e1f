//! AVIF pictures against Pillow's, byte for byte, and files that lie.

use models::picture::{ImageError, Orientation, decode, decode_file, decode_file_upright};

use crate::support::fixture;

fn names() -> Vec<String> {
    let names = std::fs::read_dir(fixture("avif")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".avif"));
    names.sort();
    names
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(&format!("avif/{name}.avif"))).unwrap()
}

/// Eight, ten and twelve bits, every layout of chroma, both ranges, every matrix that Pillow knows, alpha, film grain, a grid,
/// a sequence, and all orientations.
#[test]
fn every_kind_is_exactly_pillows() {
    let names = names();
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        let path = fixture(&format!("avif/{name}"));
        let found = if name.starts_with("turned") {
            decode_file_upright(&path).map(|(picture, _)| picture)
        } else {
            decode_file(&path)
        };
        let found = found.unwrap_or_else(|error| panic!("{error}"));
        let expected = image::open(fixture(&format!("avif/{name}.rgb.png"))).unwrap().into_rgb8();
        let size = [expected.width(), expected.height()].map(|side| side as usize);
        assert_eq!([found.width, found.height], size, "{name}");
        let wrong = expected.pixels().zip(&found.pixels).filter(|(expected, found)| expected.0 != **found);
        assert_eq!(wrong.count(), 0, "{name}");
    }
}

/// The container says how the picture is turned, in Pillow's words an orientation of Exif.
#[test]
fn every_orientation_is_read() {
    let orientations = [
        Orientation::Upright,
        Orientation::Mirrored,
        Orientation::HalfTurn,
        Orientation::Flipped,
        Orientation::Transposed,
        Orientation::QuarterTurn,
        Orientation::Transversed,
        Orientation::ThreeQuarterTurn,
    ];
    for (number, orientation) in (1..).zip(orientations) {
        assert_eq!(Orientation::of(&bytes(&format!("turned-{number}"))), orientation);
    }
}

fn refused(data: &[u8]) -> String {
    match decode(data) {
        Err(error @ ImageError::Damaged { format: "AVIF", .. }) => error.to_string(),
        Err(error) => panic!("{error:?}"),
        Ok(picture) => panic!("a picture of {} x {} pixels", picture.width, picture.height),
    }
}

/// The place after the first occurrence of `what`.
fn after(data: &[u8], what: &[u8]) -> usize {
    data.windows(what.len()).position(|bytes| bytes == what).unwrap() + what.len()
}

/// The size of a picture in its container, which comes after the version of the box.
fn resized(data: &[u8], number: usize, width: u32, height: u32) -> Vec<u8> {
    let mut data = data.to_vec();
    let places: Vec<usize> = (0..data.len() - 4).filter(|at| data[*at..].starts_with(b"ispe")).collect();
    let place = places[number] + 8;
    data[place..place + 4].copy_from_slice(&width.to_be_bytes());
    data[place + 4..place + 8].copy_from_slice(&height.to_be_bytes());
    data
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    for name in ["420", "grid", "ten-alpha", "grey"] {
        let data = bytes(name);
        for length in 12..data.len() {
            // Behind the colours may lie an alpha channel, which is dropped.
            match decode(&data[..length]) {
                Err(ImageError::Damaged { .. }) => {}
                Ok(_) => assert!(name == "ten-alpha" && length * 2 > data.len(), "{name} of {length} bytes"),
                Err(error) => panic!("{name} of {length} bytes: {error}"),
            }
        }
    }
}

#[test]
fn sizes_that_lie_are_refused() {
    let (plain, grid) = (bytes("420"), bytes("grid"));
    assert!(
        refused(&resized(&plain, 0, 44, 31))
            .ends_with("its coded data are of a larger picture than it says, or damaged")
    );
    assert!(refused(&resized(&plain, 0, 45, 32)).ends_with("it says 45 x 32 pixels and has 45 x 31"));
    assert!(refused(&resized(&plain, 0, 0, 31)).contains("0"));
    assert!(refused(&resized(&grid, 0, 101, 90)).contains("its grid is 100 x 90 pixels, its picture 101 x 90 pixels"));
    assert!(refused(&resized(&grid, 1, 64, 66)).contains("says 64 x 66 pixels and has 64 x 64"));
    let error = decode(&resized(&plain, 0, 60_000, 60_000)).unwrap_err();
    assert!(matches!(error, ImageError::TooManyPixels { width: 60_000, height: 60_000 }), "{error}");
    let error = decode(&resized(&plain, 0, 10_000, 9_000)).unwrap_err();
    assert!(matches!(error, ImageError::TooMuchMemory { width: 10_000, height: 9_000, .. }), "{error}");
    // Tiles of 60,000 x 60,000 pixels for a picture of 100 x 90.
    let error = decode(&resized(&grid, 1, 60_000, 60_000)).unwrap_err();
    assert!(matches!(error, ImageError::TooManyPixels { width: 120_000, height: 120_000 }), "{error}");
}

#[test]
fn grids_that_lie_are_refused() {
    let grid = bytes("grid");
    let description = after(&grid, b"mdat");
    assert_eq!(grid[description..description + 4], [0, 0, 1, 1]);
    let changed = |place: usize, value: u8| {
        let mut data = grid.clone();
        data[description + place] = value;
        data
    };
    assert!(refused(&changed(2, 255)).contains("its grid has 2 x 256 tiles, and 4 are there"));
    assert!(refused(&changed(3, 0)).contains("its grid has 1 x 2 tiles, and 4 are there"));
    // Three tiles in a row of which one is the picture itself.
    let references = after(&grid, b"dimg") + 4;
    let mut data = grid.clone();
    data[references..references + 2].copy_from_slice(&1_u16.to_be_bytes());
    assert!(refused(&data).contains("a tile is coded as `grid`, not as AV1"));
    data[references..references + 2].copy_from_slice(&77_u16.to_be_bytes());
    assert!(refused(&data).contains("item 77 is not in it"));
    let mut data = resized(&grid, 0, 200, 90);
    data[description + 4..description + 6].copy_from_slice(&200_u16.to_be_bytes());
    assert!(refused(&data).contains("the tiles of its grid do not cover it"));
}

#[test]
fn what_is_not_understood_is_named() {
    let replaced = |name: &str, from: &[u8], to: &[u8]| {
        let mut data = bytes(name);
        let end = after(&data, from);
        data[end - from.len()..end].copy_from_slice(to);
        data
    };
    assert!(refused(&replaced("420", b"av01", b"hvc1")).contains("coded as `hvc1`, not as AV1"));
    assert!(refused(&replaced("420", b"pitm", b"skip")).contains("item 0 is not in it"));
    assert!(refused(&replaced("420", b"meta", b"skip")).contains("does not say which picture it holds"));
    assert!(refused(&replaced("420", b"ispe", b"skip")).contains("does not say how large the picture is"));
    assert!(refused(&replaced("420", b"av1C", b"lsel")).contains("a property `lsel`, which is not understood here"));
    for (matrix, full) in [(10, 0x80), (8, 0), (200, 0x80)] {
        let error = refused(&replaced("420", &[0, 6, 0x80], &[0, matrix, full]));
        assert!(error.ends_with(&format!("not known (matrix {matrix} of H.273)")), "{error}");
    }
    assert!(
        refused(&replaced("420", &[0, 6, 0x80], &[0, 0, 0x80])).contains("matrix 0"),
        "only 4:4:4 has three colours"
    );
    assert!(refused(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf").contains("does not say which picture it holds"));
    assert!(refused(b"\0\0\0\x1dftypavif\0\0\0\0avifmif1miaf").contains("cut off"));
}

/// Every byte of a file changed in its turn.
#[test]
fn damaged_files_give_a_picture_or_an_error() {
    let (mut pictures, mut refused) = (0, 0);
    for name in ["420-limited", "ten-alpha-422", "small-3x2", "grain"] {
        let intact = bytes(name);
        for place in 0..intact.len() {
            let mut data = intact.clone();
            data[place] = [0, 0xff, intact[place] ^ 1 << (place % 8)][place % 3];
            match decode(&data) {
                Ok(picture) => {
                    assert_eq!(picture.pixels.len(), picture.width * picture.height);
                    pictures += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(pictures > 500 && refused > 500, "{pictures} pictures, {refused} refused");
}
