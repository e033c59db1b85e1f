//! The container of an AVIF file: which bytes are the picture's, and what is said of them.

use std::borrow::Cow;
use std::collections::HashMap;

use super::boxes::Bytes;

/// The alpha channel's kind of auxiliary picture, by its two names.
const ALPHA: [&[u8]; 2] = [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1"];

/// The most tiles of a grid; a number of rows or columns has eight bits.
const MAX_TILES: usize = 256 * 256;

/// A picture as its file describes it.
pub(super) struct Container<'a> {
    /// Width and height.
    pub(super) size: [u32; 2],
    /// The coded pictures, row by row.
    pub(super) tiles: Vec<Cow<'a, [u8]>>,
    /// How many tiles are in a row, and how many rows there are.
    pub(super) grid: [usize; 2],
    /// Width and height of each tile.
    pub(super) tile_size: [u32; 2],
    /// What the file says of its colours; else the coded picture says it.
    pub(super) colours: Option<Colours>,
    /// Whether an alpha channel lies beside the picture.
    pub(super) has_alpha: bool,
}

/// How luminance and colour differences are to be understood, in the numbers of ITU-T H.273.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colours {
    pub(super) primaries: u16,
    pub(super) matrix: u16,
    pub(super) full_range: bool,
}

/// How a picture is to be turned before it is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// Quarter turns anticlockwise.
    pub(super) quarters: Option<u8>,
    /// After them a mirror: 0 swaps top and bottom, 1 left and right.
    pub(super) mirror: Option<u8>,
}

impl<'a> Container<'a> {
    pub(super) fn of(file: &'a [u8]) -> Result<Self, String> {
        let meta = Meta::of(file)?;
        let properties = meta.properties(meta.primary)?;
        let kind = meta.kind(meta.primary)?;
        let size = properties.size.ok_or("it does not say how large the picture is")?;
        let mut container = Self {
            size,
            tiles: Vec::new(),
            grid: [1, 1],
            tile_size: size,
            colours: properties.colours,
            has_alpha: meta.has_alpha(meta.primary),
        };
        match &kind {
            b"av01" => container.tiles.push(meta.data(meta.primary)?),
            b"grid" => container.tile(&meta)?,
            _ => return Err(format!("its picture is coded as `{}`, not as AV1", name(kind))),
        }
        if meta.is_premultiplied() {
            return Err("its colours are multiplied by their opacity".to_owned());
        }
        Ok(container)
    }

    fn tile(&mut self, meta: &Meta<'a>) -> Result<(), String> {
        let description = meta.data(meta.primary)?;
        let mut description = Bytes(&description);
        let (_, flags) = (description.byte()?, description.byte()?);
        let rows = usize::from(description.byte()?) + 1;
        let columns = usize::from(description.byte()?) + 1;
        let mut side = || description.short_or_long(flags & 1 != 0);
        let size = [side()?, side()?];
        if size != self.size {
            return Err(format!("its grid is {}, its picture {}", sides(size), sides(self.size)));
        }
        let tiles: Vec<u32> = meta.references(*b"dimg", meta.primary).collect();
        if tiles.len() != rows * columns || tiles.len() > MAX_TILES {
            return Err(format!("its grid has {columns} x {rows} tiles, and {} are there", tiles.len()));
        }
        for tile in &tiles {
            if meta.kind(*tile)? != *b"av01" {
                return Err(format!("a tile is coded as `{}`, not as AV1", name(meta.kind(*tile)?)));
            }
            let size = meta.properties(*tile)?.size.ok_or("a tile does not say how large it is")?;
            if self.tiles.is_empty() {
                self.tile_size = size;
            } else if self.tile_size != size {
                return Err("the tiles of its grid are of different sizes".to_owned());
            }
            self.tiles.push(meta.data(*tile)?);
        }
        self.grid = [columns, rows];
        self.has_alpha |= tiles.iter().all(|tile| meta.has_alpha(*tile));
        Ok(())
    }
}

/// How the file says that its picture is to be turned.
pub(super) fn turn(file: &[u8]) -> Result<Turn, String> {
    let meta = Meta::of(file)?;
    Ok(meta.properties(meta.primary)?.turn)
}

fn name(kind: [u8; 4]) -> String {
    kind.escape_ascii().to_string()
}

fn sides([width, height]: [u32; 2]) -> String {
    format!("{width} x {height} pixels")
}

/// What is said of one picture.
#[derive(Default)]
struct Properties {
    size: Option<[u32; 2]>,
    colours: Option<Colours>,
    turn: Turn,
}

struct Reference {
    kind: [u8; 4],
    from: u32,
    to: Vec<u32>,
}

/// Where the bytes of an item are.
struct Location {
    in_meta: bool,
    parts: Vec<[u64; 2]>,
}

/// The box that describes the items of a file.
#[derive(Default)]
struct Meta<'a> {
    file: &'a [u8],
    data: &'a [u8],
    primary: u32,
    kinds: HashMap<u32, [u8; 4]>,
    locations: HashMap<u32, Location>,
    references: Vec<Reference>,
    properties: Vec<([u8; 4], Bytes<'a>)>,
    /// The numbers of an item's properties, from 1, and whether a reader must know them.
    associations: HashMap<u32, Vec<(usize, bool)>>,
}

impl<'a> Meta<'a> {
    fn of(file: &'a [u8]) -> Result<Self, String> {
        let mut boxes = Bytes(file);
        while !boxes.is_empty() {
            let (kind, content) = boxes.next_box()?;
            if kind == *b"meta" {
                let mut meta = Meta { file, ..Self::default() };
                meta.read(content)?;
                return Ok(meta);
            }
        }
        Err("it does not say which picture it holds".to_owned())
    }

    fn read(&mut self, mut content: Bytes<'a>) -> Result<(), String> {
        content.version()?;
        while !content.is_empty() {
            let (kind, mut inner) = content.next_box()?;
            match &kind {
                b"pitm" => {
                    let (version, _) = inner.version()?;
                    self.primary = inner.short_or_long(version > 0)?;
                }
                b"iinf" => self.read_kinds(inner)?,
                b"iloc" => self.read_locations(inner)?,
                b"iref" => self.read_references(inner)?,
                b"iprp" => self.read_properties(inner)?,
                b"idat" => self.data = inner.0,
                _ => {}
            }
        }
        Ok(())
    }

    fn read_kinds(&mut self, mut inner: Bytes<'a>) -> Result<(), String> {
        let (version, _) = inner.version()?;
        inner.short_or_long(version > 0)?;
        while !inner.is_empty() {
            let (kind, mut entry) = inner.next_box()?;
            let (version, _) = entry.version()?;
            if kind != *b"infe" || version < 2 {
                continue;
            }
            let item = entry.short_or_long(version > 2)?;
            entry.short()?;
            let mut kind = [0; 4];
            kind.copy_from_slice(entry.take(4)?);
            self.kinds.insert(item, kind);
        }
        Ok(())
    }

    fn read_locations(&mut self, mut inner: Bytes<'a>) -> Result<(), String> {
        let (version, _) = inner.version()?;
        let lengths = inner.short()?;
        let nibble = |place: u32| usize::from(lengths >> (4 * place) & 15);
        let [offset, length, base, index] = [nibble(3), nibble(2), nibble(1), nibble(0)];
        let index = if version > 0 { index } else { 0 };
        if [offset, length, base, index].iter().any(|bytes| ![0, 4, 8].contains(bytes)) {
            return Err("the places of its pictures are numbers of a wrong size".to_owned());
        }
        for _ in 0..inner.short_or_long(version > 1)? {
            let item = inner.short_or_long(version > 1)?;
            let method = if version > 0 { inner.short()? & 15 } else { 0 };
            let other_file = inner.short()?;
            if method > 1 || other_file != 0 {
                return Err("a picture's bytes are in another picture, or in another file".to_owned());
            }
            let start = inner.number(base)?;
            let mut parts = Vec::new();
            for _ in 0..inner.short()? {
                inner.number(index)?;
                let part = inner.number(offset)?;
                parts.push([start.checked_add(part).ok_or("a place is past the end")?, inner.number(length)?]);
            }
            self.locations.insert(item, Location { in_meta: method == 1, parts });
        }
        Ok(())
    }

    fn read_references(&mut self, mut inner: Bytes<'a>) -> Result<(), String> {
        let (version, _) = inner.version()?;
        while !inner.is_empty() {
            let (kind, mut entry) = inner.next_box()?;
            let from = entry.short_or_long(version > 0)?;
            let count = entry.short()?;
            let to = (0..count).map(|_| entry.short_or_long(version > 0)).collect::<Result<_, _>>()?;
            self.references.push(Reference { kind, from, to });
        }
        Ok(())
    }

    fn read_properties(&mut self, mut inner: Bytes<'a>) -> Result<(), String> {
        while !inner.is_empty() {
            let (kind, mut content) = inner.next_box()?;
            if kind == *b"ipco" {
                while !content.is_empty() {
                    self.properties.push(content.next_box()?);
                }
            } else if kind == *b"ipma" {
                let (version, flags) = content.version()?;
                for _ in 0..content.long()? {
                    let item = content.short_or_long(version > 0)?;
                    let associations = self.associations.entry(item).or_default();
                    for _ in 0..content.byte()? {
                        let (length, essential) = if flags & 1 != 0 { (2, 1 << 15) } else { (1, 1 << 7) };
                        let both = content.number(length)?;
                        associations.push(((both & (essential - 1)) as usize, both & essential != 0));
                    }
                }
            }
        }
        Ok(())
    }

    fn kind(&self, item: u32) -> Result<[u8; 4], String> {
        self.kinds.get(&item).copied().ok_or_else(|| format!("item {item} is not in it"))
    }

    fn references(&self, kind: [u8; 4], from: u32) -> impl Iterator<Item = u32> {
        let of_kind = self.references.iter().filter(move |reference| reference.kind == kind && reference.from == from);
        of_kind.flat_map(|reference| reference.to.iter().copied())
    }

    /// The properties of an item, in the order in which it names them.
    fn named(&self, item: u32) -> impl Iterator<Item = ([u8; 4], Bytes<'a>, bool)> {
        let associations = self.associations.get(&item).into_iter().flatten();
        associations.filter_map(|(number, essential)| {
            let (kind, content) = self.properties.get(number.checked_sub(1)?)?;
            Some((*kind, *content, *essential))
        })
    }

    fn properties(&self, item: u32) -> Result<Properties, String> {
        let mut properties = Properties::default();
        for (kind, mut content, essential) in self.named(item) {
            match &kind {
                b"ispe" => {
                    content.version()?;
                    properties.size = Some([content.long()?, content.long()?]);
                }
                b"colr" if content.0.starts_with(b"nclx") => {
                    content.take(4)?;
                    let (primaries, _, matrix) = (content.short()?, content.short()?, content.short()?);
                    let full_range = content.byte()? & 0x80 != 0;
                    properties.colours = Some(Colours { primaries, matrix, full_range });
                }
                b"irot" => properties.turn.quarters = Some(content.byte()? & 3),
                b"imir" => properties.turn.mirror = Some(content.byte()? & 1),
                b"av1C" | b"auxC" | b"clap" | b"colr" | b"pasp" | b"pixi" => {}
                _ if essential => {
                    return Err(format!("it has a property `{}`, which is not understood here", name(kind)));
                }
                _ => {}
            }
        }
        Ok(properties)
    }

    /// The alpha channels of a picture: auxiliary pictures that say that they are one.
    fn alphas(&self, item: u32) -> impl Iterator<Item = u32> {
        let auxiliary =
            self.references.iter().filter(move |reference| reference.kind == *b"auxl" && reference.to.contains(&item));
        auxiliary.map(|reference| reference.from).filter(|from| {
            self.named(*from).any(|(kind, content, _)| {
                let named = content.0.get(4..).and_then(|text| text.split(|byte| *byte == 0).next());
                kind == *b"auxC" && named.is_some_and(|text| ALPHA.contains(&text))
            })
        })
    }

    fn has_alpha(&self, item: u32) -> bool {
        self.alphas(item).next().is_some()
    }

    fn is_premultiplied(&self) -> bool {
        self.references(*b"prem", self.primary).next().is_some()
    }

    /// The bytes of an item. Together its parts are no longer than the file, so that a small file stays small.
    fn data(&self, item: u32) -> Result<Cow<'a, [u8]>, String> {
        let location = self.locations.get(&item).ok_or_else(|| format!("it does not say where item {item} is"))?;
        let source = if location.in_meta { self.data } else { self.file };
        let part = |&[start, length]: &[u64; 2]| {
            let start = usize::try_from(start).ok()?;
            let length = if length == 0 { source.len().checked_sub(start)? } else { usize::try_from(length).ok()? };
            source.get(start..start.checked_add(length)?)
        };
        let cut = || "it is cut off before the end of its picture".to_owned();
        if let [only] = &location.parts[..] {
            return part(only).map(Cow::Borrowed).ok_or_else(cut);
        }
        let mut joined = Vec::new();
        for range in &location.parts {
            let bytes = part(range).ok_or_else(cut)?;
            if joined.len() + bytes.len() > self.file.len() {
                return Err("the parts of its picture are longer than the file".to_owned());
            }
            joined.extend_from_slice(bytes);
        }
        Ok(Cow::Owned(joined))
    }
}
