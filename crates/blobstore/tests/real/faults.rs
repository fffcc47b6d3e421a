//! What goes wrong between store and server: each call ends within its budget, with success only where it is one.

use std::time::{Duration, Instant};

use blobstore::{BlobStore, Created, Error, S3Options, S3Store, Swapped};
use tests_servers::{Fault, Proxy, SeaweedFs};

use crate::servers::{Server, bytes, in_parts, options};

/// A store behind a proxy before a server, in a new bucket, with a budget that a test can wait for.
fn behind(server: Server, bucket: &str) -> (Proxy, S3Store) {
    drop(server.store(bucket));
    let proxy = Proxy::start(&server.endpoint()).unwrap();
    let store = S3Store::new(impatient(&proxy.endpoint(), bucket)).unwrap();
    (proxy, store)
}

fn impatient(endpoint: &str, bucket: &str) -> S3Options {
    S3Options {
        attempt_timeout: Duration::from_secs(2),
        operation_timeout: Duration::from_secs(6),
        attempts_max: 4,
        ..in_parts(options(endpoint, bucket))
    }
}

fn content(store: &S3Store, key: &str) -> Option<Vec<u8>> {
    store.get(key).unwrap().map(|blob| blob.bytes)
}

const SERVERS: [Server; 2] = [Server::SeaweedFs, Server::Moto];

/// Three faults of a kind in a row are less than four attempts.
#[test]
fn passing_faults_are_not_noticed() {
    for server in SERVERS {
        let (proxy, store) = behind(server, "passing");
        for (round, fault) in [
            Fault::Refuse,
            Fault::Status(500),
            Fault::Status(502),
            Fault::Status(503),
            Fault::Status(429),
            Fault::LoseAnswer,
            Fault::CutRequest,
            Fault::CutAnswer,
            Fault::Delay(Duration::from_millis(300)),
        ]
        .into_iter()
        .enumerate()
        {
            let key = format!("a/{round}");
            let context = format!("{fault:?}");
            let three = || proxy.next([fault; 3]);
            three();
            assert_eq!(
                store.create(&key, b"one").unwrap(),
                Created::Created,
                "{context}"
            );
            three();
            let blob = store.get(&key).unwrap().unwrap();
            assert_eq!(blob.bytes, b"one", "{context}");
            three();
            let swapped = store.compare_and_swap(&key, Some(&blob.etag), b"two");
            let Swapped::Swapped(etag) = swapped.unwrap() else {
                panic!("a swap of what is there is a conflict: {context}");
            };
            three();
            assert_eq!(store.get(&key).unwrap().unwrap().etag, etag, "{context}");
            three();
            assert_eq!(store.head(&key).unwrap().unwrap().size, 3, "{context}");
            three();
            assert_eq!(store.list(&key).unwrap().len(), 1, "{context}");
            three();
            store.put(&key, b"three").unwrap();
            assert_eq!(content(&store, &key).unwrap(), b"three", "{context}");
            three();
            store.delete(&key).unwrap();
            assert_eq!(content(&store, &key), None, "{context}");
        }
    }
}

/// Each request of a blob in parts may fail once.
#[test]
fn faults_in_blobs_of_parts_are_not_noticed() {
    const REQUESTS: usize = 6;
    let large = bytes(12 << 20);
    for server in SERVERS {
        let (proxy, store) = behind(server, "parts");
        for fault in [
            Fault::Status(503),
            Fault::LoseAnswer,
            Fault::CutRequest,
            Fault::CutAnswer,
        ] {
            for at in 0..REQUESTS {
                let key = format!("{fault:?}/{at}");
                let faults =
                    (0..=at).map(|request| if request == at { fault } else { Fault::None });
                proxy.next(faults.clone());
                assert_eq!(
                    store.create(&key, &large).unwrap(),
                    Created::Created,
                    "{key}"
                );
                proxy.next(faults);
                assert!(content(&store, &key).unwrap() == large, "{key}");
            }
        }
    }
}

/// The server copies a large blob; where it can't, or the source was replaced, the blob is read and written.
#[test]
fn faults_while_a_blob_gets_a_second_name_are_not_noticed() {
    /// Two heads, one request to begin, three ranges, one to complete.
    const REQUESTS: usize = 7;
    const COPY: usize = 3;
    let large = bytes(12 << 20);
    for server in SERVERS {
        let (proxy, store) = behind(server, "copies");
        store.put("source", &large).unwrap();
        let passing = [Fault::Status(503), Fault::LoseAnswer, Fault::CutRequest];
        let passing = passing.map(|fault| (fault, 0..REQUESTS));
        let lasting = [Fault::Status(501), Fault::Status(412)].map(|fault| (fault, COPY..COPY + 3));
        for (fault, requests) in passing.into_iter().chain(lasting) {
            for at in requests {
                let key = format!("{fault:?}/{at}");
                proxy.next((0..=at).map(|request| if request == at { fault } else { Fault::None }));
                let created = store.create_from(&key, "source").unwrap();
                assert_eq!(created, Created::Created, "{key}");
                assert!(content(&store, &key).unwrap() == large, "{key}");
                let again = store.create_from(&key, "source").unwrap();
                assert_eq!(again, Created::Exists, "{key}");
            }
        }
    }
}

#[test]
fn a_lost_answer_is_never_taken_for_success_or_conflict() {
    for server in SERVERS {
        let (proxy, store) = behind(server, "lost");
        let rival = server.options("lost");
        let rival = S3Store::new(rival).unwrap();

        // All answers are lost: the caller learns that it does not know.
        proxy.always(Fault::LoseAnswer);
        let error = store.create("a", b"mine").unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        proxy.always(Fault::None);
        // It was written; who asks again finds his own bytes.
        assert_eq!(store.create("a", b"mine").unwrap(), Created::Exists);
        assert_eq!(content(&store, "a").unwrap(), b"mine");

        // A rival's create in the way of a request that never arrived.
        rival.put("b", b"rival's").unwrap();
        proxy.next([Fault::CutRequest, Fault::Status(500)]);
        assert_eq!(store.create("b", b"mine").unwrap(), Created::Exists);
        assert_eq!(content(&store, "b").unwrap(), b"rival's");

        // A rival who happens to swap in the very same bytes is still a rival.
        let etag = store.put("c", b"5").unwrap();
        let Swapped::Swapped(_) = rival.compare_and_swap("c", Some(&etag), b"6").unwrap() else {
            panic!("the rival swaps");
        };
        proxy.next([Fault::Status(500)]);
        let error = store.compare_and_swap("c", Some(&etag), b"6").unwrap_err();
        assert!(
            matches!(
                &error,
                Error::Backend {
                    retryable: true,
                    ..
                }
            ),
            "{error:?}"
        );
        // Without a lost answer it is a plain conflict.
        let conflict = store.compare_and_swap("c", Some(&etag), b"6").unwrap();
        assert_eq!(conflict, Swapped::Conflict);
    }
}

#[test]
fn a_server_that_fails_on_costs_no_more_than_the_budget() {
    let (proxy, store) = behind(Server::Moto, "budget");
    for fault in [
        Fault::Refuse,
        Fault::Status(500),
        Fault::Status(503),
        Fault::Stall,
        Fault::Delay(Duration::from_secs(5)),
    ] {
        proxy.always(fault);
        proxy.take_seen();
        let started = Instant::now();
        let error = store.put("a", b"x").unwrap_err();
        assert!(error.is_retryable(), "{fault:?}: {error:?}");
        let attempts = proxy.take_seen().len();
        assert!(
            (2..=4).contains(&attempts),
            "{attempts} attempts of {fault:?}"
        );
        // No timing: three times the operation's timeout says that it does not hang.
        assert!(started.elapsed() < Duration::from_secs(18), "{fault:?}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("attempts in"), "{cause}");
        if let Fault::Status(status) = fault {
            assert!(cause.contains(&status.to_string()), "{cause}");
        }
    }
}

#[test]
fn a_slow_server_is_waited_for() {
    let (proxy, _) = behind(Server::Moto, "slow");
    let patient = S3Store::new(options(&proxy.endpoint(), "slow")).unwrap();
    proxy.always(Fault::Delay(Duration::from_secs(5)));
    assert_eq!(patient.create("a", b"x").unwrap(), Created::Created);
    assert_eq!(
        proxy.take_seen().len(),
        1,
        "the first attempt is waited for"
    );
}

#[test]
fn a_server_that_is_killed_and_comes_back_lost_nothing() {
    let mut server = SeaweedFs::start().unwrap();
    let store = S3Store::new(impatient(&server.endpoint(), "killed")).unwrap();
    store.create_bucket().unwrap();
    store.put("a", b"before").unwrap();
    server.kill().unwrap();
    let error = store.create("b", b"while it is down").unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    server.start_again().unwrap();
    // It answers 500 until all of it is up again, which a store with the usual budget outlasts.
    let store = S3Store::new(options(&server.endpoint(), "killed")).unwrap();
    assert_eq!(content(&store, "a").unwrap(), b"before");
    assert_eq!(store.create("b", b"after").unwrap(), Created::Created);
}

/// Random faults on everything: what the store says of each call fits what a model of the blobs allows.
#[test]
fn random_faults_never_make_a_wrong_answer() {
    let seed = std::env::var("GREENLIGHT_SEED").map_or(20_261_125, |seed| seed.parse().unwrap());
    println!("GREENLIGHT_SEED={seed}");
    for server in SERVERS {
        let (proxy, store) = behind(server, "random");
        let plain = S3Store::new(server.options("random")).unwrap();
        let faults = [
            Fault::Status(500),
            Fault::LoseAnswer,
            Fault::CutRequest,
            Fault::CutAnswer,
            Fault::Refuse,
        ];
        proxy.random(seed, 400, faults);
        let (mut created, mut swapped, mut unknown) = (0, 0, 0);
        for round in 0..120_u32 {
            let key = format!("{}", round / 3);
            let before = plain.get(&key).unwrap();
            let text = round.to_string();
            let outcome = match &before {
                None => store
                    .create(&key, text.as_bytes())
                    .map(|created| created == Created::Created),
                Some(blob) => store
                    .compare_and_swap(&key, Some(&blob.etag), text.as_bytes())
                    .map(|swapped| matches!(swapped, Swapped::Swapped(_))),
            };
            let after = plain.get(&key).unwrap();
            let is_written = after
                .as_ref()
                .is_some_and(|blob| blob.bytes == text.as_bytes());
            match outcome {
                Ok(done) => {
                    assert!(done, "nobody else writes: round {round}");
                    assert!(is_written, "a wrong success: round {round}");
                    *if before.is_none() {
                        &mut created
                    } else {
                        &mut swapped
                    } += 1;
                }
                Err(error) => {
                    assert!(error.is_retryable(), "round {round}: {error:?}");
                    assert!(is_written || after == before, "half a write: round {round}");
                    unknown += 1;
                }
            }
        }
        println!("created {created}, swapped {swapped}, failed {unknown}");
        assert!(created > 20 && swapped > 40);
    }
}
