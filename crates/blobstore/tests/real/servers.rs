//! One server of each kind for all tests of this binary, a bucket for each test.

use std::sync::OnceLock;

use aws_sdk_s3::config::Credentials;
use blobstore::{S3Credentials, S3Options, S3Store};
use tests_servers::{Moto, SeaweedFs};

/// Which server.
#[derive(Clone, Copy)]
pub(crate) enum Server {
    SeaweedFs,
    Moto,
}

impl Server {
    pub(crate) fn endpoint(self) -> String {
        static SEAWEEDFS: OnceLock<SeaweedFs> = OnceLock::new();
        static MOTO: OnceLock<Moto> = OnceLock::new();
        match self {
            Self::SeaweedFs => SEAWEEDFS
                .get_or_init(|| SeaweedFs::start().unwrap())
                .endpoint(),
            Self::Moto => MOTO.get_or_init(|| Moto::start().unwrap()).endpoint(),
        }
    }

    pub(crate) fn options(self, bucket: &str) -> S3Options {
        options(&self.endpoint(), bucket)
    }

    /// A store in a new bucket.
    pub(crate) fn store(self, bucket: &str) -> S3Store {
        let store = S3Store::new(self.options(bucket)).unwrap();
        assert!(store.create_bucket().unwrap(), "bucket {bucket} is new");
        store
    }
}

pub(crate) fn options(endpoint: &str, bucket: &str) -> S3Options {
    S3Options {
        credentials: Some(S3Credentials {
            access_key: SeaweedFs::ACCESS_KEY.to_owned(),
            secret_key: SeaweedFs::SECRET_KEY.to_owned(),
            session_token: None,
        }),
        ..S3Options::from_url(&format!("{endpoint}/{bucket}")).unwrap()
    }
}

/// The smallest parts, so that a test's blobs have several.
pub(crate) fn in_parts(options: S3Options) -> S3Options {
    S3Options {
        part_bytes: S3Options::PART_BYTES_MIN,
        ..options
    }
}

/// Bytes of which no part equals another.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// How the object was encrypted, as the server remembers it.
pub(crate) fn encryption(store: &S3Store, key: &str) -> (String, Option<String>) {
    let S3Options {
        endpoint,
        bucket,
        credentials,
        ..
    } = store.options().clone();
    let keys = credentials.unwrap();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version_latest()
        .region(aws_sdk_s3::config::Region::new("us-east-1"))
        .credentials_provider(Credentials::new(
            keys.access_key,
            keys.secret_key,
            None,
            None,
            "test",
        ))
        .endpoint_url(endpoint.unwrap())
        .force_path_style(true)
        .build();
    let client = aws_sdk_s3::Client::from_conf(config);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let head = client.head_object().bucket(bucket).key(key).send();
    let head = runtime.unwrap().block_on(head).unwrap();
    let encryption = head.server_side_encryption.unwrap().as_str().to_owned();
    (encryption, head.ssekms_key_id)
}
