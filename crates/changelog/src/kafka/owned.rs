//! Objects of librdkafka's that are ours to free.
#![allow(
    unsafe_code,
    reason = "what rdkafka has no safe call for; each block says why it is sound"
)]

use rdkafka::error::{KafkaError, KafkaResult};
use std::ptr::NonNull;

/// A native object, freed when it is dropped.
pub(super) struct Owned<T> {
    ptr: NonNull<T>,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// # Safety
    /// `ptr` is null or points to an object that is ours to free with `free`, once.
    pub(super) unsafe fn new(ptr: *mut T, free: unsafe extern "C" fn(*mut T)) -> KafkaResult<Self> {
        match NonNull::new(ptr) {
            Some(ptr) => Ok(Self { ptr, free }),
            None => Err(KafkaError::AdminOpCreation(
                "librdkafka returned no object".to_owned(),
            )),
        }
    }

    pub(super) fn as_ptr(&self) -> *mut T {
        self.ptr.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: by the contract of `new` the object is ours, `free` is its destructor, and nobody else calls it.
        unsafe { (self.free)(self.ptr.as_ptr()) }
    }
}
