//! Data sets in MNIST's format, plain and packed, with the names of their classes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use models::digits::{Digits, Part, Split};

fuzz_target!(init: fuzz::contain(), |data: &[u8]| {
    let [images, labels, packed, names, mapping] = fuzz::parts(data);
    let folder = fuzz::folder_of(&[
        ("t10k-images-idx3-ubyte", images),
        ("t10k-images-idx3-ubyte.gz", packed),
        ("t10k-labels-idx1-ubyte", labels),
        ("labels.txt", names),
        ("mapping.txt", mapping),
    ]);
    let Ok(part) = Part::read(&folder, Split::Test) else { return };
    let classes = part.classes();
    let _ = (part.hashes(), part.names(classes), part.names(part.classes_of(10)));
    if let Ok(digits) = Digits::of(part, classes) {
        assert_eq!(digits.iter().count(), digits.len(), "images and labels differ in number");
    }
});
