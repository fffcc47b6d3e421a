//! What is done beside cycles, by threads that they should not notice.

/// What is added to the nice value of such a thread: where the cores are wanted, it has a tenth of a cycle's share.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lets cycles have the cores first: to be called by a thread that works beside them and has time.
pub fn lower_priority() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};
        // To Linux a thread's own number stands for the thread alone.
        let thread = Some(rustix::thread::gettid());
        let lowered = getpriority_process(thread)
            .and_then(|nice| setpriority_process(thread, nice.saturating_add(NICE)));
        if let Err(error) = lowered {
            tracing::debug!(%error, "lower the priority of a thread");
        }
    }
}
