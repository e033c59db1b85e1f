//! The smallest inputs that still show a failure.

use crate::onnx_file::inputs::Sizes;

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

/// Which of `count` things are needed for `fails` to hold, which it does with all of them: by delta debugging (Zeller and
/// Hildebrandt, 2002) everything is left out, then halves, then smaller pieces, and what is not missed stays out. With no more
/// than `tries` tries; if they suffice, it holds no longer without any single one that is left.
///
/// # Errors
/// Those of `fails`.
pub fn needed<E>(
    count: usize,
    tries: usize,
    mut fails: impl FnMut(&[usize]) -> Result<bool, E>,
) -> Result<Vec<usize>, E> {
    let mut kept: Vec<usize> = (0..count).collect();
    let (mut piece, mut tries) = (count, 0..tries);
    while piece > 0 {
        let (before, mut start) = (kept.len(), 0);
        while start < kept.len() {
            if tries.next().is_none() {
                return Ok(kept);
            }
            let left_out = start..start + piece;
            let others = kept.iter().enumerate().filter(|(place, _)| !left_out.contains(place));
            let others: Vec<usize> = others.map(|(_, &one)| one).collect();
            match fails(&others)? {
                true => kept = others,
                false => start = left_out.end,
            }
        }
        let smaller = match piece {
            // What was needed may be so no longer without the others.
            1 if kept.len() < before => 1,
            1 => 0,
            piece => piece.div_ceil(2),
        };
        piece = smaller.min(kept.len());
    }
    Ok(kept)
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

    fn left(count: usize, budget: usize, fails: impl Fn(&[usize]) -> bool) -> (Vec<usize>, usize) {
        let mut tries = 0;
        let found = needed::<()>(count, budget, |kept| {
            tries += 1;
            Ok(fails(kept))
        });
        (found.unwrap(), tries)
    }

    #[test]
    fn what_is_not_needed_is_left_out() {
        assert_eq!(left(1000, 200, |_| true), (vec![], 1));
        assert_eq!(left(0, 200, |_| true), (vec![], 0));
        let (found, tries) = left(784, 200, |kept| [17, 300, 783].iter().all(|one| kept.contains(one)));
        assert_eq!(found, [17, 300, 783]);
        assert!(tries < 100, "{tries}");
    }

    /// Enough of the multiples of a number fail, and 4 needs 2 beside it, so that fewer may show what more do not.
    #[test]
    fn what_is_left_fails_and_not_without_any_one_of_it() {
        for (count, step, least) in [(64, 3, 5), (65, 1, 9), (100, 7, 15), (31, 2, 1), (40, 5, 2)] {
            let fails = |kept: &[usize]| {
                let weight: usize = kept.iter().filter(|&one| one % step == 0).map(|one| 1 + one % 4).sum();
                weight >= least && (kept.contains(&2) || !kept.contains(&4))
            };
            let (found, _) = left(count, usize::MAX, fails);
            assert!(fails(&found), "{found:?}");
            for one in &found {
                let others: Vec<usize> = found.iter().copied().filter(|other| other != one).collect();
                assert!(!fails(&others), "{found:?} without {one}");
            }
        }
    }

    #[test]
    fn the_tries_are_bounded_and_what_is_left_then_fails() {
        let fails = |kept: &[usize]| (0..500).all(|one| kept.contains(&(2 * one)));
        for budget in [0, 1, 10, 100] {
            let (found, tries) = left(1000, budget, fails);
            assert!(fails(&found) && tries == budget, "{tries}");
        }
    }
}
