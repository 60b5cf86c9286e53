//! Values of properties, and their bytes.

/// A property's value before it becomes bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// No bytes: the presence of the property carries the meaning.
    Empty,
    /// Big-endian 32-bit cells.
    Cells(Vec<u32>),
    /// Big-endian 64-bit numbers, two cells each.
    Cells64(Vec<u64>),
    /// One NUL-terminated string.
    Text(String),
    /// NUL-terminated strings, one after another.
    Texts(Vec<String>),
    /// Raw bytes.
    Bytes(Vec<u8>),
}

impl Value {
    /// Returns the bytes in the blob.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Empty => Vec::new(),
            Self::Cells(cells) => cells.iter().flat_map(|cell| cell.to_be_bytes()).collect(),
            Self::Cells64(cells) => cells.iter().flat_map(|cell| cell.to_be_bytes()).collect(),
            Self::Text(text) => terminated(text).collect(),
            Self::Texts(texts) => texts.iter().flat_map(|text| terminated(text)).collect(),
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
}

fn terminated(text: &str) -> impl Iterator<Item = u8> + '_ {
    text.bytes().chain([0])
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Empty
    }
}

impl From<u32> for Value {
    fn from(cell: u32) -> Self {
        Self::Cells(vec![cell])
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Cells64(vec![number])
    }
}

impl From<&[u32]> for Value {
    fn from(cells: &[u32]) -> Self {
        Self::Cells(cells.to_vec())
    }
}

impl<const N: usize> From<[u32; N]> for Value {
    fn from(cells: [u32; N]) -> Self {
        Self::Cells(cells.to_vec())
    }
}

impl From<Vec<u32>> for Value {
    fn from(cells: Vec<u32>) -> Self {
        Self::Cells(cells)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<const N: usize> From<[&str; N]> for Value {
    fn from(texts: [&str; N]) -> Self {
        Self::Texts(texts.map(str::to_owned).to_vec())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}
