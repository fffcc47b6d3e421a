//! Work on several types at once, where it pays: waking threads up costs more than a small cycle.

use rayon::prelude::*;

/// Records that a cycle must touch for threads to pay.
const WORTHWHILE: usize = 8192;

/// Records that a thread takes in one go.
const BLOCK: usize = 1024;

/// Whether work on this many records is worth threads.
pub(super) fn is_worthwhile(records: usize) -> bool {
    records >= WORTHWHILE
}

/// Calls `each` for every item.
pub(super) fn for_each<T: Send>(items: &mut [T], parallel: bool, each: impl Fn(&mut T) + Sync) {
    if parallel {
        items.par_iter_mut().with_max_len(1).for_each(&each);
    } else {
        items.iter_mut().for_each(each);
    }
}

/// The results of `each` for 0 to `count`, in order; of several errors the first.
pub(super) fn map<T: Send, E: Send>(
    count: usize,
    parallel: bool,
    each: impl Fn(usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    if parallel {
        let items = (0..count).into_par_iter().with_max_len(1);
        let results: Vec<Result<T, E>> = items.map(&each).collect();
        results.into_iter().collect()
    } else {
        (0..count).map(each).collect()
    }
}

/// The results of `each` for the records 0 to `count` of one type, in order. A thread's calls share what `scratch` makes.
pub(super) fn map_records<S, T: Send>(
    count: usize,
    scratch: impl Fn() -> S + Sync + Send,
    each: impl Fn(&mut S, usize) -> T + Sync + Send,
) -> Vec<T> {
    if is_worthwhile(count) {
        let records = (0..count).into_par_iter().with_min_len(BLOCK);
        records.map_init(scratch, each).collect()
    } else {
        let mut scratch = scratch();
        (0..count).map(|at| each(&mut scratch, at)).collect()
    }
}

/// As [`map_records`], of the first record for which `each` gives something.
pub(super) fn find_record<S, T: Send>(
    count: usize,
    scratch: impl Fn() -> S + Sync + Send,
    each: impl Fn(&mut S, usize) -> Option<T> + Sync + Send,
) -> Option<T> {
    if is_worthwhile(count) {
        let records = (0..count).into_par_iter().with_min_len(BLOCK);
        let found = records.map_init(scratch, each);
        found.find_map_first(|found| found)
    } else {
        let mut scratch = scratch();
        (0..count).find_map(|at| each(&mut scratch, at))
    }
}
