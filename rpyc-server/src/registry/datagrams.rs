//! Datagrams that are answered from the address that they came to: a client of this project takes no
//! answer from another one, and a machine at several networks would choose by itself.

use std::io;
use std::net::{SocketAddr, UdpSocket};

/// A socket on which they come.
pub(super) struct Datagrams<'a> {
    socket: &'a UdpSocket,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    control: Vec<u8>,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use self::linux::QueueSlot;
/// Nothing is known of where a datagram came to.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) type QueueSlot = ();

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::io::{IoSlice, IoSliceMut};
    use std::os::fd::AsRawFd;

    use nix::cmsg_space;
    use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
    use nix::sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg,
        setsockopt, sockopt,
    };

    use super::*;

    /// The address of this machine that a datagram came to.
    #[derive(Clone, Copy)]
    pub(in super::super) enum QueueSlot {
        V4(in_addr),
        V6(in6_addr),
    }

    impl<'a> Datagrams<'a> {
        pub(in super::super) fn new(socket: &'a UdpSocket) -> Datagrams<'a> {
            // Without it the system chooses the address.
            let _ = match socket.local_addr() {
                Ok(SocketAddr::V6(_)) => setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true),
                _ => setsockopt(socket, sockopt::Ipv4PacketInfo, &true),
            };
            let control = cmsg_space!(in_pktinfo, in6_pktinfo);
            Datagrams { socket, control }
        }

        /// Receives one: its length, where it came from, and to.
        pub(in super::super) fn receive(
            &mut self,
            buffer: &mut [u8],
        ) -> io::Result<(usize, SocketAddr, Option<QueueSlot>)> {
            let mut slices = [IoSliceMut::new(buffer)];
            let received = recvmsg::<SockaddrStorage>(
                self.socket.as_raw_fd(),
                &mut slices,
                Some(&mut self.control),
                MsgFlags::empty(),
            )?;
            let place = received.cmsgs()?.find_map(|message| match message {
                ControlMessageOwned::Ipv4PacketInfo(info) => Some(QueueSlot::V4(info.ipi_spec_dst)),
                ControlMessageOwned::Ipv6PacketInfo(info) => Some(QueueSlot::V6(info.ipi6_addr)),
                _ => None,
            });
            let source = received.address.as_ref().and_then(address);
            let source = source.ok_or(io::ErrorKind::InvalidData)?;
            Ok((received.bytes, source, place))
        }

        /// Answers one.
        pub(in super::super) fn answer(
            &self,
            answer: &[u8],
            source: SocketAddr,
            place: Option<QueueSlot>,
        ) -> io::Result<()> {
            let send = |message: ControlMessage<'_>| {
                sendmsg(
                    self.socket.as_raw_fd(),
                    &[IoSlice::new(answer)],
                    &[message],
                    MsgFlags::empty(),
                    Some(&SockaddrStorage::from(source)),
                )
            };
            let sent = place.map(|place| match place {
                QueueSlot::V4(address) => send(ControlMessage::Ipv4PacketInfo(&in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: address,
                    ipi_addr: in_addr { s_addr: 0 },
                })),
                QueueSlot::V6(address) => send(ControlMessage::Ipv6PacketInfo(&in6_pktinfo {
                    ipi6_addr: address,
                    ipi6_ifindex: 0,
                })),
            });
            match sent {
                Some(Ok(_)) => Ok(()),
                // A broadcast's address is no sender.
                _ => self.socket.send_to(answer, source).map(drop),
            }
        }
    }

    fn address(address: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = address.as_sockaddr_in().map(|&v4| SocketAddr::from(v4));
        v4.or_else(|| address.as_sockaddr_in6().map(|&v6| SocketAddr::from(v6)))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl<'a> Datagrams<'a> {
    pub(super) fn new(socket: &'a UdpSocket) -> Datagrams<'a> {
        Datagrams { socket }
    }

    /// Receives one: its length, where it came from, and nothing of where to.
    pub(super) fn receive(
        &mut self,
        buffer: &mut [u8],
    ) -> io::Result<(usize, SocketAddr, Option<()>)> {
        let (length, source) = self.socket.recv_from(buffer)?;
        Ok((length, source, None))
    }

    /// Answers one.
    pub(super) fn answer(
        &self,
        answer: &[u8],
        source: SocketAddr,
        _: Option<()>,
    ) -> io::Result<()> {
        self.socket.send_to(answer, source).map(drop)
    }
}
