//! Bytes in the order of ISO's base media format, read without going past their end.

/// What is left of some bytes.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or("it is cut off, or a length in it is wrong")?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number of `length` bytes, at most eight.
    pub(super) fn number(&mut self, length: usize) -> Result<u64, String> {
        Ok(self.take(length)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub(super) fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn short(&mut self) -> Result<u16, String> {
        Ok(self.number(2)? as u16)
    }

    pub(super) fn long(&mut self) -> Result<u32, String> {
        Ok(self.number(4)? as u32)
    }

    /// A number of two bytes, or of four where the version asks for it.
    pub(super) fn short_or_long(&mut self, is_long: bool) -> Result<u32, String> {
        if is_long { self.long() } else { self.short().map(u32::from) }
    }

    /// The version and the flags with which many boxes begin.
    pub(super) fn version(&mut self) -> Result<(u8, u32), String> {
        let both = self.long()?;
        Ok(((both >> 24) as u8, both & 0x00ff_ffff))
    }

    /// The next box: its kind and its content. A size of zero reaches to the end.
    pub(super) fn next_box(&mut self) -> Result<([u8; 4], Bytes<'a>), String> {
        let size = self.number(4)?;
        let mut kind = [0; 4];
        kind.copy_from_slice(self.take(4)?);
        let content = match size {
            0 => self.0.len() as u64,
            1 => self.number(8)?.checked_sub(16).ok_or("a box is smaller than its header")?,
            size => size.checked_sub(8).ok_or("a box is smaller than its header")?,
        };
        Ok((kind, Bytes(self.take(usize::try_from(content).unwrap_or(usize::MAX))?)))
    }
}
