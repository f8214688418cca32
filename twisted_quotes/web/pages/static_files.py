"""
The style sheet, the script, the fonts and the icon of the pages, kept in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from twisted.web.iweb import IRequest
from werkzeug.exceptions import NotFound

from twisted_quotes.web.http import caching
from twisted_quotes.web.http.request_log import query_string
from twisted_quotes.web.http.responses import render_body
from twisted_quotes.web.http.urls import base_url

_CONTENT_TYPES = {
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
    "txt": b"text/plain; charset=utf-8",
    "woff2": b"font/woff2",
}

_PACKAGE = files(__package__)
_OPEN_SEARCH = (_PACKAGE / "templates" / "opensearch.xml").read_text("utf-8")


class _StaticFile(NamedTuple):
    content_type: bytes
    content: bytes
    tag: str


def _load_files() -> dict[str, _StaticFile]:
    loaded = {}
    for name, path in _walk(_PACKAGE / "static"):
        content = path.read_bytes()
        tag = blake2b(content, digest_size=8).hexdigest()
        content_type = _CONTENT_TYPES[name.rpartition(".")[2]]
        loaded[name] = _StaticFile(content_type, content, tag)
    return loaded


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    """Yield the names of all files in a folder and its sub-folders, with the files."""
    for path in folder.iterdir():
        if path.is_dir():
            yield from _walk(path, f"{prefix}{path.name}/")
        else:
            yield f"{prefix}{path.name}", path


_FILES = _load_files()

_VERSIONED = {
    f"/static/{name}": f"/static/{name}?v={file.tag}"
    for name, file in _FILES.items()
    if name.endswith((".css", ".js"))
}


def versioned(url: str) -> str:
    """
    Add the version of a style sheet or script to its URL.

    A page never has those of another release then, and its fonts, which the style
    sheet names without a version, have one URL only.
    """
    return _VERSIONED.get(url, url)


def static_file(request: IRequest, name: str) -> bytes:
    """
    Respond with a file.

    @raise NotFound: there is none with that name.
    """
    file = _FILES.get(name)
    if file is None:
        raise NotFound()
    caching.set_cache_headers(request, _cache_control(request, file), file.tag)
    if caching.check_not_modified(request, file.tag):
        return b""
    return render_body(request, file.content_type, file.content)


def _cache_control(request: IRequest, file: _StaticFile) -> str:
    """Let the client keep a file, unless its page is of another release."""
    version = query_string(request).removeprefix(b"v=").decode("latin-1")
    if version not in ("", file.tag):
        return "no-cache"
    return "max-age=31536000, immutable" if version else "max-age=3600"


def favicon(request: IRequest) -> bytes:
    """Respond with the icon."""
    return static_file(request, "favicon.svg")


def open_search(request: IRequest) -> bytes:
    """
    Respond with the OpenSearch description, with which a browser can search.

    Its URLs are absolute, so they depend on the host of the request.
    """
    url = base_url(request, "http://localhost")
    description = _OPEN_SEARCH.replace("BASE_URL", escape(url))
    content_type = b"application/opensearchdescription+xml"
    return render_body(request, content_type, description.encode())
