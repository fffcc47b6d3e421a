//! The S3 store on real servers: the conformance suite, faults on the way to them, and several regions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod faults;
mod servers;

use std::sync::Arc;

use blobstore::{
    BlobStore, Created, Encryption, Error, ReplicatedStore, S3Options, S3Store, conformance,
};

use servers::{Server, bytes, in_parts};

#[test]
fn conformance_suite_on_seaweedfs() {
    conformance(Server::SeaweedFs);
}

#[test]
fn conformance_suite_on_moto() {
    conformance(Server::Moto);
}

fn conformance(server: Server) {
    for options in [
        server.options("suite"),
        in_parts(server.options("suite-in-parts")),
    ] {
        let store = S3Store::new(options).unwrap();
        store.create_bucket().unwrap();
        conformance::run(&store, "suite").unwrap();
    }
}

#[test]
fn a_prefix_holds_a_store_of_its_own() {
    for server in [Server::SeaweedFs, Server::Moto] {
        let whole = server.store("prefixes");
        let under = |prefix: &str| {
            let prefix = prefix.to_owned();
            S3Store::new(S3Options {
                prefix,
                ..server.options("prefixes")
            })
            .unwrap()
        };
        let (a, ab) = (under("a"), under("a/b"));
        a.put("x", b"1").unwrap();
        ab.put("x", b"2").unwrap();
        let keys = |store: &S3Store| -> Vec<String> {
            let listed = store.list("").unwrap();
            listed.into_iter().map(|info| info.key).collect()
        };
        assert_eq!(keys(&whole), ["a/b/x", "a/x"]);
        assert_eq!(keys(&a), ["b/x", "x"]);
        assert_eq!(keys(&ab), ["x"]);
        assert_eq!(ab.get("x").unwrap().unwrap().bytes, b"2");
    }
}

#[test]
fn servers_that_keep_conditions_pass_the_check() {
    for server in [Server::SeaweedFs, Server::Moto] {
        let store = server.store("check");
        store.check().unwrap();
        assert_eq!(store.list("").unwrap(), [], "left behind by the check");
    }
}

/// SeaweedFS makes a bucket that is written to, if the identity may.
#[test]
fn a_bucket_that_is_not_there_is_named() {
    let store = S3Store::new(Server::Moto.options("nobody-made-it")).unwrap();
    let error = store.put("a", b"x").unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
    assert!(error.to_string().contains("nobody-made-it/a"), "{error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("NoSuchBucket"), "{cause}");
}

#[test]
fn wrong_keys_are_refused_and_not_tried_again() {
    let store = Server::SeaweedFs.store("keys");
    drop(store);
    let mut options = Server::SeaweedFs.options("keys");
    if let Some(credentials) = &mut options.credentials {
        credentials.secret_key = "wrong".to_owned();
    }
    let error = S3Store::new(options).unwrap().put("a", b"x").unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains("403") && !cause.contains("attempts"),
        "{cause}"
    );
}

/// moto remembers what it was asked to encrypt with.
#[test]
fn encryption_is_asked_for() {
    let kms = Encryption::Kms {
        key_id: Some("alias/states".to_owned()),
    };
    for (bucket, encryption, asked) in [
        ("sse", Encryption::S3, ("AES256", None)),
        ("kms", kms, ("aws:kms", Some("alias/states"))),
    ] {
        let store = S3Store::new(S3Options {
            encryption,
            ..in_parts(Server::Moto.options(bucket))
        })
        .unwrap();
        store.create_bucket().unwrap();
        for length in [10, 6 << 20] {
            let key = length.to_string();
            let created = store.create(&key, &bytes(length)).unwrap();
            assert_eq!(created, Created::Created);
            assert!(store.get(&key).unwrap().unwrap().bytes == bytes(length));
            let (encryption, key_id) = servers::encryption(&store, &key);
            assert_eq!((encryption.as_str(), key_id.as_deref()), asked, "{key}");
        }
    }
}

#[test]
fn regions_are_read_nearest_first_and_fall_back() {
    let primary: Arc<dyn BlobStore> = Arc::new(Server::Moto.store("primary"));
    let near: Arc<dyn BlobStore> = Arc::new(Server::SeaweedFs.store("near"));
    let down = S3Options {
        attempts_max: 1,
        ..S3Options::from_url("http://127.0.0.1:9/nobody-listens").unwrap()
    };
    let down = S3Options {
        credentials: Server::Moto.options("x").credentials,
        ..down
    };
    let down: Arc<dyn BlobStore> = Arc::new(S3Store::new(down).unwrap());
    let store = ReplicatedStore::new(primary.clone(), [down, near.clone()]);
    conformance::run(&store, "suite").unwrap();
    primary.put("snapshot-1", b"one").unwrap();
    assert_eq!(store.get("snapshot-1").unwrap().unwrap().bytes, b"one");
    near.put("snapshot-1", b"one, near").unwrap();
    assert_eq!(
        store.get("snapshot-1").unwrap().unwrap().bytes,
        b"one, near"
    );
    let missing = store.get("snapshot-2").unwrap();
    assert_eq!(missing, None);
}

#[test]
fn unusable_options_are_refused() {
    let refused = S3Store::new(S3Options {
        part_bytes: 1,
        ..S3Options::new("bucket")
    });
    assert!(matches!(refused, Err(Error::Options { .. })));
}
