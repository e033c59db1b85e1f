//! The rewrite to float64, from outside.

mod forms;
mod properties;

const MODELS: &[u8] = include_bytes!("../../../onnx-model/tests/fixtures/agreement.bin");
const VERDICTS: &str = include_str!("../../../onnx-model/tests/fixtures/agreement.txt");

/// The names and bytes of all models, as the tests of `onnx_model` describe them.
fn models() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    VERDICTS.lines().scan(MODELS, |rest, name| {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (bytes, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
        *rest = tail;
        Some((name, bytes))
    })
}
