use std::net::{Ipv4Addr, TcpListener};

use crate::{Error, Result};

/// `N` loopback ports that nobody uses now. They are held together while they are looked for, so they differ.
///
/// # Errors
/// Where the system has none left.
pub fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("bind"))?;
        *port = listener.local_addr().map_err(Error::io("bind"))?.port();
        listeners.push(listener);
    }
    Ok(ports)
}
