"""
What the pages of the documentation share.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from twisted.web.iweb import IRequest
from twisted.web.template import Tag, renderer, tags

from ..rendering import Page


class DocumentationPage(Page):
    """
    A page with further style sheets and scripts.

    @cvar style_sheets: the names of static files.
    @cvar scripts: the names of static files, which run in this order.
    """

    style_sheets: ClassVar[Sequence[str]] = ("docs.css",)
    scripts: ClassVar[Sequence[str]] = ("docs.js",)

    @renderer
    def metadata(self, request: IRequest, tag: Tag) -> Iterable[Tag]:
        """Render the style sheets and the scripts."""
        for name in self.style_sheets:
            yield tags.link(rel="stylesheet", href=f"/static/{name}", render="local")
        for name in self.scripts:
            yield tags.script(src=f"/static/{name}", defer="", render="local")
