//! Memory for every program here: jemalloc on huge pages.
//!
//! A state is hundreds of megabytes that a cycle reads all over, and that a delta replaces piece by piece: with pages of 4 KiB much
//! of a cycle is looking addresses up and having fresh pages cleared. A program that names this crate (`use allocator as _;`)
//! gets jemalloc on Linux, set up by `.cargo/config.toml` when it is built; elsewhere the system's allocator stays.
//! `docs/decisions/allocator.md` has the measurements.

#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Bytes that Rust code of this process has allocated and not freed, each allocation rounded up to its size class; `None` where
/// the allocator is not ours.
#[must_use]
pub fn live_bytes() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        use tikv_jemalloc_ctl::{epoch, stats};
        epoch::advance().ok()?;
        stats::allocated::read().ok()?.try_into().ok()
    }
    #[cfg(not(target_os = "linux"))]
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tikv_jemalloc_ctl::{Access, AsName};

    #[test]
    fn live_bytes_follow_what_is_held() {
        const HELD: u64 = 64 << 20;
        /// What the rest of the process may free or allocate meanwhile.
        const OTHERS: u64 = HELD / 4;
        let live = || super::live_bytes().unwrap_or(0);
        let before = live();
        let held = std::hint::black_box(vec![1_u8; HELD as usize]);
        let with = live();
        assert!(with > before + HELD - OTHERS, "{before} then {with}");
        drop(held);
        let after = live();
        assert!(after < before + OTHERS, "{before} then {after}");
    }

    #[test]
    fn it_is_set_up_as_decided() {
        let decay: Option<isize> = b"opt.dirty_decay_ms\0".name().read().ok();
        assert_eq!(decay, Some(5_000), "see .cargo/config.toml");
    }
}
