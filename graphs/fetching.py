"""Post a form to a server and save its answer: bounded in time and size, or an error of one line.

Only http and https are spoken. A redirect is followed to the same scheme, or from http to https,
and the form is posted again there. An answer that is cut short, compressed, or not of an accepted
media type is refused. Proxies are those of the environment, as usual (`https_proxy`).
"""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from types import TracebackType
from typing import IO, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from graphs.errors import GraphError

_REDIRECTS = (301, 302, 303, 307, 308)
_HOPS = 5
_PIECE = 1 << 16
_EXCERPT = 200
_LONGEST = 1e6  # seconds; a socket takes no timeout of thousands of years


class Answer(NamedTuple):
    """Say what was saved: how many bytes, and their SHA-256."""

    size: int
    sha256: str


def fetch(
    url: str,
    *,
    form: Mapping[str, str],
    types: Sequence[str],
    timeout: float,
    limit: int,
    into: IO[bytes],
) -> Answer:
    """Post `form` to `url`, and save an answer of one of the media `types` in `into`.

    The whole answer must be there within `timeout` seconds, and hold no more than `limit` bytes.
    Raises `GraphError`.
    """
    timeout = min(timeout, _LONGEST)
    data = urlencode(form).encode("ascii")
    headers = {"Accept": ", ".join(types), "User-Agent": "kbert (graphs)"}
    with _Watch(timeout) as watch:
        opener = _opener(watch)
        try:
            for _ in range(_HOPS + 1):
                request = Request(url, data=data, headers=headers)
                with opener.open(request, timeout=timeout) as response:
                    watch.check()
                    if response.status in _REDIRECTS:
                        url = _redirected(url, location=response.headers.get("Location"))
                        continue
                    _check(response, url=url, types=types)
                    answer, is_whole = _save(response, url=url, limit=limit, into=into)
                    watch.check()
                    if not is_whole:
                        raise GraphError(f"{url}: the answer was cut short; ask again")
                    return answer
        except (OSError, HTTPException, ValueError) as error:
            raise _failed(error, url=url, timeout=timeout, expired=watch.expired) from None
    raise GraphError(f"{url}: more than {_HOPS} redirects; give the address they should lead to")


def _failed(error: Exception, *, url: str, timeout: float, expired: bool) -> GraphError:
    reason = getattr(error, "reason", error)
    if expired or isinstance(reason, TimeoutError):
        return GraphError(f"{url}: no whole answer in {timeout:g} s; allow more, or ask for less")
    said = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return GraphError(f"{url}: no answer could be read: {_one_line(said)}")


def _redirected(url: str, *, location: str | None) -> str:
    if not location:
        raise GraphError(f"{url}: redirects to nowhere")
    target = urljoin(url, location)
    old, new = urlsplit(url).scheme.lower(), urlsplit(target).scheme.lower()
    if new != old and (old, new) != ("http", "https"):
        raise GraphError(f"{url}: redirects to {_one_line(target)!r}, which is not followed")
    return target


def _check(response: HTTPResponse, *, url: str, types: Sequence[str]) -> None:
    if response.status != 200:
        excerpt = _one_line(response.read1(_EXCERPT).decode("utf-8", "replace"))
        said = f"{response.status} {_one_line(response.reason)}".strip()
        raise GraphError(f"{url}: answers {said}{excerpt and ': ' + excerpt}")
    kind = response.headers.get_content_type()
    if "Content-Type" not in response.headers or kind not in types:
        said = kind if "Content-Type" in response.headers else "something without a type"
        raise GraphError(f"{url}: answers {said}, not {types[0]}; is this the endpoint itself?")
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise GraphError(f"{url}: answers in the encoding {encoding!r}, which nobody asked for")


def _save(response: HTTPResponse, *, url: str, limit: int, into: IO[bytes]) -> tuple[Answer, bool]:
    """Return what was saved, and whether it is as long as the server had said."""
    announced, size, digest = response.length, 0, hashlib.sha256()
    while piece := response.read1(_PIECE):
        size += len(piece)
        if size > limit:
            raise GraphError(f"{url}: answers more than {limit} bytes; ask for less, or allow more")
        digest.update(piece)
        into.write(piece)
    return Answer(size, digest.hexdigest()), announced is None or size == announced


def _one_line(text: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1] + "…"


class _Watch:
    """Shut the connections after a time: a timeout of a socket alone begins anew with each byte."""

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> _Watch:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._timer.cancel()

    def add(self, connected: socket.socket) -> None:
        with self._lock:
            self._sockets.append(connected)
            if self.expired:
                _shut(connected)

    def check(self) -> None:
        """Raise TimeoutError where the end of what was read may be that of a shut connection."""
        if self.expired:
            raise TimeoutError

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            for connected in self._sockets:
                _shut(connected)


def _shut(connected: socket.socket) -> None:
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


def _opener(watch: _Watch) -> OpenerDirector:
    class Http(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            watch.add(self.sock)

    class Https(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            watch.add(self.sock)

    class OpenHttp(HTTPHandler):
        def http_open(self, request: Request) -> HTTPResponse:
            return self.do_open(Http, request)

    class OpenHttps(HTTPSHandler):
        def https_open(self, request: Request) -> HTTPResponse:
            return self.do_open(Https, request)

    opener = OpenerDirector()
    for handler in (ProxyHandler(), OpenHttp(), OpenHttps()):
        opener.add_handler(handler)
    return opener
