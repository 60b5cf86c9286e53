//! Little-endian fields at fixed places of a buffer.

/// A value that stands in a buffer as so many bytes, lowest first.
pub trait Field: Sized {
    /// Bytes that it takes.
    const SIZE: usize;
    /// Reads it at `at`; bytes beyond the buffer read as zero.
    fn get(bytes: &[u8], at: usize) -> Self;
    /// Writes it at `at`; what lies beyond the buffer is left out.
    fn put(&self, bytes: &mut [u8], at: usize);
}

macro_rules! numbers {
    ($($number:ty),+) => {
        $(impl Field for $number {
            const SIZE: usize = size_of::<Self>();
            fn get(bytes: &[u8], at: usize) -> Self {
                let mut raw = [0; size_of::<Self>()];
                if let Some(there) = bytes.get(at..).and_then(|rest| rest.get(..raw.len())) {
                    raw.copy_from_slice(there);
                }
                Self::from_le_bytes(raw)
            }
            fn put(&self, bytes: &mut [u8], at: usize) {
                let raw = self.to_le_bytes();
                if let Some(there) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..raw.len())) {
                    there.copy_from_slice(&raw);
                }
            }
        })+
    };
}

numbers!(u8, u16, u32, i32, u64);

impl<F: Field, const N: usize> Field for [F; N] {
    const SIZE: usize = F::SIZE * N;
    fn get(bytes: &[u8], at: usize) -> Self {
        core::array::from_fn(|nth| F::get(bytes, at + nth * F::SIZE))
    }
    fn put(&self, bytes: &mut [u8], at: usize) {
        for (nth, field) in self.iter().enumerate() {
            field.put(bytes, at + nth * F::SIZE);
        }
    }
}

/// Defines structures by the offsets of their fields and their size, which the compiler compares with
/// the layout that C gives them.
macro_rules! layout {
    ($(
        $(#[$doc:meta])*
        $name:ident: $size:literal {
            $($(#[$field_doc:meta])* $field:ident: $kind:ty = $offset:literal,)+
        }
    )+) => {
        $(
            $(#[$doc])*
            #[repr(C)]
            #[derive(Clone, Copy, PartialEq, Eq, Debug)]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $kind,)+
            }

            const _: () = assert!(size_of::<$name>() == $size);
            $(const _: () = assert!(core::mem::offset_of!($name, $field) == $offset);)+
            $(const _: () = assert!(<$kind as $crate::hypercall::abi::Field>::SIZE == size_of::<$kind>());)+

            impl $name {
                /// Bytes that it takes.
                pub const SIZE: usize = $size;

                /// Reads it from the start of a buffer. What a short buffer lacks is zero.
                pub fn decode(bytes: &[u8]) -> Self {
                    Self {
                        $($field: $crate::hypercall::abi::Field::get(bytes, $offset),)+
                    }
                }

                /// Writes it as bytes, with zeroes between the fields.
                pub fn encode(&self) -> [u8; $size] {
                    let mut bytes = [0; $size];
                    $($crate::hypercall::abi::Field::put(&self.$field, &mut bytes, $offset);)+
                    bytes
                }
            }
        )+
    };
}

pub(crate) use layout;
