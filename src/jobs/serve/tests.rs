use std::collections::HashMap;
use std::io::Cursor;
use std::time::{Duration, Instant};

use super::answer::{Answer, Body, answer};
use super::request::{Range, Request, range};
use super::shelf::Shelf;
use super::wire::{self, Came};

#[test]
fn ranges() {
    let of = |text| range(Some(text), 10);
    assert_eq!(range(None, 10), Range::All);
    assert_eq!(of("bytes=0-3"), Range::Part((0, 4)));
    assert_eq!(of("bytes=9-"), Range::Part((9, 1)));
    assert_eq!(of("bytes=-3"), Range::Part((7, 3)));
    assert_eq!(of("bytes=-30"), Range::Part((0, 10)));
    assert_eq!(of("bytes=5-99999999999999999999999999"), Range::Part((5, 5)));
    assert_eq!(of("bytes=10-"), Range::Outside);
    assert_eq!(of("bytes=99999999999999999999999999-"), Range::Outside);
    assert_eq!(of("bytes=-0"), Range::Outside);
    assert_eq!(range(Some("bytes=0-0"), 0), Range::Outside);
    assert_eq!(range(Some("bytes=-1"), 0), Range::Outside);
    // What is no range of bytes does not count (RFC 9110 14.2).
    for odd in ["bytes=", "bytes=-", "bytes=3-1", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1", "bytes=+1-2", ""]
    {
        assert_eq!(of(odd), Range::All, "{odd}");
    }
}

#[test]
fn what_a_client_takes_and_has() {
    let mut request = Request::new("GET", "/v2/a/manifests/b?n=1&artifactType=a%2Fb%2Bc&empty=");
    assert!(request.takes("application/x"), "who names nothing takes everything");
    request.accept = Some("application/json;q=0.5, Application/X , text/*".to_owned());
    assert!(request.takes("application/x") && request.takes("text/plain") && !request.takes("image/x"));
    assert_eq!(request.parameter("artifactType").as_deref(), Some("a/b+c"));
    assert_eq!(request.parameter("empty").as_deref(), Some(""));
    assert_eq!(request.parameter("last"), None);
    assert!(!request.has("\"a\""));
    request.if_none_match = Some("\"b\", W/\"a\"".to_owned());
    assert!(request.has("\"a\"") && !request.has("\"c\""));
}

fn came(bytes: &[u8], most: usize) -> Came {
    let deadline = Instant::now() + Duration::from_secs(9);
    wire::read(&mut Cursor::new(bytes.to_vec()), &mut Vec::new(), most, deadline)
        .expect("memory does not fail")
}

#[test]
fn requests_are_read_to_their_end_and_no_further() {
    let two = b"GET /v2/ HTTP/1.1\r\nHost: a\r\nAccept: x\r\naccept: y\r\n\r\nHEAD /v2/b?c HTTP/1.1\r\n\r\n";
    let mut pending = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(9);
    let mut from = Cursor::new(two.to_vec());
    let mut next = || wire::read(&mut from, &mut pending, 4096, deadline).expect("memory does not fail");
    let Came::Request(first) = next() else { panic!("no request") };
    assert_eq!(
        (&first.request.path[..], first.request.accept.as_deref(), first.stays),
        ("/v2/", Some("x,y"), true)
    );
    let Came::Request(second) = next() else { panic!("no second request") };
    assert_eq!(
        (&second.request.method[..], &second.request.path[..], &second.request.query[..]),
        ("HEAD", "/v2/b", "c")
    );
    assert!(matches!(next(), Came::Nothing));
    let Came::Request(old) = came(b"GET / HTTP/1.0\r\n\r\n", 99) else { panic!("no request") };
    assert!(!old.stays);
    // A body is not read, so nothing may follow it.
    for body in ["Content-Length: 5", "Transfer-Encoding: chunked", "Connection: close"] {
        let text = format!("PUT / HTTP/1.1\r\n{body}\r\n\r\nhello");
        let Came::Request(head) = came(text.as_bytes(), 999) else { panic!("no request") };
        assert!(!head.stays, "{body}");
    }
}

#[test]
fn heads_have_limits() {
    let exactly = |n: usize| {
        let rest = "GET / HTTP/1.1\r\nA: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(n - rest))
    };
    assert!(matches!(came(exactly(500).as_bytes(), 500), Came::Request(_)));
    assert!(matches!(came(exactly(501).as_bytes(), 500), Came::Bad(431, _)));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
    assert!(matches!(came(many.as_bytes(), 99_999), Came::Bad(431, _)));
    for odd in [
        &b"\0\0\0\0"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01",
        b"GET / HTTP/1.1\r\n\xff: a\r\n\r\n",
    ] {
        assert!(matches!(came(odd, 999), Came::Bad(400, _) | Came::Nothing), "{odd:?}");
    }
}

#[test]
fn an_empty_shelf_answers_as_a_registry() {
    let shelf = Shelf::default();
    let status = |method: &str, target: &str| answer(&shelf, &Request::new(method, target)).status;
    assert_eq!(status("GET", "/v2/"), 200);
    assert_eq!(status("GET", "/v2/_catalog"), 200);
    for write in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "x"] {
        assert_eq!(status(write, "/v2/a/blobs/uploads/"), 405, "{write}");
    }
    for odd in ["/", "/v1/", "/v2/x", "/v2//manifests/a", "/v2/manifests/a", "*", "/v2/a/tags/x", "/v2"] {
        assert!(matches!(status("GET", odd), 200 | 400 | 404), "{odd}");
    }
    for bad in ["/v2/A/manifests/b", "/v2/../manifests/b", "/v2/%2e%2e/manifests/b", "/v2/%ff/manifests/b"] {
        assert_eq!(status("GET", bad), 400, "{bad}");
    }
    assert_eq!(status("GET", "/v2/a/b/manifests/latest"), 404);
    assert_eq!(status("GET", "/v2/_catalog?n=x"), 400);
}

#[test]
fn answers_hold_no_other_header_than_theirs() {
    let answer = Answer::new(200, "a\r\nB: c", *b"body");
    let mut out = Vec::new();
    assert_eq!(wire::write(&mut out, &answer, false, true).expect("memory"), 4);
    let text = String::from_utf8(out).expect("text");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\nContent-Type: aB: c\r\nContent-Length: 4\r\n"), "{text}");
    assert!(text.ends_with("Connection: keep-alive\r\n\r\nbody"), "{text}");
    let mut out = Vec::new();
    assert_eq!(wire::write(&mut out, &answer, true, false).expect("memory"), 0);
    assert!(out.ends_with(b"Connection: close\r\n\r\n"));
    assert!(matches!(answer.body, Body::Bytes(bytes) if &*bytes == b"body"));
}

#[test]
fn pages_of_names() {
    let mut shelf = Shelf::default();
    for name in ["a", "b/c", "d"] {
        shelf.set(name);
    }
    let get = |target: &str| {
        let answer = answer(&shelf, &Request::new("GET", target));
        let headers: HashMap<_, _> = answer.headers.into_iter().collect();
        let Body::Bytes(bytes) = answer.body else { panic!("a list is no blob") };
        (String::from_utf8(bytes.to_vec()).expect("text"), headers.get("Link").cloned())
    };
    assert_eq!(get("/v2/_catalog"), (r#"{"repositories":["a","b/c","d"]}"#.to_owned(), None));
    let (first, link) = get("/v2/_catalog?n=2");
    assert_eq!(first, r#"{"repositories":["a","b/c"]}"#);
    assert_eq!(link.as_deref(), Some("</v2/_catalog?n=2&last=b/c>; rel=\"next\""));
    assert_eq!(get("/v2/_catalog?n=2&last=b/c"), (r#"{"repositories":["d"]}"#.to_owned(), None));
    assert_eq!(get("/v2/_catalog?last=zz").0, r#"{"repositories":[]}"#);
    assert_eq!(get("/v2/_catalog?n=0"), (r#"{"repositories":[]}"#.to_owned(), None));
}
