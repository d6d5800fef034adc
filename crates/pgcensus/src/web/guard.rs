//! Who is answered at all: which methods, by which name, from which page, with which token. And what every answer carries.
//!
//! A page of another site can make a browser send requests to addresses that only its user reaches. Such a request names the
//! other site in `Origin`, or, where the site's name was made to lead here, in `Host`: both must be names of this server.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HOST,
    HeaderMap, HeaderValue, ORIGIN, REFERRER_POLICY, TRANSFER_ENCODING, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::error;
use super::routes::App;
use super::token::Token;

/// Scripts and styles are files of this server; nothing else is loaded, framed or sent anywhere.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Whose page asks, as browsers say it: `same-origin`, `same-site`, `cross-site` or `none` (its user).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Says that other sites may not include an answer.
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// Whom this server answers.
pub(crate) struct Guard {
    /// Names and addresses by which it may be called, without ports: a tunnel has one of its own.
    hosts: Vec<String>,
    /// It listens on all addresses of this machine: any of them is one of its own, and an address is nobody else's name.
    any_address: bool,
    /// What requests must carry, but those for the page itself.
    pub(crate) token: Option<Token>,
}

impl Guard {
    /// Listens there, and may also be called by these names.
    pub(crate) fn new(listen: SocketAddr, names: &[String], token: Option<Token>) -> Guard {
        let mut hosts = vec!["localhost".to_owned(), host_of(listen.ip())];
        hosts.extend(names.iter().filter_map(|name| host_of_name(name)));
        Guard {
            hosts,
            any_address: listen.ip().is_unspecified(),
            token,
        }
    }

    fn knows(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let is_own = |address: IpAddr| self.any_address || is_loopback(address);
        self.hosts.contains(&host) || address.parse().is_ok_and(is_own)
    }

    /// Whether an authority, `HOST[:PORT]`, is this server.
    fn is_own(&self, authority: &[u8]) -> bool {
        let authority = Authority::try_from(authority);
        authority.is_ok_and(|authority| {
            !authority.as_str().contains('@') && self.knows(authority.host())
        })
    }

    /// Why a request is not answered.
    fn refuses(&self, request: &Request) -> Option<Response> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = error(
                StatusCode::METHOD_NOT_ALLOWED,
                "nothing can be changed here: GET and HEAD are all there is",
            );
            let methods = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, methods);
            return Some(response);
        }
        let headers = request.headers();
        let length = headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
        if headers.contains_key(TRANSFER_ENCODING) || length.is_some_and(|length| length != b"0") {
            return Some(error(StatusCode::BAD_REQUEST, "a question has no body"));
        }
        let Some(host) = only(headers, &HOST) else {
            return Some(error(StatusCode::BAD_REQUEST, "one Host is needed"));
        };
        let named = request.uri().authority();
        if !self.is_own(host) || named.is_some_and(|named| !self.is_own(named.as_str().as_bytes()))
        {
            return Some(error(
                StatusCode::MISDIRECTED_REQUEST,
                "Host is no name of this server; --allow-host NAME makes it one",
            ));
        }
        if headers.contains_key(ORIGIN) {
            let origin = only(headers, &ORIGIN).unwrap_or_default();
            let authority = origin
                .strip_prefix(b"http://")
                .or_else(|| origin.strip_prefix(b"https://"));
            if !authority.is_some_and(|authority| self.is_own(authority)) {
                return Some(error(
                    StatusCode::FORBIDDEN,
                    "Origin is another site, which reads nothing here",
                ));
            }
        }
        // What a page includes comes without `Origin`: it reads no answer, but each costs a run.
        let site = headers.get(&SEC_FETCH_SITE).map(HeaderValue::as_bytes);
        let is_asked_by_other = site.is_some_and(|site| site != b"same-origin" && site != b"none");
        if needs_token(request.uri().path()) && is_asked_by_other {
            return Some(error(
                StatusCode::FORBIDDEN,
                "a page of another site asks, which reads nothing here",
            ));
        }
        if needs_token(request.uri().path()) && !self.has_token(headers) {
            let mut response = error(
                StatusCode::UNAUTHORIZED,
                "the token is needed: Authorization: Bearer TOKEN",
            );
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
            return Some(response);
        }
        None
    }

    /// Whether a request carries the token, if there is one.
    pub(crate) fn has_token(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        only(headers, &AUTHORIZATION).is_some_and(|header| token.is_in(header))
    }
}

/// How an address stands in a URL.
pub(crate) fn host_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Whether only this machine reaches an address.
pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// How a name or an address stands in `Host`; `None`: it is neither, but has a scheme, a port or a wildcard, say.
pub(crate) fn host_of_name(name: &str) -> Option<String> {
    let inner = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    if let Ok(address) = inner.unwrap_or(name).parse() {
        return Some(host_of(address));
    }
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (!name.is_empty() && name.bytes().all(is_of_name)).then_some(name)
}

/// The page and its parts say nothing of a log, and nothing of it is known to whoever asks how the server is.
fn needs_token(path: &str) -> bool {
    let is_below = |root: &str| {
        path.strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    is_below("/api") || is_below("/metrics")
}

/// The value of a header that is there once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes())
}

/// Lets requests pass, and completes the answers.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_kept = !needs_token(path) && path != "/healthz";
    let mut response = match app.guard.refuses(&request) {
        Some(mut refusal) => {
            // Whoever asks like this gets no further.
            let close = HeaderValue::from_static("close");
            refusal.headers_mut().insert(CONNECTION, close);
            refusal
        }
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CROSS_ORIGIN_RESOURCE_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // The page is asked for anew each time, too: it is of the version that runs.
    let kept = if is_kept { "no-cache" } else { "no-store" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_knows_its_names() {
        let listen = "10.0.0.5:8432".parse().expect("an address");
        let guard = Guard::new(listen, &["DB1.example".to_owned()], None);
        for (host, knows) in [
            ("localhost:8432", true),
            ("LOCALHOST", true),
            ("127.0.0.1:9000", true),
            ("[::1]:8432", true),
            ("127.0.0.2:8432", true),
            ("[::ffff:127.0.0.1]", true),
            ("10.0.0.5:8432", true),
            ("db1.example", true),
            ("db1.example.:8432", true),
            ("10.0.0.6:8432", false),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("evil.example@localhost", false),
            ("localhost/evil", false),
            ("", false),
            (":8432", false),
            ("127.0.0.1:8432, evil.example", false),
        ] {
            assert_eq!(guard.is_own(host.as_bytes()), knows, "{host}");
        }
        let guard = Guard::new("0.0.0.0:8432".parse().expect("an address"), &[], None);
        assert!(guard.is_own(b"192.168.1.7:8432") && guard.is_own(b"[fd00::1]:8432"));
        assert!(!guard.is_own(b"evil.example:8432"));
    }

    #[test]
    fn a_name_has_neither_scheme_nor_port() {
        for (name, host) in [
            ("DB1.example.", Some("db1.example")),
            ("10.0.0.5", Some("10.0.0.5")),
            ("FD00::1", Some("[fd00::1]")),
            ("[fd00::1]", Some("[fd00::1]")),
            ("db1:8432", None),
            ("http://db1/", None),
            ("*.example", None),
            ("", None),
        ] {
            assert_eq!(host_of_name(name).as_deref(), host, "{name}");
        }
    }

    #[test]
    fn whatever_tells_of_a_log_needs_the_token() {
        for (path, needs) in [
            ("/", false),
            ("/app.js", false),
            ("/healthz", false),
            ("/api", true),
            ("/api/", true),
            ("/api/v1/summary", true),
            ("/metrics", true),
            ("/apix", false),
        ] {
            assert_eq!(needs_token(path), needs, "{path}");
        }
    }
}
