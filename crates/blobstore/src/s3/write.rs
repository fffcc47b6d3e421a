//! Writing, under a condition or not, in one request or in parts.
//!
//! **A lost answer.** An attempt whose answer is lost may have been carried out. The next attempt of a conditional write is
//! then refused, by its own earlier self or by another writer, and the refusal does not say which. So each write gives its
//! object a mark of its own in the metadata, and after such a refusal the mark of the object decides: ours, and the write
//! succeeded; another's, and a create lost to it. A swap can't tell in that case whether it never happened or was itself
//! replaced since, and says so by an error.
//!
//! Nothing is visible of a blob in parts before the request that completes it, which is the one that has the condition. So a
//! second name for a large blob is one in parts, too: ranges that the server copies, since a plain copy has no condition.

use std::ops::Range;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, ServerSideEncryption};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Encryption;
use super::attempt::{Attempt, Failure, Kind, persist, random};
use super::bucket::{Bucket, CONTENT_METADATA, Head, WRITE_METADATA, etag};
use crate::{Error, Etag};

/// The most parts that S3 takes.
const PARTS_MAX: u64 = 10_000;

/// What is escaped in the name of what is copied, which stands in a header.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// When a write may happen.
#[derive(Clone, Copy)]
pub(super) enum Condition<'a> {
    /// Always.
    None,
    /// Only if there is no object.
    Absent,
    /// Only if the object is the one marked so.
    Is(&'a Etag),
}

/// How a write ended.
pub(super) enum Written {
    Done(Etag),
    /// The condition does not hold; nothing was written.
    Refused,
}

impl<'a> Condition<'a> {
    fn if_none_match(self) -> Option<String> {
        matches!(self, Self::Absent).then(|| "*".to_owned())
    }

    fn if_match(self) -> Option<String> {
        match self {
            Self::Is(etag) => Some(etag.as_str().to_owned()),
            Self::None | Self::Absent => None,
        }
    }

    /// Whether the failure says that the condition does not hold.
    fn is_refused_by(self, failure: &Failure) -> bool {
        match (self, failure.kind) {
            (Self::None, _) => false,
            (_, Kind::Refused) => true,
            // There is nothing that could be what was expected.
            (Self::Is(_), Kind::Absent) => true,
            _ => false,
        }
    }
}

/// One write: what it is to leave behind.
struct Write<'a> {
    key: &'a str,
    content: Content<'a>,
    condition: Condition<'a>,
    mark: String,
    hash: String,
}

/// What is written.
#[derive(Clone, Copy)]
enum Content<'a> {
    Bytes(&'a [u8]),
    /// What the server has already, under another key.
    Of {
        key: &'a str,
        head: &'a Head,
    },
}

impl<'a> Write<'a> {
    fn new(key: &'a str, content: Content<'a>, condition: Condition<'a>, hash: String) -> Self {
        Self {
            key,
            content,
            condition,
            mark: format!("{:016x}{:016x}", random(), random()),
            hash,
        }
    }
}

impl Content<'_> {
    fn len(self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Of { head, .. } => head.size,
        }
    }
}

impl Bucket {
    pub(super) async fn write(
        &self,
        key: &str,
        bytes: &[u8],
        condition: Condition<'_>,
    ) -> crate::Result<Written> {
        let hash = Etag::of_content(bytes).as_str().to_owned();
        let write = Write::new(key, Content::Bytes(bytes), condition, hash);
        let sent = if bytes.len() <= self.options.part_bytes {
            persist(&self.options, || self.put_whole(&write, bytes)).await
        } else {
            // Saves sending much for nothing; the last request is what decides.
            let present = match condition {
                Condition::None => None,
                Condition::Absent | Condition::Is(_) => Some(self.head(key).await?),
            };
            match (present, condition) {
                (Some(Some(_)), Condition::Absent) | (Some(None), Condition::Is(_)) => {
                    return Ok(Written::Refused);
                }
                (Some(Some(head)), Condition::Is(etag)) if head.etag != *etag => {
                    return Ok(Written::Refused);
                }
                _ => self.put_parts(&write).await,
            }
        };
        self.conclude(&write, sent).await
    }

    /// Gives the content of `source` a second name, if that is free. A large one is copied by the server, if it can.
    pub(super) async fn create_from(&self, key: &str, source: &str) -> crate::Result<Written> {
        let absent = || Error::Absent {
            key: source.to_owned(),
        };
        let head = self.head(source).await?.ok_or_else(absent)?;
        // What was written by others has no hash, and a copy would have none either.
        if let Some(hash) = &head.hash
            && head.size > self.options.part_bytes as u64
        {
            if self.head(key).await?.is_some() {
                return Ok(Written::Refused);
            }
            let content = Content::Of {
                key: source,
                head: &head,
            };
            let write = Write::new(key, content, Condition::Absent, hash.clone());
            match self.put_parts(&write).await {
                // The server does not copy ranges, or the source was replaced meanwhile.
                Err(failure) if matches!(failure.kind, Kind::Lasting | Kind::Absent) => {
                    tracing::debug!(key, error = %failure, "copy within the bucket; it is read and written instead");
                }
                sent => return self.conclude(&write, sent).await,
            }
        }
        let blob = self.get(source).await?.ok_or_else(absent)?;
        self.write(key, &blob.bytes, Condition::Absent).await
    }

    /// What a write came to, once it is known.
    async fn conclude(
        &self,
        write: &Write<'_>,
        sent: Result<Etag, Failure>,
    ) -> crate::Result<Written> {
        let failure = match sent {
            Ok(etag) => return Ok(Written::Done(etag)),
            Err(failure) => failure,
        };
        let refused = write.condition.is_refused_by(&failure);
        if refused && !failure.maybe_done {
            return Ok(Written::Refused);
        }
        if refused || (failure.kind == Kind::NoUpload && failure.maybe_done) {
            return self.settle(write, failure).await;
        }
        Err(self.error("write", write.key, failure))
    }

    /// Finds out whether an earlier attempt was carried out, after a later one was refused.
    async fn settle(&self, write: &Write<'_>, failure: Failure) -> crate::Result<Written> {
        let present = self.head(write.key).await?;
        match (present, write.condition) {
            (Some(head), _) if head.write.as_ref() == Some(&write.mark) => {
                Ok(Written::Done(head.etag))
            }
            (Some(_), Condition::Absent) => Ok(Written::Refused),
            _ => {
                let text = format!("whether it was written is not known: {failure}");
                Err(self.error("write", write.key, Failure::unusable(text)))
            }
        }
    }

    async fn put_whole(&self, write: &Write<'_>, bytes: &[u8]) -> Result<Etag, Attempt> {
        let (encryption, key_id) = self.encryption();
        let answer = self
            .client
            .put_object()
            .bucket(&self.options.bucket)
            .key(self.object_key(write.key))
            .set_if_none_match(write.condition.if_none_match())
            .set_if_match(write.condition.if_match())
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(key_id)
            .metadata(CONTENT_METADATA, &write.hash)
            .metadata(WRITE_METADATA, &write.mark)
            .body(ByteStream::from(bytes.to_vec()))
            .send()
            .await?;
        etag(answer.e_tag)
    }

    async fn put_parts(&self, write: &Write<'_>) -> Result<Etag, Failure> {
        let upload = persist(&self.options, || self.begin(write)).await?;
        let sent = self.send_parts(write, &upload).await;
        if let Err(failure) = &sent
            && failure.kind != Kind::NoUpload
        {
            self.abort(write.key, &upload).await;
        }
        sent
    }

    async fn begin(&self, write: &Write<'_>) -> Result<String, Attempt> {
        let (encryption, key_id) = self.encryption();
        let answer = self
            .client
            .create_multipart_upload()
            .bucket(&self.options.bucket)
            .key(self.object_key(write.key))
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(key_id)
            .metadata(CONTENT_METADATA, &write.hash)
            .metadata(WRITE_METADATA, &write.mark)
            .send()
            .await?;
        answer
            .upload_id
            .ok_or_else(|| Attempt::passing("the answer has no upload id"))
    }

    async fn send_parts(&self, write: &Write<'_>, upload: &str) -> Result<Etag, Failure> {
        let len = write.content.len();
        let part_bytes = (self.options.part_bytes as u64).max(len.div_ceil(PARTS_MAX));
        let starts = (0..len).step_by(usize::try_from(part_bytes).unwrap_or(usize::MAX));
        let sends = (1..).zip(starts).map(|(number, start)| {
            let range = start..(start + part_bytes).min(len);
            self.at_leisure(persist(&self.options, move || {
                self.send_part(write, upload, number, range.clone())
            }))
        });
        let parts = stream::iter(sends)
            .buffered(self.options.parallel_max)
            .try_collect::<Vec<_>>()
            .await?;
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let complete = || async {
            let answer = self
                .client
                .complete_multipart_upload()
                .bucket(&self.options.bucket)
                .key(self.object_key(write.key))
                .upload_id(upload)
                .set_if_none_match(write.condition.if_none_match())
                .set_if_match(write.condition.if_match())
                .multipart_upload(parts.clone())
                .send()
                .await?;
            etag(answer.e_tag)
        };
        persist(&self.options, complete).await
    }

    async fn send_part(
        &self,
        write: &Write<'_>,
        upload: &str,
        number: i32,
        range: Range<u64>,
    ) -> Result<CompletedPart, Attempt> {
        let (bucket, key) = (&self.options.bucket, self.object_key(write.key));
        let (mark, checksum) = match write.content {
            Content::Bytes(bytes) => {
                let part_bytes = &bytes[range.start as usize..range.end as usize];
                let request = self.client.upload_part().bucket(bucket).key(key);
                let answer = request
                    .upload_id(upload)
                    .part_number(number)
                    .body(ByteStream::from(part_bytes.to_vec()))
                    .send()
                    .await?;
                (answer.e_tag, answer.checksum_crc32)
            }
            Content::Of { key: source, head } => {
                let source = format!("{bucket}/{}", self.object_key(source));
                let request = self.client.upload_part_copy().bucket(bucket).key(key);
                let answer = request
                    .upload_id(upload)
                    .part_number(number)
                    .copy_source(utf8_percent_encode(&source, ESCAPED).to_string())
                    .copy_source_if_match(head.etag.as_str())
                    .copy_source_range(format!("bytes={}-{}", range.start, range.end - 1))
                    .send()
                    .await;
                let answer = answer
                    .map_err(|error| Attempt::from(error).of_source())?
                    .copy_part_result
                    .ok_or_else(|| Attempt::passing("the answer has no result of the copy"))?;
                (answer.e_tag, answer.checksum_crc32)
            }
        };
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(mark)
            .set_checksum_crc32(checksum)
            .build())
    }

    /// Frees the space of the parts. Where that fails, the bucket's lifecycle does.
    async fn abort(&self, key: &str, upload: &str) {
        let ask = || async {
            let request = self
                .client
                .abort_multipart_upload()
                .bucket(&self.options.bucket);
            request
                .key(self.object_key(key))
                .upload_id(upload)
                .send()
                .await?;
            Ok(())
        };
        if let Err(failure) = persist(&self.options, ask).await {
            tracing::warn!(key, error = %failure, "abort an upload; the bucket's lifecycle has to");
        }
    }

    fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        match &self.options.encryption {
            Encryption::BucketDefault => (None, None),
            Encryption::S3 => (Some(ServerSideEncryption::Aes256), None),
            Encryption::Kms { key_id } => (Some(ServerSideEncryption::AwsKms), key_id.clone()),
        }
    }
}
