//! Reading, listing and deleting.

use std::collections::HashMap;
use std::time::Instant;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::S3Options;
use super::attempt::{Attempt, Failure, Kind, persist};
use crate::{Blob, BlobInfo, Error, Etag, check_key};

/// The hash of the whole content, in the object's metadata: parts are checked by the server one by one at best.
pub(super) const CONTENT_METADATA: &str = "greenlight-xxh3";
/// Which write made the object, in its metadata: see `write`.
pub(super) const WRITE_METADATA: &str = "greenlight-write";

/// How often a blob in parts is read again when it is replaced between two parts.
const READS_MAX: usize = 5;

/// A bucket (or what lies in it under a prefix) and the client that reaches it.
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) options: S3Options,
    /// How many times as long as each part took nothing is asked after it.
    pub(super) rest: u32,
}

/// What an object's head says.
pub(super) struct Head {
    pub(super) size: u64,
    pub(super) etag: Etag,
    /// Which write made it, if it was one of ours.
    pub(super) write: Option<String>,
    /// The hash of its content, if the write was ours.
    pub(super) hash: Option<String>,
}

/// The first answer to a read: the blob, or what is needed to read it in parts.
enum Read {
    Whole(Blob),
    Large(Head),
}

impl Bucket {
    pub(super) fn object_key(&self, key: &str) -> String {
        if self.options.prefix.is_empty() {
            key.to_owned()
        } else {
            format!("{}/{key}", self.options.prefix)
        }
    }

    /// One of many requests for a blob, and the pause after it that leaves the server to others.
    pub(super) async fn at_leisure<T>(&self, request: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let answer = request.await;
        if self.rest > 0 {
            tokio::time::sleep(started.elapsed() * self.rest).await;
        }
        answer
    }

    pub(super) async fn get(&self, key: &str) -> crate::Result<Option<Blob>> {
        let failed = |failure: Failure| self.error("read", key, failure);
        for _ in 0..READS_MAX {
            let first = persist(&self.options, || self.read_first(key)).await;
            let head = match first {
                Ok(Read::Whole(blob)) => return Ok(Some(blob)),
                Ok(Read::Large(head)) => head,
                Err(failure) if failure.kind == Kind::Absent => return Ok(None),
                Err(failure) => return Err(failed(failure)),
            };
            match self.read_parts(key, &head).await {
                Ok(bytes) if is_damaged(&bytes, head.hash.as_ref()) => {
                    tracing::warn!(key, "content read in parts does not match its hash");
                }
                Ok(bytes) => {
                    let etag = head.etag;
                    return Ok(Some(Blob { bytes, etag }));
                }
                // Replaced or deleted meanwhile.
                Err(failure)
                    if matches!(failure.kind, Kind::Refused | Kind::Absent | Kind::Range) => {}
                Err(failure) => return Err(failed(failure)),
            }
        }
        let text = format!("each of {READS_MAX} reads met another content, or a damaged one");
        Err(failed(Failure::unusable(text)))
    }

    /// Reads the object if it is small; of a large one only the head.
    async fn read_first(&self, key: &str) -> Result<Read, Attempt> {
        let request = self.client.get_object().bucket(&self.options.bucket);
        let answer = request.key(self.object_key(key)).send().await?;
        let size = length(answer.content_length)?;
        let etag = etag(answer.e_tag.clone())?;
        let hash = entry(answer.metadata.as_ref(), CONTENT_METADATA);
        if size > self.options.part_bytes as u64 {
            return Ok(Read::Large(Head {
                size,
                etag,
                write: None,
                hash,
            }));
        }
        let bytes = answer.body.collect().await?.to_vec();
        if bytes.len() as u64 != size {
            return Err(Attempt::passing("the answer is shorter than announced"));
        }
        if is_damaged(&bytes, hash.as_ref()) {
            return Err(Attempt::passing("the content does not match its hash"));
        }
        Ok(Read::Whole(Blob { bytes, etag }))
    }

    async fn read_parts(&self, key: &str, head: &Head) -> Result<Vec<u8>, Failure> {
        let part = self.options.part_bytes as u64;
        let starts = (0..head.size).step_by(self.options.part_bytes);
        let reads = starts.map(|start| {
            let end = (start + part).min(head.size);
            self.at_leisure(persist(&self.options, move || {
                self.read_range(key, &head.etag, start, end)
            }))
        });
        let mut parts = stream::iter(reads).buffered(self.options.parallel_max);
        let mut bytes = Vec::new();
        while let Some(part) = parts.try_next().await? {
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }

    /// The bytes from `start` up to, not including, `end` of the object that `etag` marks.
    async fn read_range(
        &self,
        key: &str,
        etag: &Etag,
        start: u64,
        end: u64,
    ) -> Result<Vec<u8>, Attempt> {
        // Servers send checksums of whole objects with ranges, too; the hash of the whole is checked instead.
        let config = aws_sdk_s3::config::Builder::new()
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        let request = self.client.get_object().bucket(&self.options.bucket);
        let answer = request
            .key(self.object_key(key))
            .if_match(etag.as_str())
            .range(format!("bytes={start}-{}", end - 1))
            .customize()
            .config_override(config)
            .send()
            .await?;
        let bytes = answer.body.collect().await?.to_vec();
        if bytes.len() as u64 == end - start {
            Ok(bytes)
        } else {
            Err(Attempt::passing("the range is shorter than asked for"))
        }
    }

    /// What the object's head says; `None` where there is no object.
    pub(super) async fn head(&self, key: &str) -> crate::Result<Option<Head>> {
        let ask = || async {
            let request = self.client.head_object().bucket(&self.options.bucket);
            let answer = request.key(self.object_key(key)).send().await?;
            let metadata = answer.metadata.as_ref();
            Ok(Head {
                size: length(answer.content_length)?,
                write: entry(metadata, WRITE_METADATA),
                hash: entry(metadata, CONTENT_METADATA),
                etag: etag(answer.e_tag)?,
            })
        };
        match persist(&self.options, ask).await {
            Ok(head) => Ok(Some(head)),
            Err(failure) if failure.kind == Kind::Absent => Ok(None),
            Err(failure) => Err(self.error("read the head of", key, failure)),
        }
    }

    pub(super) async fn list(&self, prefix: &str) -> crate::Result<Vec<BlobInfo>> {
        let own = self.object_key("");
        let mut found = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let ask = || async {
                let request = self.client.list_objects_v2().bucket(&self.options.bucket);
                let request = request.prefix(self.object_key(prefix));
                Ok(request.set_continuation_token(next.clone()).send().await?)
            };
            let page = persist(&self.options, ask)
                .await
                .map_err(|failure| self.error("list", prefix, failure))?;
            for object in page.contents.unwrap_or_default() {
                let key = object.key.as_deref().and_then(|key| key.strip_prefix(&own));
                // What is no key was put there by others.
                if let Some(key) = key.filter(|key| check_key(key).is_ok()) {
                    found.push(BlobInfo {
                        key: key.to_owned(),
                        size: object
                            .size
                            .and_then(|size| size.try_into().ok())
                            .unwrap_or(0),
                    });
                }
            }
            next = page.next_continuation_token;
            if next.is_none() {
                break;
            }
        }
        // Not all servers, nor all kinds of bucket, list in the order of the bytes.
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    pub(super) async fn delete(&self, key: &str) -> crate::Result<()> {
        let ask = || async {
            let request = self.client.delete_object().bucket(&self.options.bucket);
            request.key(self.object_key(key)).send().await?;
            Ok(())
        };
        match persist(&self.options, ask).await {
            Ok(()) => Ok(()),
            Err(failure) if failure.kind == Kind::Absent => Ok(()),
            Err(failure) => Err(self.error("delete", key, failure)),
        }
    }

    /// Makes the bucket; `false` where it is there and ours.
    pub(super) async fn create(&self) -> crate::Result<bool> {
        let ask = || async {
            let answer = self
                .client
                .create_bucket()
                .bucket(&self.options.bucket)
                .send()
                .await;
            match answer {
                Ok(_) => Ok(true),
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|error| error.is_bucket_already_owned_by_you()) =>
                {
                    Ok(false)
                }
                Err(error) => Err(error.into()),
            }
        };
        persist(&self.options, ask)
            .await
            .map_err(|failure| self.error("create the bucket of", "", failure))
    }

    pub(super) fn error(&self, action: &'static str, key: &str, failure: Failure) -> Error {
        let key = format!("{}/{key}", self.options.url());
        if failure.kind == Kind::Full {
            return Error::Full {
                action,
                path: key.into(),
                source: std::io::Error::new(std::io::ErrorKind::StorageFull, failure),
            };
        }
        Error::Backend {
            action,
            key,
            retryable: failure.kind == Kind::Passing,
            source: Box::new(failure),
        }
    }
}

fn entry(metadata: Option<&HashMap<String, String>>, name: &str) -> Option<String> {
    metadata?.get(name).cloned()
}

fn is_damaged(bytes: &[u8], hash: Option<&String>) -> bool {
    hash.is_some_and(|hash| Etag::of_content(bytes).as_str() != hash)
}

pub(super) fn etag(text: Option<String>) -> Result<Etag, Attempt> {
    text.map(Etag::new)
        .ok_or_else(|| Attempt::passing("the answer has no ETag"))
}

fn length(announced: Option<i64>) -> Result<u64, Attempt> {
    announced
        .and_then(|length| length.try_into().ok())
        .ok_or_else(|| Attempt::passing("the answer has no length"))
}
