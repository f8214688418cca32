"""
What all pages share: the template around their content, and the headers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import ClassVar

from twisted.web.iweb import IRequest
from twisted.web.template import Element, Tag, XMLString, flattenString, renderer

from twisted_quotes.web.http.responses import render_body
from twisted_quotes.web.http.urls import base_path

from .static_files import versioned

SITE_NAME = "Twisted Quotes"

# Nothing from elsewhere, no inline script or style, no embedding in frames.
_CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
    b"img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    b"frame-ancestors 'none'"
)

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
