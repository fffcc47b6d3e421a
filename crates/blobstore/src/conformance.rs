//! What every back end must keep, as tests that take any [`BlobStore`].
//!
//! A back end's own tests call [`run`] with a fresh prefix; it panics with the sentence that is broken. Lives in the
//! library, not in a test folder, so that back ends in other crates can pass the same suite.

use std::sync::Barrier;
use std::thread;

use crate::{BlobStore, Created, Error, Etag, Result, Swapped};

/// Runs the whole suite on `store`, below `prefix` (a key without blobs below it yet, no `/` at its end).
///
/// # Errors
/// Whatever the store fails with where it should not.
///
/// # Panics
/// Where the store breaks a promise.
pub fn run(store: &dyn BlobStore, prefix: &str) -> Result<()> {
    absent_blobs_are_none(store, &format!("{prefix}/absent"))?;
    what_is_put_is_read(store, &format!("{prefix}/put"))?;
    create_never_replaces(store, &format!("{prefix}/create"))?;
    create_from_names_a_content_twice(store, &format!("{prefix}/create-from"))?;
    the_background_is_the_same_store(store, &format!("{prefix}/background"))?;
    swap_needs_the_expected_content(store, &format!("{prefix}/swap"))?;
    list_is_ordered_and_exact(store, &format!("{prefix}/list"))?;
    long_lists_are_whole(store, &format!("{prefix}/list-long"))?;
    deleted_blobs_are_gone(store, &format!("{prefix}/delete"))?;
    malformed_keys_are_refused(store)?;
    one_creator_wins(store, &format!("{prefix}/race-create"), 20, 10_000)?;
    no_swap_is_lost(store, &format!("{prefix}/race-swap"))?;
    readers_see_whole_blobs(store, &format!("{prefix}/race-read"))
}

/// Of racing creators of large blobs (in parts, where a back end has such) exactly one wins, too. Apart from [`run`], since
/// some servers look at the beginning of a request and write at its end, which large blobs bring to light (docs/s3.md says
/// which, and why states are safe there all the same).
///
/// # Errors
/// As [`run`].
///
/// # Panics
/// Where two win.
pub fn run_large_races(store: &dyn BlobStore, prefix: &str) -> Result<()> {
    one_creator_wins(store, &format!("{prefix}/race-create-large"), 3, 6 << 20)
}

fn absent_blobs_are_none(store: &dyn BlobStore, prefix: &str) -> Result<()> {
    let key = format!("{prefix}/nothing");
    assert_eq!(store.get(&key)?, None, "get of an absent blob");
    assert_eq!(store.head(&key)?, None, "head of an absent blob");
    assert_eq!(store.list(prefix)?, [], "list without blobs");
    store.put(&key, b"x")?;
    assert_eq!(store.get(prefix)?, None, "a folder is no blob");
    assert_eq!(store.head(prefix)?, None, "a folder is no blob");
    Ok(())
}

fn what_is_put_is_read(store: &dyn BlobStore, prefix: &str) -> Result<()> {
    // The last is beyond what back ends send in one piece or buffer in a page.
    for length in [0_usize, 1, 4096, 9 << 20] {
        let key = format!("{prefix}/{length}");
        let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let etag = store.put(&key, &bytes)?;
        let blob = store
            .get(&key)?
            .unwrap_or_else(|| panic!("put blob {key} is absent"));
        assert!(blob.bytes == bytes, "content of {key} after put");
        assert_eq!(blob.etag, etag, "mark of {key} after put");
        let info = store
            .head(&key)?
            .unwrap_or_else(|| panic!("put blob {key} has no head"));
        assert_eq!(
            (info.key, info.size),
            (key, length as u64),
            "head after put"
        );
    }
    let many: Vec<(String, Vec<u8>)> = (0..5_u8)
        .map(|at| (format!("{prefix}/many-{}/{at}", at / 2), vec![at; 70_000]))
        .collect();
    store.put_all(&many)?;
    store.put_all(&many[..1])?;
    store.put_all(&[])?;
    let is_there = |(key, bytes): &(String, Vec<u8>), after| {
        let is_equal = content(store, key)?.as_ref() == Some(bytes);
        assert!(is_equal, "content of {key} after {after}");
        Ok(())
    };
    many.iter().try_for_each(|blob| is_there(blob, "put_all"))?;
    let soon: Vec<(String, Vec<u8>)> = (1..7_u8)
        .map(|at| (format!("{prefix}/many-{}/{at}", at / 2), vec![!at; 90_000]))
        .collect();
    let durably = store.put_all_soon(&soon)?;
    soon.iter()
        .try_for_each(|blob| is_there(blob, "put_all_soon"))?;
    durably()?;
    soon.iter()
        .try_for_each(|blob| is_there(blob, "what put_all_soon returns"))?;
    store.put_all_soon(&[])?()?;
    let key = format!("{prefix}/twice");
    let first = store.put(&key, b"first")?;
    let second = store.put(&key, b"second")?;
    assert_ne!(first, second, "marks of different contents");
    assert_eq!(
        content(store, &key)?.as_deref(),
        Some(&b"second"[..]),
        "put replaces"
    );
    Ok(())
}

fn create_never_replaces(store: &dyn BlobStore, prefix: &str) -> Result<()> {
    let key = format!("{prefix}/blob");
    assert_eq!(store.create(&key, b"one")?, Created::Created);
    assert_eq!(store.create(&key, b"two")?, Created::Exists);
    assert_eq!(
        store.create(&key, b"one")?,
        Created::Exists,
        "also with equal bytes"
    );
    assert_eq!(
        content(store, &key)?.as_deref(),
        Some(&b"one"[..]),
        "the first stays"
    );
    store.delete(&key)?;
    assert_eq!(
        store.create(&key, b"two")?,
        Created::Created,
        "after a delete"
    );
    Ok(())
}

fn create_from_names_a_content_twice(store: &dyn BlobStore, prefix: &str) -> Result<()> {
    let (source, key) = (format!("{prefix}/candidate/blob"), format!("{prefix}/blob"));
    let absent = store.create_from(&key, &source);
    assert!(
        matches!(absent, Err(Error::Absent { .. })),
        "create from nothing gave {absent:?}"
    );
    store.put(&source, b"one")?;
    assert_eq!(store.create_from(&key, &source)?, Created::Created);
    assert_eq!(store.create_from(&key, &source)?, Created::Exists);
    store.sync(&[key.clone(), source.clone()])?;
    store.put(&source, b"two")?;
    assert_eq!(
        content(store, &key)?.as_deref(),
        Some(&b"one"[..]),
        "a later put of the source changes nothing"
    );
    assert_eq!(store.create_from(&key, &source)?, Created::Exists);
    assert_eq!(store.create_known(&key, &source, b"two")?, Created::Exists);
    let other = format!("{prefix}/other");
    let created = store.create_known(&other, &source, b"two")?;
    assert_eq!(created, Created::Created);
    assert_eq!(content(store, &other)?.as_deref(), Some(&b"two"[..]));
    store.delete(&source)?;
    assert_eq!(
        content(store, &key)?.as_deref(),
        Some(&b"one"[..]),
        "the source may go"
    );
    let (source, key) = (
        format!("{prefix}/large+50%2F&=?"),
        format!("{prefix}/large"),
    );
    store.put(&source, &large())?;
    assert_eq!(store.create_from(&key, &source)?, Created::Created);
    assert_eq!(store.create_from(&key, &source)?, Created::Exists);
    store.delete(&source)?;
    assert!(
        content(store, &key)?.as_ref() == Some(&large()),
        "content of a large blob under its second name"
    );
    Ok(())
}

/// A blob that S3 takes in parts.
fn large() -> Vec<u8> {
    (0..6 << 20).map(|at: u32| (at % 253) as u8).collect()
}

fn the_background_is_the_same_store(store: &dyn BlobStore, prefix: &str) -> Result<()> {
    let Some(background) = store.in_background() else {
        return Ok(());
    };
    let key = |name: &str| format!("{prefix}/{name}");
    let large = large();
    background.put_all(&[(key("large"), large.clone()), (key("small"), vec![7])])?;
    assert!(
        content(store, &key("large"))?.as_ref() == Some(&large),
        "content of a large blob that was put in the background"
    );
    assert_eq!(
        background.create_from(&key("named"), &key("large"))?,
        Created::Created
    );
    assert_eq!(store.create(&key("named"), b"other")?, Created::Exists);
    assert!(
        content(&*background, &key("named"))?.as_ref() == Some(&large),
        "content of a large blob that is read in the background"
    );
    assert_eq!(store.create(&key("ours"), b"ours")?, Created::Created);
    assert_eq!(
        background.create(&key("ours"), b"other")?,
        Created::Exists,
        "what the one created the other sees"
    );
    assert!(background.delete(&key("large"))?);
    assert_eq!(content(store, &key("large"))?, None);
    Ok(())
}

fn swap_needs_the_expected_content(store: &dyn BlobStore, prefix: &str) -> Result<()> {
    let key = format!("{prefix}/blob");
    let stranger = store.put(&format!("{prefix}/stranger"), b"never the blob's content")?;
    assert_eq!(
        store.compare_and_swap(&key, Some(&stranger), b"x")?,
        Swapped::Conflict,
        "swap of an absent blob"
    );
    assert_eq!(store.get(&key)?, None, "a conflict writes nothing");
    let first = swapped(store.compare_and_swap(&key, None, b"one")?);
    assert_eq!(
        store.compare_and_swap(&key, None, b"two")?,
        Swapped::Conflict,
        "expected none"
    );
    let second = swapped(store.compare_and_swap(&key, Some(&first), b"two")?);
    assert_eq!(
        store.compare_and_swap(&key, Some(&first), b"three")?,
        Swapped::Conflict,
        "expected an older content"
    );
    let blob = store.get(&key)?;
    assert_eq!(blob.as_ref().map(|blob| &blob.bytes[..]), Some(&b"two"[..]));
    assert_eq!(
        blob.map(|blob| blob.etag),
        Some(second.clone()),
        "get and swap give one mark"
    );
    store.delete(&key)?;
    assert_eq!(
        store.compare_and_swap(&key, Some(&second), b"three")?,
        Swapped::Conflict,
        "deleted meanwhile"
    );
    Ok(())
}

fn list_is_ordered_and_exact(store: &dyn BlobStore, prefix: &str) -> Result<()> {
    // '-' sorts before '/', so a walk folder by folder without sorting would be wrong.
    let names = [
        "a",
        "b-1",
        "b/2",
        "b/c/3",
        "b0",
        "d/snapshot-10",
        "d/snapshot-9",
        "d2/x",
    ];
    for (at, name) in names.iter().enumerate() {
        store.put(&format!("{prefix}/{name}"), &vec![0; at])?;
    }
    let listed = |inner: &str| -> Result<Vec<String>> {
        let found = store.list(&format!("{prefix}/{inner}"))?;
        Ok(found
            .into_iter()
            .map(|info| info.key[prefix.len() + 1..].to_owned())
            .collect())
    };
    let mut sorted = names;
    sorted.sort_unstable();
    assert_eq!(listed("")?, sorted);
    assert_eq!(listed("b")?, ["b-1", "b/2", "b/c/3", "b0"]);
    assert_eq!(listed("b/")?, ["b/2", "b/c/3"]);
    assert_eq!(listed("d/snapshot-")?, ["d/snapshot-10", "d/snapshot-9"]);
    assert_eq!(listed("d/snapshot-1")?, ["d/snapshot-10"]);
    assert_eq!(listed("nothing")?, [] as [&str; 0]);
    let sizes: Vec<u64> = store
        .list(&format!("{prefix}/d/"))?
        .iter()
        .map(|info| info.size)
        .collect();
    assert_eq!(sizes, [5, 6], "sizes in a listing");
    Ok(())
}

/// Longer than the pages that back ends list in (S3's have 1,000).
fn long_lists_are_whole(store: &dyn BlobStore, prefix: &str) -> Result<()> {
    let blobs: Vec<(String, Vec<u8>)> = (0..1_100)
        .map(|at| (format!("{prefix}/{at:04}"), vec![0; at % 3]))
        .collect();
    blobs.chunks(50).try_for_each(|some| store.put_all(some))?;
    let listed = store.list(&format!("{prefix}/"))?;
    let expected = blobs.iter().map(|(key, bytes)| (key, bytes.len() as u64));
    assert!(
        listed
            .iter()
            .map(|info| (&info.key, info.size))
            .eq(expected),
        "a list of 1,100 blobs has {} and is whole and in order",
        listed.len()
    );
    Ok(())
}

fn deleted_blobs_are_gone(store: &dyn BlobStore, prefix: &str) -> Result<()> {
    let key = format!("{prefix}/deep/down/blob");
    store.put(&key, b"x")?;
    assert!(store.delete(&key)?, "delete of a present blob");
    assert_eq!(store.get(&key)?, None);
    assert_eq!(store.list(prefix)?, []);
    store.delete(&key)?;
    store.put(&key, b"y")?;
    assert_eq!(
        content(store, &key)?.as_deref(),
        Some(&b"y"[..]),
        "put after delete"
    );
    Ok(())
}

fn malformed_keys_are_refused(store: &dyn BlobStore) -> Result<()> {
    let etag = Etag::of_content(b"");
    for key in [
        "",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../../b",
        ".",
        "a/.tmp",
        "a\nb",
    ] {
        let refused = |what: &str, result: Result<()>| {
            assert!(
                matches!(result, Err(Error::Key { .. })),
                "{what} of {key:?} gave {result:?}"
            );
        };
        refused("get", store.get(key).map(drop));
        refused("head", store.head(key).map(drop));
        refused("put", store.put(key, b"x").map(drop));
        refused(
            "put_all",
            store.put_all(&[("a/b".to_owned(), Vec::new()), (key.to_owned(), Vec::new())]),
        );
        refused("sync", store.sync(&[key.to_owned()]));
        refused("create", store.create(key, b"x").map(drop));
        refused(
            "swap",
            store.compare_and_swap(key, Some(&etag), b"x").map(drop),
        );
        refused("delete", store.delete(key).map(drop));
    }
    for prefix in ["..", "a/../b", "/", "a//"] {
        assert!(
            matches!(store.list(prefix), Err(Error::Key { .. })),
            "list of {prefix:?}"
        );
    }
    Ok(())
}

fn one_creator_wins(
    store: &dyn BlobStore,
    prefix: &str,
    rounds: usize,
    length: usize,
) -> Result<()> {
    const CREATORS: usize = 8;
    for round in 0..rounds {
        let key = format!("{prefix}/{round}");
        let barrier = Barrier::new(CREATORS);
        let winners: Vec<usize> = thread::scope(|scope| {
            let creators: Vec<_> = (0..CREATORS)
                .map(|creator| {
                    let (key, barrier) = (&key, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        let content = vec![creator as u8; length];
                        (creator, store.create(key, &content))
                    })
                })
                .collect();
            creators
                .into_iter()
                .map(|creator| {
                    creator
                        .join()
                        .unwrap_or_else(|_| panic!("a creator panicked"))
                })
                .filter_map(|(creator, created)| match created {
                    Ok(Created::Created) => Some(Ok(creator)),
                    Ok(Created::Exists) => None,
                    Err(error) => Some(Err(error)),
                })
                .collect::<Result<_>>()
        })?;
        assert_eq!(winners.len(), 1, "creators that won {key}");
        let expected = vec![winners[0] as u8; length];
        assert!(
            content(store, &key)? == Some(expected),
            "the winner's bytes are in place"
        );
    }
    Ok(())
}

fn no_swap_is_lost(store: &dyn BlobStore, prefix: &str) -> Result<()> {
    const WRITERS: u64 = 4;
    const INCREMENTS: u64 = 25;
    let key = format!("{prefix}/counter");
    store.put(&key, b"0")?;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let key = &key;
                scope.spawn(move || -> Result<()> {
                    for _ in 0..INCREMENTS {
                        loop {
                            let blob = store
                                .get(key)?
                                .unwrap_or_else(|| panic!("the counter is absent"));
                            let next = (number(&blob.bytes) + 1).to_string();
                            if let Swapped::Swapped(_) =
                                store.compare_and_swap(key, Some(&blob.etag), next.as_bytes())?
                            {
                                break;
                            }
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        writers.into_iter().try_for_each(|writer| {
            writer
                .join()
                .unwrap_or_else(|_| panic!("a writer panicked"))
        })
    })?;
    let count = content(store, &key)?.map(|bytes| number(&bytes));
    assert_eq!(count, Some(WRITERS * INCREMENTS), "increments that arrived");
    Ok(())
}

fn readers_see_whole_blobs(store: &dyn BlobStore, prefix: &str) -> Result<()> {
    let key = format!("{prefix}/blob");
    let content_of = |round: u8| vec![round; 200_000 + usize::from(round)];
    store.put(&key, &content_of(0))?;
    thread::scope(|scope| {
        let writer = scope
            .spawn(|| (1..40).try_for_each(|round| store.put(&key, &content_of(round)).map(drop)));
        while !writer.is_finished() {
            let bytes =
                content(store, &key)?.unwrap_or_else(|| panic!("a replaced blob is absent"));
            let round = bytes.first().copied().unwrap_or(255);
            assert!(
                bytes == content_of(round),
                "a mixture or a part of contents is visible"
            );
        }
        writer
            .join()
            .unwrap_or_else(|_| panic!("the writer panicked"))
    })
}

fn content(store: &dyn BlobStore, key: &str) -> Result<Option<Vec<u8>>> {
    Ok(store.get(key)?.map(|blob| blob.bytes))
}

fn swapped(outcome: Swapped) -> Etag {
    match outcome {
        Swapped::Swapped(etag) => etag,
        Swapped::Conflict => panic!("a swap with the expected content in place is a conflict"),
    }
}

fn number(bytes: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(bytes);
    text.parse()
        .unwrap_or_else(|_| panic!("the counter is {text:?}"))
}
