//! Components of a JPEG at full size, by libjpeg-turbo's "fancy" upsampling (jdsample.c).

/// A component as decoded: `width * height` samples without the padding to whole blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) samples: Vec<u8>,
}

impl Plane {
    fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.samples.chunks_exact(self.width)
    }

    fn row(&self, index: usize) -> &[u8] {
        &self.samples[index * self.width..][..self.width]
    }

    /// The rows above and below each row, a border being its own neighbour.
    fn neighbours(&self, index: usize) -> [&[u8]; 2] {
        [self.row(index.saturating_sub(1)), self.row((index + 1).min(self.height - 1))]
    }
}

/// The plane enlarged by whole factors. Twofold enlargement weighs the nearer sample three times; a plane of at most two
/// columns, and any other factor, repeats samples.
pub(super) fn enlarge(plane: &Plane, across: usize, down: usize) -> Plane {
    let samples = match (across, down) {
        (1, 1) => plane.samples.clone(),
        (2, 1) if plane.width > 2 => plane.rows().flat_map(widened).collect(),
        (1, 2) => heightened(plane),
        (2, 2) if plane.width > 2 => both(plane),
        _ => {
            let wide =
                |row: &[u8]| row.iter().flat_map(|sample| std::iter::repeat_n(*sample, across)).collect::<Vec<_>>();
            plane.rows().flat_map(|row| std::iter::repeat_n(wide(row), down)).flatten().collect()
        }
    };
    Plane { width: plane.width * across, height: plane.height * down, samples }
}

/// A row at twice the width. The rounding alternates, so that it has no bias.
fn widened(row: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * row.len());
    for (index, &sample) in row.iter().enumerate() {
        let near = 3 * u16::from(sample);
        let left = index.checked_sub(1).map(|left| (near + u16::from(row[left]) + 1) >> 2);
        let right = row.get(index + 1).map(|right| (near + u16::from(*right) + 2) >> 2);
        out.extend([left, right].map(|value| value.map_or(sample, |value| value as u8)));
    }
    out
}

fn heightened(plane: &Plane) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * plane.samples.len());
    for (index, row) in plane.rows().enumerate() {
        for (neighbour, bias) in plane.neighbours(index).into_iter().zip([1, 2]) {
            let blended = row.iter().zip(neighbour);
            out.extend(blended.map(|(near, far)| ((3 * u16::from(*near) + u16::from(*far) + bias) >> 2) as u8));
        }
    }
    out
}

fn both(plane: &Plane) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 * plane.samples.len());
    for (index, row) in plane.rows().enumerate() {
        for neighbour in plane.neighbours(index) {
            let sums: Vec<u16> =
                row.iter().zip(neighbour).map(|(near, far)| 3 * u16::from(*near) + u16::from(*far)).collect();
            for (column, &sum) in sums.iter().enumerate() {
                let left = column.checked_sub(1).map_or(sum, |left| sums[left]);
                let right = sums.get(column + 1).copied().unwrap_or(sum);
                out.extend([(3 * sum + left + 8) >> 4, (3 * sum + right + 7) >> 4].map(|value| value as u8));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(width: usize, samples: &[u8]) -> Plane {
        Plane { width, height: samples.len() / width, samples: samples.to_vec() }
    }

    /// By hand: (3·10 + 20 + 2)/4 = 13 and (3·20 + 10 + 1)/4 = 17, (3·20 + 40 + 2)/4 = 25 and (3·40 + 20 + 1)/4 = 35.
    #[test]
    fn the_nearer_sample_weighs_three_times() {
        let row = plane(3, &[10, 20, 40]);
        assert_eq!(enlarge(&row, 2, 1).samples, [10, 13, 17, 25, 35, 40]);
        // The biases are 1 above and 2 below.
        let column = plane(1, &[10, 20, 40]);
        assert_eq!(enlarge(&column, 1, 2).samples, [10, 13, 17, 25, 35, 40]);
        let flat = plane(3, &[7; 6]);
        assert_eq!(enlarge(&flat, 2, 2), Plane { width: 6, height: 4, samples: vec![7; 24] });
        // Two columns are repeated, as are other factors.
        assert_eq!(enlarge(&plane(2, &[1, 9]), 2, 1).samples, [1, 1, 9, 9]);
        assert_eq!(enlarge(&plane(2, &[1, 9]), 3, 2).samples, [1, 1, 1, 9, 9, 9, 1, 1, 1, 9, 9, 9]);
    }
}
