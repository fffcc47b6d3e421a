//! The hash functions that place elements in buckets and make up checksums (section 8).

/// `HashCodes.hashInt`.
#[inline]
pub fn hash_int(key: i32) -> i32 {
    let mut k = key as u32;
    k = (!k).wrapping_add(k << 15);
    k ^= k >> 12;
    k = k.wrapping_add(k << 2);
    k ^= k >> 4;
    k = k.wrapping_mul(2057);
    k ^= k >> 16;
    k as i32
}

/// `HashCodes.hashLong`.
#[inline]
pub fn hash_long(key: i64) -> i32 {
    let mut k = key as u64;
    k = (!k).wrapping_add(k << 18);
    k ^= k >> 31;
    k = k.wrapping_mul(21);
    k ^= k >> 11;
    k = k.wrapping_add(k << 6);
    k ^= k >> 22;
    k as u32 as i32
}

/// The seed under which Hollow uses MurmurHash3.
pub const MURMUR_SEED: u32 = 0xeab5_24b9;

/// MurmurHash3 x86 32-bit of `bytes` under Hollow's seed. For stored STRING bytes this is Hollow's hash of the string.
pub fn murmur3(bytes: &[u8]) -> i32 {
    murmur3_seeded(bytes, MURMUR_SEED)
}

/// MurmurHash3 x86 32-bit.
pub fn murmur3_seeded(bytes: &[u8], seed: u32) -> i32 {
    const C1: u32 = 0xcc9e_2d51;
    const C2: u32 = 0x1b87_3593;
    let scramble = |k: u32| k.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2);
    let (blocks, tail) = bytes.as_chunks::<4>();
    let mut h = seed;
    for block in blocks {
        h ^= scramble(u32::from_le_bytes(*block));
        h = h.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    if !tail.is_empty() {
        let mut last = [0; 4];
        last[..tail.len()].copy_from_slice(tail);
        h ^= scramble(u32::from_le_bytes(last));
    }
    h ^= bytes.len() as u32;
    h ^= h >> 16;
    h = h.wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^= h >> 16;
    h as i32
}

/// Java's `String.hashCode` over UTF-16 units.
pub fn java_string_hash(units: impl IntoIterator<Item = u16>) -> i32 {
    units.into_iter().fold(0i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    })
}

/// Elements beyond this number fit no set or map (`HashCodes.hashTableSize`).
pub const MAX_HASH_SIZE: u32 = 751_619_276;

/// Number of buckets of a SET or MAP of `size` elements (section 7); `None` beyond [`MAX_HASH_SIZE`].
#[inline]
pub fn bucket_count(size: u32) -> Option<u32> {
    match size {
        0 => Some(1),
        1 => Some(2),
        2 => Some(4),
        _ if size > MAX_HASH_SIZE => None,
        _ => Some(((u64::from(size) * 10 / 7) as u32).next_power_of_two()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::string;

    #[test]
    fn the_documents_values() {
        for (key, hash) in [
            (0, -895235421),
            (1, 316017654),
            (2, 632037349),
            (-1, -1118438376),
            (i32::MAX, 2015869290),
        ] {
            assert_eq!(hash_int(key), hash, "{key}");
        }
        for (key, hash) in [
            (1, 0x15515fbc),
            (20240101000000001, 0x17600fcb),
            (-1, 0x1fbbf8ea),
        ] {
            assert_eq!(hash_long(key), hash, "{key}");
        }
        for (text, hash) in [
            ("", 130510007),
            ("a", -1734206478),
            ("hello", 704330765),
            ("caf\u{e9}", -597906552),
            ("\u{1F600}", -1918406441),
        ] {
            let mut bytes = Vec::new();
            string::write_str(&mut bytes, text);
            assert_eq!(murmur3(&bytes), hash, "{text}");
        }
        assert_eq!(java_string_hash("hello".encode_utf16()), 99162322);
        assert_eq!(
            java_string_hash("polygenelubricants".encode_utf16()),
            i32::MIN
        );
    }

    #[test]
    fn buckets_as_hollow_makes_them() {
        let ranges = [
            (0, 0, 1),
            (1, 1, 2),
            (2, 2, 4),
            (3, 3, 4),
            (4, 6, 8),
            (7, 11, 16),
            (12, 23, 32),
            (24, 45, 64),
        ];
        for (from, to, buckets) in ranges {
            for size in from..=to {
                assert_eq!(bucket_count(size), Some(buckets), "{size}");
            }
        }
        assert_eq!(bucket_count(MAX_HASH_SIZE), Some(1 << 30));
        assert_eq!(bucket_count(MAX_HASH_SIZE + 1), None);
    }
}
