//! One connection: how long it may take for what, and how it ends.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep, timeout};
use tower_service::Service as _;

use super::{ENDS_WITHIN, Tls};

/// The head of a request comes within this time; and the next one, where a connection is kept.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// The request line and all headers, and how many of these: more is answered with 431.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;

/// A TLS handshake likewise.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// Who takes nothing of what is sent for so long is cut off.
const STALLS: Duration = Duration::from_secs(30);

/// What is read of a connection that is being closed, and for how long: where something unread is left, what was sent last may
/// never arrive.
const LINGERS_BYTES: u64 = 1 << 20;
const LINGERS: Duration = Duration::from_secs(1);

/// Too slow.
const TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Not HTTP/1.
const BAD: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Too many.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 0\r\n\r\n";

/// Answers on this connection until it ends.
pub(super) async fn serve(
    stream: TcpStream,
    tls: Option<Tls>,
    router: Router,
    stop: watch::Receiver<bool>,
) {
    // Events are small, and are not to wait for each other.
    stream.set_nodelay(true).ok();
    let stream = Patient {
        inner: stream,
        stalls: None,
    };
    match tls {
        None => http(stream, router, stop).await,
        Some(Tls(acceptor)) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)).await {
                http(stream, router, stop).await;
            }
        }
    }
}

/// Says that there are too many, as far as that can be said without waiting.
pub(super) fn turn_away(stream: &TcpStream) {
    stream.try_write(FULL).ok();
}

async fn http(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let request: Request = request.map(Body::new);
        let mut router = router.clone();
        Box::pin(async move { router.call(request).await })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(io), service);
    let ended = tokio::select! {
        ended = poll_fn(|context| connection.poll_without_shutdown(context)) => Some(ended),
        _ = stop.wait_for(|stop| *stop) => None,
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        Pin::new(&mut connection).graceful_shutdown();
        let rest = poll_fn(|context| connection.poll_without_shutdown(context));
        match timeout(ENDS_WITHIN, rest).await {
            Ok(ended) => ended,
            Err(_) => return,
        }
    };
    let parts = connection.into_parts();
    let mut io = parts.io.into_inner();
    // hyper answers what it can read; what it gives up without a word gets one.
    let last = match &ended {
        Err(err) if err.is_timeout() && !parts.read_buf.is_empty() => Some(TIMEOUT),
        Err(err) if err.is_parse() && !is_answered(err) => Some(BAD),
        _ => None,
    };
    let linger = async {
        if let Some(last) = last {
            io.write_all(last).await?;
        }
        io.shutdown().await?;
        let mut rest = (&mut io).take(LINGERS_BYTES);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    drop(timeout(LINGERS, pin!(linger)).await);
}

/// Whether hyper has said what is wrong: it knows no answer to the preface of HTTP/2.
fn is_answered(err: &hyper::Error) -> bool {
    !err.to_string().contains("HTTP2")
}

/// A connection that is cut where nothing of what is sent is taken.
struct Patient {
    inner: TcpStream,
    /// When patience ends, where something waits.
    stalls: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    /// Nothing could be sent now: has that been so for too long?
    fn check<T>(
        &mut self,
        sent: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            self.stalls = None;
            return sent;
        }
        let stalls = self.stalls.get_or_insert_with(|| Box::pin(sleep(STALLS)));
        match stalls.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buf)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.inner).poll_write(context, buf);
        self.check(sent, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.inner).poll_write_vectored(context, bufs);
        self.check(sent, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
