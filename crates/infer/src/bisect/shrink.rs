//! The smallest sizes that still show a failure.

use crate::any_model::inputs::Sizes;

/// Makes each axis as small as it goes while `fails` still holds, which it does for `sizes`. Between a size that fails and
/// one that does not, the boundary is found by halving.
///
/// # Errors
/// Those of `fails`.
pub fn shrink<E>(sizes: &Sizes, mut fails: impl FnMut(&Sizes) -> Result<bool, E>) -> Result<Sizes, E> {
    let mut smallest = sizes.clone();
    for axis in sizes.keys() {
        let mut with = |smallest: &Sizes, size: usize| -> Result<Option<Sizes>, E> {
            let mut sizes = smallest.clone();
            sizes.insert(axis.clone(), size);
            Ok(fails(&sizes)?.then_some(sizes))
        };
        // The smallest size that fails lies in `low..=high`.
        let (mut low, mut high) = (1, smallest.get(axis).copied().unwrap_or(1));
        if low < high {
            // Most failures show at one already.
            match with(&smallest, 1)? {
                Some(found) => {
                    smallest = found;
                    continue;
                }
                None => low = 2,
            }
        }
        while low < high {
            let middle = low.midpoint(high);
            match with(&smallest, middle)? {
                Some(found) => (smallest, high) = (found, middle),
                None => low = middle + 1,
            }
        }
    }
    Ok(smallest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(batch: usize, sequence: usize) -> Sizes {
        [("batch".to_owned(), batch), ("sequence".to_owned(), sequence)].into()
    }

    fn shrunk(from: Sizes, fails: impl Fn(usize, usize) -> bool) -> (Sizes, usize) {
        let mut tries = 0;
        let found = shrink::<()>(&from, |sizes| {
            tries += 1;
            Ok(fails(sizes["batch"], sizes["sequence"]))
        });
        (found.unwrap(), tries)
    }

    #[test]
    fn each_axis_becomes_as_small_as_it_fails() {
        assert_eq!(shrunk(sizes(7, 512), |_, _| true), (sizes(1, 1), 2));
        let (found, tries) = shrunk(sizes(7, 512), |batch, sequence| batch >= 2 && sequence >= 130);
        assert_eq!(found, sizes(2, 130));
        assert!(tries < 20, "{tries}");
        assert_eq!(shrunk(sizes(1, 1), |_, _| true), (sizes(1, 1), 0));
    }
}
