"""
The routes of the documentation: the instructions, the reference, the OpenAPI document.
"""

from __future__ import annotations

from hashlib import blake2b
from math import inf
from typing import Any, ClassVar, NamedTuple

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest
from twisted.web.template import XMLString

from twisted_quotes.concurrency.coalescing import CoalescedCall
from twisted_quotes.query.queries import EVERY_DICTIONARY
from twisted_quotes.search.finder import Finder
from twisted_quotes.web.http import caching
from twisted_quotes.web.http.responses import render_body
from twisted_quotes.web.http.urls import base_path, base_url
from twisted_quotes.web.openapi.document import ApiDescription
from twisted_quotes.web.openapi.operation import JSON, Example

from ..rendering import Page, flatten_page, load_template, send_page
from .answers import Answer, Answers
from .frame import DocumentationPage
from .instructions import BASE_URL, InstructionsPage, LibrarySummary
from .reference import ReferencePage

_TEMPORARY_LIFETIME = 60.0
"""How long instructions are kept that lack something, in seconds."""


class _Instructions(NamedTuple):
    """
    Instructions that were rendered.

    @ivar state: the state of the library.
    @ivar expires_at: when they are outdated even if the library has not changed.
    """

    state: object
    expires_at: float
    html: bytes


class _AnyRequest:
    """Stands for a request: pages are rendered once for all base paths."""

    base_path = "/base-path.invalid"


class _TryPage(DocumentationPage):
    """Swagger UI, which shows the OpenAPI document and sends requests."""

    template: ClassVar[XMLString] = load_template("try")
    style_sheets = ("swagger-ui/swagger-ui.css", "try.css")
    scripts = ("swagger-ui/swagger-ui-bundle.js", "try.js")


class Documentation:
    """
    The routes of the documentation.

    Everything is rendered once, the instructions once for each state of the library,
    and again after a while if not everything had an index, or the service was too busy.
    The URL of the service, which depends on the request, is then put in its place.

    @param answers: responds to the examples.
    """

    def __init__(
        self,
        clock: IReactorTime,
        finder: Finder,
        api: ApiDescription,
        answers: Answers,
    ) -> None:
        self._clock = clock
        self._finder = finder
        self._api = api
        self._answers = answers
        self._document = api.document(BASE_URL)
        self._document_json = msgspec.json.encode(self._document)
        self._reference = b""
        self._try_page = b""
        self._instructions: _Instructions | None = None
        self._instructions_call = CoalescedCall(
            self._render_instructions, cancellable=True
        )

    def document(self, request: IRequest) -> bytes:
        """Respond with the OpenAPI document."""
        body = _fill_in(request, self._document_json)
        tag = blake2b(body, digest_size=12).hexdigest()
        caching.set_cache_headers(request, "no-cache", tag)
        if caching.check_not_modified(request, tag):
            return b""
        return render_body(request, JSON.encode(), body)

    async def instructions(self, request: IRequest) -> bytes:
        """Respond with the instructions."""
        html = await self._instructions_call.request()
        return send_page(request, _fill_in(request, html))

    async def reference(self, request: IRequest) -> bytes:
        """Respond with the OpenAPI document as a page."""
        if not self._reference:
            page = ReferencePage("Reference", self._document)
            self._reference = await _flatten(page)
        return send_page(request, _fill_in(request, self._reference))

    async def try_out(self, request: IRequest) -> bytes:
        """Respond with Swagger UI. Its style sheet has pictures in C{data:} URLs."""
        if not self._try_page:
            self._try_page = await _flatten(_TryPage("Try requests"))
        html = send_page(request, _fill_in(request, self._try_page))
        [policy] = request.responseHeaders.getRawHeaders("content-security-policy", [])
        policy = policy.replace("img-src 'self'", "img-src 'self' data:")
        request.responseHeaders.setRawHeaders("content-security-policy", [policy])
        return html

    async def _render_instructions(self) -> bytes:
        """Render the instructions, unless they have been for this state."""
        finder, now = self._finder, self._clock.seconds()
        state = await finder.read_states(EVERY_DICTIONARY)
        kept = self._instructions
        if kept is not None and kept.state == state and now < kept.expires_at:
            return kept.html
        is_final = finder.searchable_library.packs.progress.ratio() == 1
        answers = await self._request_examples()
        library = LibrarySummary(
            await finder.list_dictionary_names(),
            finder.warnings(),
            finder.library.default,
        )
        page = InstructionsPage("Instructions", self._api, library, answers)
        html = await _flatten(page)
        is_final = is_final and not any(each.is_temporary for each in answers.values())
        expires_at = inf if is_final else now + _TEMPORARY_LIFETIME
        self._instructions = _Instructions(state, expires_at, html)
        return html

    async def _request_examples(self) -> dict[Example, Answer]:
        """Request the examples, up to the first for which the service is too busy."""
        answers: dict[Example, Answer] = {}
        for operation in self._api.operations:
            for example in operation.examples:
                answer = await self._answers.answer(operation, example)
                # A route may have responded although it was cancelled.
                if not self._instructions_call.is_needed:
                    raise CancelledError()
                answers[example] = answer
                if answer.is_temporary:
                    return answers
        return answers


def _flatten(page: Page) -> Deferred[bytes]:
    request: Any = _AnyRequest()
    return Deferred.fromCoroutine(flatten_page(request, page))


def _fill_in(request: IRequest, rendered: bytes) -> bytes:
    """Put in the URL and the path of the service, which need no escaping."""
    url = base_url(request, "http://localhost")
    rendered = rendered.replace(BASE_URL.encode(), url.encode())
    return rendered.replace(_AnyRequest.base_path.encode(), base_path(request).encode())
