from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from graphs.errors import GraphError, ParseError
from graphs.sparql import read_endpoint
from graphs.triple import Triple

pytestmark = pytest.mark.localhost  # servers of its own

QUERY = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }"
ORDERED = QUERY + " ORDER BY ?s"
GOOD = b'<x:a> <x:r> <x:b> .\n# more\n\n<x:a> <x:r> "caf\xc3\xa9"@FR .\n_:n <x:r> _:m .\r\n'
TRIPLES = [("x:a", "x:r", "x:b"), ("x:a", "x:r", '"café"@fr'), ("_:n", "x:r", "_:m")]


class Handler(BaseHTTPRequestHandler):
    """Answer as the path says: rightly, or in one of the ways in which servers fail."""

    server: Endpoint

    def do_GET(self) -> None:
        self.server.asked.append((self.path, "GET"))
        self.send(b"", status=405)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode("ascii")
        query = parse_qs(body, strict_parsing=True)["query"][0]
        self.server.asked.append((self.path, query))
        self.server.headers = dict(self.headers)
        getattr(self, self.path.strip("/").replace("-", "_"))(query)

    def send(
        self, data: bytes, *, status: int = 200, kind: str = "application/n-triples", **more: str
    ) -> None:
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        for name, value in ({"Content_Length": str(len(data))} | more).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def good(self, query: str) -> None:
        self.send(GOOD)

    def good_in_chunks(self, query: str) -> None:
        self.protocol_version = "HTTP/1.1"
        self.start_chunks()
        for start in range(0, len(GOOD), 7):
            self.chunk(GOOD[start : start + 7])
        self.chunk(b"")

    def plain_text(self, query: str) -> None:
        self.send(GOOD, kind="text/plain; charset=utf-8")

    def without_length(self, query: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/n-triples")
        self.end_headers()
        self.wfile.write(GOOD)

    def start_chunks(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/n-triples")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def empty(self, query: str) -> None:
        self.send(b"# Empty NT\n")

    def html(self, query: str) -> None:
        self.send(b"<html>hello</html>", kind="text/html")

    def lying_html(self, query: str) -> None:
        self.send(b"<x:a> <x:r> <x:b> .\n<html>hello</html>\n")

    def untyped(self, query: str) -> None:
        self.send(GOOD, kind="")

    def turtle(self, query: str) -> None:
        self.send(b"<x:a> a <x:b> .", kind="text/turtle")

    def broken(self, query: str) -> None:
        self.send(b"Parse\x1b[31m\nerror in line 1" + b"!" * 5000, status=500, kind="text/plain")

    def busy(self, query: str) -> None:
        self.send(b"", status=503)

    def squeezed(self, query: str) -> None:
        self.send(GOOD, Content_Encoding="gzip")

    def cut_short(self, query: str) -> None:
        self.send(GOOD, Content_Length=str(len(GOOD) + 1))

    def cut_chunks(self, query: str) -> None:
        self.protocol_version = "HTTP/1.1"
        self.start_chunks()
        self.wfile.write(b"fff\r\n" + GOOD)
        self.close_connection = True

    def endless(self, query: str) -> None:
        self.protocol_version = "HTTP/1.1"
        self.start_chunks()
        while not self.server.stopped.is_set():
            self.chunk(GOOD * 500)

    def silent(self, query: str) -> None:
        self.server.stopped.wait(20)

    def dripping(self, query: str) -> None:
        self.send(b"", Content_Length="1000000")
        self.drip(b"#")

    def dripping_headers(self, query: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        self.drip(b"x")

    def drip(self, data: bytes) -> None:
        while not self.server.stopped.wait(0.02):
            self.wfile.write(data)

    def nonsense(self, query: str) -> None:
        self.wfile.write(b"\0\1\2 no http at all\r\n\r\n")

    def moved(self, query: str) -> None:
        self.send(b"moved", status=302, Location="/good")

    def moved_for_good(self, query: str) -> None:
        self.send(b"moved", status=308, Location=f"http://127.0.0.1:{self.server.server_port}/good")

    def moved_to_a_file(self, query: str) -> None:
        self.send(b"", status=307, Location="file:///etc/hostname")

    def moved_to_ftp(self, query: str) -> None:
        self.send(b"", status=301, Location="ftp://127.0.0.1/x")

    def moved_nowhere(self, query: str) -> None:
        self.send(b"", status=303)

    def moved_to_nonsense(self, query: str) -> None:
        self.send(b"", status=303, Location="http://[")

    def round_and_round(self, query: str) -> None:
        self.send(b"", status=307, Location="/round-and-round")

    def pages(self, query: str) -> None:
        limit, offset = map(int, re.findall(r"LIMIT (\d+) OFFSET (\d+)$", query)[0])
        rows = [b"_:n <x:r> <x:%d> .\n" % number for number in range(5)]
        self.send(b"".join(rows[offset : offset + limit]))

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class Endpoint(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str]] = []
        self.headers: dict[str, str] = {}
        self.stopped = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.stopped.set()
        server.shutdown()
        thread.join()


def failure(endpoint: Endpoint, path: str, **options: Any) -> GraphError:
    triples = read_endpoint(endpoint.url(path), QUERY, **options)
    with pytest.raises(GraphError) as caught:
        found = next(triples)
        raise AssertionError(found)
    text = str(caught.value)
    assert text.startswith(f"{endpoint.url(path)}:") and "\n" not in text and text.isprintable()
    return caught.value


@pytest.mark.parametrize(
    "path", ["good", "good-in-chunks", "plain-text", "without-length", "moved", "moved-for-good"]
)
def test_an_answer_is_read_strictly_and_in_order(endpoint: Endpoint, path: str) -> None:
    found = list(read_endpoint(endpoint.url(path), QUERY))
    assert found == TRIPLES and all(type(triple) is Triple for triple in found)
    assert endpoint.headers["Accept"].startswith("application/n-triples")
    assert {query for _, query in endpoint.asked} == {QUERY}


def test_a_timeout_may_be_endless(endpoint: Endpoint) -> None:
    assert len(list(read_endpoint(endpoint.url("good"), QUERY, timeout=float("inf")))) == 3


def test_nothing_is_asked_before_it_is_wanted(endpoint: Endpoint) -> None:
    triples = read_endpoint(endpoint.url("good"), QUERY)
    assert endpoint.asked == []
    triples.close()
    assert list(read_endpoint(endpoint.url("empty"), QUERY)) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("html", "answers text/html, not application/n-triples"),
        ("turtle", "answers text/turtle"),
        ("untyped", "something without a type"),
        ("broken", r"answers 500 Internal Server Error: Parse \[31m error in line 1!+"),
        ("busy", "answers 503 Service Unavailable$"),
        ("squeezed", "in the encoding 'gzip'"),
        ("cut-short", "cut short"),
        ("cut-chunks", "no answer could be read: IncompleteRead"),
        ("nonsense", "no answer could be read"),
        ("moved-to-a-file", "redirects to 'file:///etc/hostname', which is not followed"),
        ("moved-to-ftp", "redirects to 'ftp://"),
        ("moved-nowhere", "redirects to nowhere"),
        ("moved-to-nonsense", "no answer could be read"),
        ("round-and-round", "more than 5 redirects"),
    ],
)
def test_a_bad_answer_gives_no_triple(endpoint: Endpoint, path: str, words: str) -> None:
    assert re.search(words, str(failure(endpoint, path)))
    assert len(endpoint.asked) == (6 if path == "round-and-round" else 1)


def test_a_line_that_is_no_triple_is_named(endpoint: Endpoint) -> None:
    triples = read_endpoint(endpoint.url("lying-html"), QUERY)
    assert next(triples) == ("x:a", "x:r", "x:b")
    with pytest.raises(ParseError) as caught:
        next(triples)
    assert (caught.value.file, caught.value.line) == (endpoint.url("lying-html"), 2)


@pytest.mark.parametrize("path", ["silent", "dripping", "dripping-headers"])
def test_a_slow_answer_is_given_up(endpoint: Endpoint, path: str) -> None:
    started = time.monotonic()
    assert "no whole answer in 0.3 s" in str(failure(endpoint, path, timeout=0.3))
    assert time.monotonic() - started < 5


def test_an_endless_answer_is_given_up(endpoint: Endpoint) -> None:
    assert "more than 300000 bytes" in str(failure(endpoint, "endless", max_bytes=300_000))
    assert "more than 10 bytes" in str(failure(endpoint, "good", max_bytes=10))
    exact = read_endpoint(endpoint.url("good"), QUERY, max_bytes=len(GOOD))
    assert len(list(exact)) == 3


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(GraphError, match="no answer could be read: Connection refused"):
            list(read_endpoint(url, QUERY))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_pages_make_the_whole(endpoint: Endpoint, size: int) -> None:
    found = list(read_endpoint(endpoint.url("pages"), ORDERED, page_size=size))
    page = [number // size + 1 for number in range(5)]
    assert found == [(f"_:p{page[i]}_n", "x:r", f"x:{i}") for i in range(5)]
    assert len(endpoint.asked) == page[-1] + 1


def test_a_server_that_knows_no_pages_is_noticed(endpoint: Endpoint) -> None:
    triples = read_endpoint(endpoint.url("good"), ORDERED, page_size=10)
    with pytest.raises(GraphError, match="gives page 1 again for 2; OFFSET is ignored"):
        list(triples)
    assert len(endpoint.asked) == 2


def test_all_pages_share_the_limit(endpoint: Endpoint) -> None:
    triples = read_endpoint(endpoint.url("pages"), ORDERED, page_size=1, max_bytes=50)
    with pytest.raises(GraphError, match="more than"):
        list(triples)
    assert len(endpoint.asked) == 3


@pytest.mark.parametrize(
    "url",
    ["file:///etc/hostname", "ftp://e.org/x", "e.org/sparql", "http:///x", "", "http://a b/",
     "http://user:word@e.org/sparql", "http://e.org/\nx"],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused_at_once(url: str) -> None:
    with pytest.raises(GraphError, match="is no endpoint") as caught:
        read_endpoint(url, QUERY)
    assert "\n" not in str(caught.value)


def test_requests_that_can_give_no_triples_are_refused_at_once() -> None:
    url = "http://127.0.0.1/sparql"
    with pytest.raises(GraphError, match="CONSTRUCT"):
        read_endpoint(url, "SELECT * WHERE { ?s ?p ?o }")
    with pytest.raises(GraphError, match="CONSTRUCT"):
        read_endpoint(url, QUERY + "\ud800")
    with pytest.raises(GraphError, match="ORDER BY"):
        read_endpoint(url, QUERY, page_size=10)
    for options in ({"page_size": 0}, {"timeout": 0}, {"timeout": float("nan")}, {"max_bytes": 0}):
        with pytest.raises(GraphError, match="must be"):
            read_endpoint(url, QUERY, **options)  # type: ignore[arg-type]
