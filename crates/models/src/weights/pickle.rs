//! Whether a pickle of `torch.save` marks tensors as negated.
//!
//! A view that PyTorch negates lazily (`torch._neg_view`, the imaginary part of a conjugate) is stored unnegated, with
//! `{'neg': True}` as the last argument of its `_rebuild_tensor_v2`. The reader of tensors does not look at it, so such
//! tensors are found here, by a pass over the opcodes that builds no objects.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};

/// The longest string that is kept, in bytes; names of tensors are shorter.
const LONGEST: u64 = 4096;

/// A value as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(String),
    /// The function that rebuilds a tensor.
    Rebuild,
    Other,
}

/// How far the opcodes spell `{'neg': True})` as the end of a call's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelt {
    Nothing,
    Key,
    Entry,
    Dictionary,
    Arguments,
}

struct Scan<'a, R> {
    reader: &'a mut R,
    memo: HashMap<u64, Value>,
    /// How many values went into the memo without a number of their own.
    memoized: u64,
    top: Value,
    /// The strings that were pushed last, newest first.
    texts: [String; 3],
    /// The string before the tensor that is being rebuilt: its key in the dictionary.
    name: String,
    spelt: Spelt,
    found: Vec<String>,
}

/// The names of the negated tensors in the first `count` pickles of `reader`. What is no pickle ends the search: the reader of
/// tensors says so.
pub(super) fn negated(reader: &mut impl BufRead, count: usize) -> Vec<String> {
    let mut found = Vec::new();
    for _ in 0..count {
        let mut scan = Scan {
            reader: &mut *reader,
            memo: HashMap::new(),
            memoized: 0,
            top: Value::Other,
            texts: Default::default(),
            name: String::new(),
            spelt: Spelt::Nothing,
            found: Vec::new(),
        };
        let ended = scan.run();
        found.append(&mut scan.found);
        if ended.is_err() {
            break;
        }
    }
    found
}

impl<R: BufRead> Scan<'_, R> {
    fn run(&mut self) -> io::Result<()> {
        loop {
            let opcode = self.number(1)? as u8;
            match opcode {
                b'.' => return Ok(()),
                // Into the memo and out of it. A frame says how long the next part is.
                b'q' => self.remember(1)?,
                b'r' => self.remember(4)?,
                b'p' => {
                    let number = self.line()?.parse().unwrap_or(u64::MAX);
                    self.memo.insert(number, self.top.clone());
                }
                0x94 => {
                    self.memo.insert(self.memoized, self.top.clone());
                    self.memoized += 1;
                }
                b'h' => self.recall(1)?,
                b'j' => self.recall(4)?,
                b'g' => {
                    let number = self.line()?.parse().unwrap_or(u64::MAX);
                    self.push(self.memo.get(&number).cloned().unwrap_or(Value::Other));
                }
                0x95 => drop(self.number(8)?),
                b'U' | 0x8c => self.text(1)?,
                b'T' | b'X' => self.text(4)?,
                0x8d => self.text(8)?,
                b'V' | b'S' => {
                    let text = self.line()?;
                    self.push(Value::Text(text));
                }
                b'c' => {
                    let (module, function) = (self.line()?, self.line()?);
                    self.global(&module, &function, 0);
                }
                0x93 => {
                    let [function, module, _] = self.texts.clone();
                    self.global(&module, &function, 2);
                }
                _ => {
                    self.skip_arguments(opcode)?;
                    self.advance(opcode);
                    self.top = Value::Other;
                }
            }
        }
    }

    /// Whether this opcode goes on spelling.
    fn advance(&mut self, opcode: u8) {
        self.spelt = match (self.spelt, opcode) {
            (Spelt::Key, 0x88) => Spelt::Entry,
            (Spelt::Entry, b's' | b'u') => Spelt::Dictionary,
            (Spelt::Dictionary, b't') => Spelt::Arguments,
            (Spelt::Arguments, b'R') => {
                self.found.push(std::mem::take(&mut self.name));
                Spelt::Nothing
            }
            _ => Spelt::Nothing,
        };
    }

    fn push(&mut self, value: Value) {
        self.spelt = Spelt::Nothing;
        match &value {
            Value::Text(text) => {
                if text == "neg" {
                    self.spelt = Spelt::Key;
                }
                self.texts.rotate_right(1);
                self.texts[0].clone_from(text);
            }
            Value::Rebuild => self.name.clone_from(&self.texts[0]),
            Value::Other => {}
        }
        self.top = value;
    }

    /// A global by its names, which `spent` strings before it spelt.
    fn global(&mut self, module: &str, function: &str, spent: usize) {
        self.texts.rotate_left(spent);
        let rebuild = module == "torch._utils" && function == "_rebuild_tensor_v2";
        self.push(if rebuild { Value::Rebuild } else { Value::Other });
    }

    fn remember(&mut self, width: u64) -> io::Result<()> {
        let number = self.number(width)?;
        self.memo.insert(number, self.top.clone());
        Ok(())
    }

    fn recall(&mut self, width: u64) -> io::Result<()> {
        let number = self.number(width)?;
        self.push(self.memo.get(&number).cloned().unwrap_or(Value::Other));
        Ok(())
    }

    fn text(&mut self, width: u64) -> io::Result<()> {
        let length = self.number(width)?;
        let mut bytes = Vec::new();
        self.reader.by_ref().take(length.min(LONGEST)).read_to_end(&mut bytes)?;
        self.skip(length.saturating_sub(LONGEST))?;
        self.push(Value::Text(String::from_utf8_lossy(&bytes).into_owned()));
        Ok(())
    }

    fn skip_arguments(&mut self, opcode: u8) -> io::Result<()> {
        match opcode {
            b'K' | 0x80 | 0x82 => self.skip(1),
            b'M' | 0x83 => self.skip(2),
            b'J' | 0x84 => self.skip(4),
            b'G' => self.skip(8),
            b'I' | b'L' | b'F' | b'P' => self.line().map(drop),
            b'C' | 0x8a => self.skip_counted(1),
            b'B' | 0x8b => self.skip_counted(4),
            0x8e | 0x96 => self.skip_counted(8),
            _ => Ok(()),
        }
    }

    fn skip_counted(&mut self, width: u64) -> io::Result<()> {
        let length = self.number(width)?;
        self.skip(length)
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.reader.by_ref().take(length), &mut io::sink())?;
        if skipped < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// A little-endian number of up to eight bytes.
    fn number(&mut self, width: u64) -> io::Result<u64> {
        let mut bytes = [0; 8];
        let (used, _) = bytes.split_at_mut(width as usize);
        self.reader.read_exact(used)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut bytes)?;
        if bytes.pop() != Some(b'\n') {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
