"""
What all pages share: the template around their content, and the headers.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import ClassVar
from urllib.parse import urlencode

from twisted.python.failure import Failure
from twisted.web.http import NOT_FOUND
from twisted.web.iweb import IRequest
from twisted.web.template import (
    Element,
    Tag,
    XMLString,
    flattenString,
    renderer,
    tags,
)

from twisted_quotes.web.http.accept import negotiate_media_type
from twisted_quotes.web.http.request_log import header
from twisted_quotes.web.http.responses import (
    PROBLEM_JSON,
    prepare_error,
    render_body,
    render_error,
)
from twisted_quotes.web.http.urls import base_path

from .static_files import versioned

SITE_NAME = "Twisted Quotes"

# Nothing from elsewhere, no inline script or style, no embedding in frames.
_CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
    b"img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    b"frame-ancestors 'none'"
)

# Programs ask these, and browsers only for a look.
_PROGRAM_URLS = (b"/api/", b"/wait", b"/metrics", b"/livez", b"/readyz")

_LOCAL_ATTRIBUTES = ("href", "src", "action")


def load_template(name: str) -> XMLString:
    """Load a template of this package."""
    folder = files(__package__) / "templates"
    return XMLString((folder / f"{name}.xml").read_text("utf-8"))


@dataclass(eq=False)
class Page(Element):
    """
    A page: C{page.xml} around the template with the content.

    @cvar template: the template with the content, which has the renderers of the page.
    @ivar page_title: the title; empty for that of the site.
    """

    template: ClassVar[XMLString]
    loader = load_template("page")

    page_title: str

    @renderer
    def title(self, request: IRequest, tag: Tag) -> Tag:
        """Render the title of the page."""
        return tag(f"{self.page_title} \u2013 {SITE_NAME}".removeprefix(" \u2013 "))

    @renderer
    def metadata(self, request: IRequest, tag: Tag) -> Iterable[Tag]:
        """Render further elements of the head."""
        return ()

    @renderer
    def content(self, request: IRequest, tag: Tag) -> Tag:
        """Render the template with the content."""
        return tag(self.template.load())

    @renderer
    def local(self, request: IRequest, tag: Tag) -> Tag:
        """Put the base path of the service before the URL of a link or an asset."""
        for name in _LOCAL_ATTRIBUTES:
            if name in tag.attributes:
                url = versioned(str(tag.attributes[name]))
                tag.attributes[name] = base_path(request) + url
        return tag


@dataclass(eq=False)
class _ErrorPage(Page):
    """A page that says what is wrong."""

    template = load_template("error")

    error: str

    @renderer
    def heading(self, request: IRequest, tag: Tag) -> Tag:
        """Render the title of the error."""
        return tag(self.page_title)

    @renderer
    def message(self, request: IRequest, tag: Tag) -> Tag:
        """Render what is wrong, and what would be right."""
        return tag(self.error)


def page_links(
    request: IRequest,
    path: str,
    parameters: Sequence[tuple[str, str]],
    offset: int,
    limit: int,
    end: int,
    total: int,
    noun: str,
) -> Generator[Tag, None, None]:
    """
    Yield links to the pages before and after a page of a list.

    @param end: the offset of the page after it.
    """

    def link(offset: int, rel: str, text: str) -> Tag:
        query = urlencode([*parameters, ("offset", offset)])
        return tags.a(text, rel=rel, href=f"{base_path(request)}{path}?{query}")

    if offset:
        yield link(max(0, min(offset, total) - limit), "prev", f"Earlier {noun}")
    if end < total:
        yield link(end, "next", f"More {noun}")


async def render_page(request: IRequest, page: Page) -> bytes:
    """Set the headers of a page, and return its HTML."""
    return send_page(request, await flatten_page(request, page))


async def flatten_page(request: IRequest, page: Page) -> bytes:
    """Return the HTML of a page."""
    return b"<!DOCTYPE html>\n" + await flattenString(request, page)


def send_page(request: IRequest, html: bytes) -> bytes:
    """Set the headers of a page, and return its HTML."""
    body = render_body(request, b"text/html; charset=utf-8", html)
    request.setHeader(b"content-security-policy", _CONTENT_SECURITY_POLICY)
    return body


def prefers_html(request: IRequest) -> bool:
    """Return whether a client prefers HTML to JSON, as browsers do for a link."""
    offered = ["application/json", PROBLEM_JSON, "text/html"]
    return negotiate_media_type(header(request, b"accept"), offered) == "text/html"


async def render_any_error(request: IRequest, failure: Failure) -> bytes:
    """
    Respond to a browser with a page, and to others in JSON.

    It is the error handler of the Klein app.
    """
    if request.path.startswith(_PROGRAM_URLS) or not prefers_html(request):
        return render_error(request, failure)
    code, message = prepare_error(request, failure)
    title = "Not found" if code == NOT_FOUND else "Something is wrong"
    return await render_page(request, _ErrorPage(title, message))
