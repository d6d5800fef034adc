//! The body of an answer that comes piece by piece.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::mpsc;

/// Pieces that wait for the connection, at most: who has more waits then.
const PIECES: usize = 1;

/// Pieces from elsewhere; an error cuts the connection, so that a part is never taken for all.
pub(super) struct ChannelBody {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
}

impl ChannelBody {
    pub(super) fn new() -> (mpsc::Sender<io::Result<Bytes>>, ChannelBody) {
        let (send, pieces) = mpsc::channel(PIECES);
        (send, ChannelBody { pieces })
    }
}

impl Body for ChannelBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = self.pieces.poll_recv(context);
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
