//! MNIST's files and those of data sets like it: what is read, and what is refused.

use models::digits::{Classes, Digits, DigitsError, PIXELS, Part, Split, normalization_table, normalize};

fn idx(magic: [u8; 4], dimensions: &[u32], elements: &[u8]) -> Vec<u8> {
    let dimensions = dimensions.iter().flat_map(|size| size.to_be_bytes());
    magic.into_iter().chain(dimensions).chain(elements.iter().copied()).collect()
}

fn images(count: u32) -> Vec<u8> {
    let elements: Vec<u8> = (0..count as usize * PIXELS).map(|index| (index % 251) as u8).collect();
    idx([0, 0, 8, 3], &[count, 28, 28], &elements)
}

fn labels(labels: &[u8]) -> Vec<u8> {
    idx([0, 0, 8, 1], &[labels.len() as u32], labels)
}

fn read(images: &[u8], labels: &[u8]) -> Result<Digits, DigitsError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t10k-images-idx3-ubyte"), images).unwrap();
    std::fs::write(folder.path().join("t10k-labels-idx1-ubyte"), labels).unwrap();
    Digits::read(folder.path(), Split::Test)
}

#[test]
fn reads_what_the_format_says() {
    let digits = read(&images(3), &labels(&[7, 2, 9])).unwrap();
    assert_eq!(digits.len(), 3);
    assert_eq!(digits.labels(), [7, 2, 9]);
    assert_eq!(digits.image(1).unwrap()[0], (784 % 251) as u8);
    assert_eq!(digits.label(2), Some(9));
    assert_eq!((digits.image(3), digits.label(3)), (None, None));
}

#[test]
fn limits_and_splits() {
    let mut digits = read(&images(5), &labels(&[0, 1, 2, 3, 4])).unwrap();
    let all = digits.clone();
    digits.truncate(9);
    assert_eq!(digits, all);
    let held_out = digits.split_off(3);
    assert_eq!(held_out.iter().collect::<Vec<_>>(), all.iter().skip(3).collect::<Vec<_>>());
    digits.truncate(2);
    assert_eq!(digits.iter().collect::<Vec<_>>(), all.iter().take(2).collect::<Vec<_>>());
}

#[test]
fn anything_else_is_refused_with_the_reason() {
    let good = (images(2), labels(&[1, 2]));
    let reason = |images: &[u8], labels: &[u8]| read(images, labels).unwrap_err().to_string();

    let swapped = reason(&good.1, &good.0);
    assert!(swapped.contains("begins with [00, 00, 08, 01], but images"), "{swapped}");
    let empty = reason(&[], &good.1);
    assert!(empty.contains("begins with [], but images"), "{empty}");
    let header = reason(&good.0[..10], &good.1);
    assert!(header.contains("truncated: its header promises 12 bytes and 6 follow it"), "{header}");
    let short = reason(&good.0[..good.0.len() - 1], &good.1);
    assert!(short.contains("truncated: its header promises 1568 bytes and 1567 follow"), "{short}");
    let long = reason(&[good.0.as_slice(), &[0]].concat(), &good.1);
    assert!(long.contains("goes on after the 1568 bytes"), "{long}");
    let wide = reason(&idx([0, 0, 8, 3], &[2, 28, 29], &[]), &good.1);
    assert!(wide.contains("holds images of 28 x 29 pixels, and the network takes 28 x 28: scale them"), "{wide}");
    let flat = reason(&idx([0, 0, 8, 3], &[2, 0, 28], &[]), &good.1);
    assert!(flat.contains("declares the dimensions [2, 0, 28]; images have [count, 28, 28]"), "{flat}");
    let none = reason(&idx([0, 0, 8, 3], &[0, 28, 28], &[]), &good.1);
    assert!(none.contains("declares the dimensions [0, 28, 28]"), "{none}");
    let huge = reason(&idx([0, 0, 8, 3], &[u32::MAX, 28, 28], &[]), &good.1);
    assert!(huge.contains("declares the dimensions [4294967295, 28, 28]"), "{huge}");
    let fewer = reason(&good.0, &labels(&[1]));
    assert!(fewer.contains("holds 2 images, but"), "{fewer}");
    let eleven = reason(&good.0, &labels(&[1, 10]));
    assert!(eleven.contains("labels image 1 as 10, and the classes are 0 to 9"), "{eleven}");
    let missing = Digits::read("no/such/folder", Split::Train).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read no/such/folder/train-images-idx3-ubyte: "), "{missing}");
}

#[test]
fn classes_are_counted_from_the_labels() {
    let of = |labels: &[u8]| Classes::of(labels);
    assert_eq!(of(&[3, 9, 0]), Classes::DIGITS);
    assert_eq!(of(&[2]), Classes::DIGITS);
    // EMNIST's balanced and by_class sets, and its letters.
    assert_eq!(of(&[46, 0, 11]), Classes { first: 0, count: 47 });
    assert_eq!(of(&[61, 0]), Classes { first: 0, count: 62 });
    assert_eq!(of(&[26, 1, 7]), Classes { first: 1, count: 26 });
    assert_eq!(of(&[u8::MAX, 5]), Classes { first: 0, count: 256 });
}

#[test]
fn labels_become_indices_of_the_classes() {
    let folder = tempfile::tempdir().unwrap();
    let part = |bytes: &[u8]| {
        std::fs::write(folder.path().join("train-images-idx3-ubyte"), images(bytes.len() as u32)).unwrap();
        std::fs::write(folder.path().join("train-labels-idx1-ubyte"), labels(bytes)).unwrap();
        Part::read(folder.path(), Split::Train).unwrap()
    };
    let letters = part(&[1, 26, 3]).classes();
    assert_eq!(Digits::of(part(&[1, 26, 3]), letters).unwrap().labels(), [0, 25, 2]);
    let zero = Digits::of(part(&[5, 0, 3]), letters).unwrap_err().to_string();
    assert!(zero.ends_with("labels image 1 as 0, and the classes are 1 to 26"), "{zero}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn files_are_found_under_every_name_that_they_have() {
    let folder = tempfile::tempdir().unwrap();
    let (pixels, marks) = (images(2), labels(&[1, 2]));
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("emnist-letters-train-images-idx3-ubyte.gz", &gzip(&pixels));
    write("emnist-letters-train-labels-idx1-ubyte.gz", &gzip(&marks));
    write("emnist-letters-test-images-idx3-ubyte", &pixels);
    write("emnist-letters-test-labels.idx1-ubyte", &marks);
    let part = Part::read(folder.path(), Split::Train).unwrap();
    let expected = [("images-idx3", &pixels), ("labels-idx1", &marks)]
        .map(|(kind, content)| (format!("emnist-letters-train-{kind}-ubyte"), artifact::sha256_bytes(content)));
    assert_eq!(part.hashes(), expected);
    let train = Digits::read(folder.path(), Split::Train).unwrap();
    assert_eq!(Digits::read(folder.path(), Split::Test).unwrap(), train);

    // A second data set beside it: one has to be named.
    write("emnist-digits-train-images-idx3-ubyte", &pixels);
    let several = Digits::read(folder.path(), Split::Test).unwrap_err().to_string();
    assert!(several.contains("emnist-digits or ") && several.contains("several data sets"), "{several}");
    assert_eq!(Digits::read(folder.path().join("emnist-letters"), Split::Test).unwrap(), train);
    let missing = Digits::read(folder.path().join("emnist-digits"), Split::Train).unwrap_err().to_string();
    assert!(missing.contains("emnist-digits-train-labels-idx1-ubyte"), "{missing}");
    // MNIST's own names go first.
    write("t10k-images-idx3-ubyte", &images(1));
    write("t10k-labels-idx1-ubyte", &labels(&[7]));
    assert_eq!(Digits::read(folder.path(), Split::Test).unwrap().labels(), [7]);
}

#[test]
fn a_packed_file_that_is_cut_or_goes_on_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t10k-labels-idx1-ubyte"), labels(&[1, 2])).unwrap();
    let reason = |packed: &[u8]| {
        std::fs::write(folder.path().join("t10k-images-idx3-ubyte.gz"), packed).unwrap();
        Digits::read(folder.path(), Split::Test).unwrap_err().to_string()
    };
    let packed = gzip(&images(2));
    let cut = reason(&packed[..packed.len() / 2]);
    assert!(cut.starts_with("cannot read ") && cut.contains("t10k-images-idx3-ubyte.gz"), "{cut}");
    let long = reason(&gzip(&[images(2), vec![0; 1 << 20]].concat()));
    assert!(long.contains("goes on after the 1568 bytes"), "{long}");
}

/// Expected values from torchvision 0.29: `Normalize((0.1307,), (0.3081,))(ToTensor()(image))`.
#[test]
fn normalizes_as_torchvision_does() {
    let expected = [(0, -0.424_212_96), (1, -0.411_484_72), (127, 1.192_272_7), (255, 2.821_486_7)];
    for (pixel, value) in expected {
        assert_eq!(normalize(pixel), value, "{pixel}");
        assert_eq!(normalization_table()[usize::from(pixel)], value);
    }
}
