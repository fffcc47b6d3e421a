//! Which bucket, and how to talk to it.

use std::fmt;
use std::time::Duration;

use crate::{Error, Result, check_prefix};

/// Where an [`S3Store`](super::S3Store) keeps its blobs and how it asks for them. Plain data: made from a URL
/// ([`from_url`](Self::from_url)), or field by field from [`new`](Self::new).
#[derive(Clone, Debug)]
pub struct S3Options {
    /// The bucket; it must exist.
    pub bucket: String,
    /// What all keys begin with in the bucket, without `/` at its ends; empty for the whole bucket.
    pub prefix: String,
    /// The server, `http://HOST:PORT` or `https://HOST`; `None` for AWS (or what `AWS_ENDPOINT_URL` says).
    pub endpoint: Option<String>,
    /// The region; `None` for what AWS's configuration says, or `us-east-1` where an endpoint is given.
    pub region: Option<String>,
    /// Whether the bucket stands in the path instead of the host name; `None` for "where an endpoint is given".
    pub path_style: Option<bool>,
    /// Keys to sign with; `None` for AWS's default chain (environment, profile, web identity, container, instance).
    pub credentials: Option<S3Credentials>,
    /// How the server encrypts what it stores.
    pub encryption: Encryption,
    /// Blobs longer than this many bytes are written and read in parts of this size, several at a time. From
    /// [`PART_BYTES_MIN`](Self::PART_BYTES_MIN) up.
    pub part_bytes: usize,
    /// Requests that one call sends at the same time, at least 1.
    pub parallel_max: usize,
    /// How long a connection may take to stand.
    pub connect_timeout: Duration,
    /// How long one attempt of a request may take, its answer included.
    pub attempt_timeout: Duration,
    /// How long a request may take with all its attempts and the pauses between them. A blob in parts is as many requests.
    pub operation_timeout: Duration,
    /// How often a request is sent at most, at least 1.
    pub attempts_max: u32,
}

/// Keys to sign requests with.
#[derive(Clone)]
pub struct S3Credentials {
    /// The public half.
    pub access_key: String,
    /// The secret half; never printed.
    pub secret_key: String,
    /// The token of temporary keys.
    pub session_token: Option<String>,
}

/// How the server encrypts what it stores. Reading needs no option: the server knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// As the bucket's own default says.
    #[default]
    BucketDefault,
    /// With keys that S3 keeps (SSE-S3, AES-256).
    S3,
    /// With a key of the key management service (SSE-KMS).
    Kms {
        /// The key's id, ARN or alias; `None` for the account's own key for S3.
        key_id: Option<String>,
    },
}

impl S3Options {
    /// The smallest part that S3 takes, save for the last of a blob: 5 MiB.
    pub const PART_BYTES_MIN: usize = 5 << 20;

    /// The whole of `bucket` on AWS, with AWS's credentials.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: String::new(),
            endpoint: None,
            region: None,
            path_style: None,
            credentials: None,
            encryption: Encryption::default(),
            part_bytes: 16 << 20,
            parallel_max: 8,
            connect_timeout: Duration::from_secs(3),
            attempt_timeout: Duration::from_secs(20),
            operation_timeout: Duration::from_secs(60),
            attempts_max: 10,
        }
    }

    /// From `s3://BUCKET/PREFIX` (AWS), or `http://HOST:PORT/BUCKET/PREFIX` and the like with `https` (any other server). A
    /// prefix is optional; so are `region=R`, `endpoint=URL` and `path-style=true|false` after a `?`, between `&`.
    ///
    /// # Errors
    /// [`Error::Options`] for anything else.
    pub fn from_url(url: &str) -> Result<Self> {
        let refused = |reason: &str| Error::Options {
            what: format!("S3 URL {url:?}"),
            reason: reason.to_owned(),
        };
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let (scheme, rest) = place.split_once("://").ok_or_else(|| {
            refused("is not s3://BUCKET/PREFIX or http(s)://HOST:PORT/BUCKET/PREFIX")
        })?;
        let (endpoint, path) = match scheme {
            "s3" => (None, rest),
            "http" | "https" => {
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                (Some(format!("{scheme}://{host}")), path)
            }
            _ => {
                return Err(refused(
                    "begins neither with s3:// nor with http:// or https://",
                ));
            }
        };
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let mut options = Self {
            prefix: prefix.trim_end_matches('/').to_owned(),
            endpoint,
            ..Self::new(bucket)
        };
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("region", region)) => options.region = Some(region.to_owned()),
                Some(("endpoint", endpoint)) => options.endpoint = Some(endpoint.to_owned()),
                Some(("path-style", "true")) => options.path_style = Some(true),
                Some(("path-style", "false")) => options.path_style = Some(false),
                _ => {
                    return Err(refused(
                        "has an option other than region, endpoint, path-style",
                    ));
                }
            }
        }
        options.validate()?;
        Ok(options)
    }

    /// Checks what can be checked without asking the server.
    ///
    /// # Errors
    /// [`Error::Options`] naming the option.
    pub fn validate(&self) -> Result<()> {
        let reason = if self.bucket.is_empty() || self.bucket.contains(['/', ' ']) {
            "has no bucket, or one with '/' or a space"
        } else if check_prefix(&self.prefix).is_err() || self.prefix.ends_with('/') {
            "has a prefix that no key can begin with"
        } else if self.prefix.len() > 1024 - crate::KEY_BYTES_MAX - 1 {
            "has a prefix of more than 123 bytes"
        } else if self.endpoint.as_ref().is_some_and(|endpoint| {
            !endpoint.starts_with("http://") && !endpoint.starts_with("https://")
        }) {
            "has an endpoint that begins neither with http:// nor with https://"
        } else if self.part_bytes < Self::PART_BYTES_MIN {
            "has parts of less than 5 MiB"
        } else if self.parallel_max == 0 || self.attempts_max == 0 {
            "allows no request"
        } else if self.attempt_timeout.is_zero() || self.operation_timeout.is_zero() {
            "allows no time"
        } else {
            return Ok(());
        };
        Err(Error::Options {
            what: self.url(),
            reason: reason.to_owned(),
        })
    }

    /// The place as people write it, without credentials.
    pub fn url(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        match &self.endpoint {
            Some(endpoint) => format!("{endpoint}/{}{slash}{}", self.bucket, self.prefix),
            None => format!("s3://{}{slash}{}", self.bucket, self.prefix),
        }
    }
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Credentials")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_bucket() {
        let options = S3Options::from_url("s3://states/prod/eu/?region=eu-west-1").unwrap();
        assert_eq!(
            (&options.bucket[..], &options.prefix[..]),
            ("states", "prod/eu")
        );
        assert_eq!(options.region.as_deref(), Some("eu-west-1"));
        assert_eq!(
            (options.endpoint.as_ref(), options.path_style),
            (None, None)
        );
        assert_eq!(options.url(), "s3://states/prod/eu");

        let options = S3Options::from_url("http://127.0.0.1:8333/states").unwrap();
        assert_eq!(options.endpoint.as_deref(), Some("http://127.0.0.1:8333"));
        assert_eq!((&options.bucket[..], &options.prefix[..]), ("states", ""));
        assert_eq!(options.url(), "http://127.0.0.1:8333/states");

        let url = "s3://states?endpoint=https://store.example&path-style=false";
        let options = S3Options::from_url(url).unwrap();
        assert_eq!(options.path_style, Some(false));
        assert_eq!(options.url(), "https://store.example/states");
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "",
            "states",
            "s3://",
            "s3:///prefix",
            "http://127.0.0.1:8333",
            "ftp://host/bucket",
            "s3://states/a//b",
            "s3://states/../x",
            "s3://states?colour=red",
            "s3://states?path-style=maybe",
            "s3://states?endpoint=store.example",
        ] {
            let refused = S3Options::from_url(url);
            assert!(matches!(refused, Err(Error::Options { .. })), "{url}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let credentials = S3Credentials {
            access_key: "id".to_owned(),
            secret_key: "hush".to_owned(),
            session_token: Some("hush".to_owned()),
        };
        assert!(!format!("{credentials:?}").contains("hush"));
    }
}
