//! Frames: a length, then that many bytes. The limit keeps a stray client from making the owner allocate gigabytes.

use std::io::{self, Read, Write};

/// The greatest frame, in bytes: 128 MiB, room for a poll's batch plus one record of the greatest size.
pub const MAX_FRAME_BYTES: usize = 128 << 20;

/// Writes one frame; `payload` is at most [`MAX_FRAME_BYTES`] long, which callers check.
pub(super) fn write_frame(out: &mut impl Write, payload: &[u8]) -> io::Result<()> {
    let len =
        u32::try_from(payload.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    out.write_all(&len.to_be_bytes())?;
    out.write_all(payload)?;
    out.flush()
}

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// A whole frame is in the buffer.
    Frame,
    /// The peer closed the connection between frames.
    End,
    /// The peer announced a frame of this many bytes, more than the limit; nothing of it was read.
    TooLarge(usize),
}

/// Reads one frame into `payload`, replacing what is there. Memory grows with what arrives, not with what is announced.
pub(super) fn read_frame(input: &mut impl Read, payload: &mut Vec<u8>) -> io::Result<Incoming> {
    payload.clear();
    let mut len = [0; 4];
    let mut filled = 0;
    while filled < len.len() {
        match input.read(&mut len[filled..]) {
            Ok(0) if filled == 0 => return Ok(Incoming::End),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let len = u32::from_be_bytes(len) as usize;
    if len > MAX_FRAME_BYTES {
        return Ok(Incoming::TooLarge(len));
    }
    let read = input.take(len as u64).read_to_end(payload)?;
    if read < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Incoming::Frame)
}
