"""
Descriptions of the operations of the service: each is a URL with a method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from re import compile
from typing import Any

from msgspec import Struct

# Who may use a URL if the service uses authentication.
PUBLIC, AUTHENTICATED = "public", "authenticated"

JSON, HTML = "application/json", "text/html"

_PATH_PARAMETER = compile(r"<(?:[^:>]+:)?(\w+)>")


@dataclass(frozen=True)
class Topic:
    """
    A topic of the instructions. Paragraphs of its text are divided by blank lines, and
    code is in backquotes, as in Markdown.

    @ivar anchor: identifies it in links.
    """

    anchor: str
    title: str
    text: str = ""


@dataclass(frozen=True)
class Body:
    """
    A representation of a body.

    @ivar type: the type that validates or encodes it; C{str} for text.
    @ivar example: a value of the type.
    @ivar description: what the type does not say.
    @ivar line_types: the types of the lines, if each line is a value of its own.
    """

    media_type: str
    type: Any
    example: object
    description: str = ""
    line_types: Sequence[Any] = ()


@dataclass(frozen=True, eq=False)
class Example:
    """
    A request that works with any library.

    @ivar caption: what it requests.
    @ivar target: the path and the query of the URL.
    @ivar body: the fields of the JSON in the body.
    @ivar accept: the media type to request.
    """

    caption: str
    target: str
    body: Mapping[str, object] | None = None
    accept: str = ""


@dataclass(frozen=True)
class PathParameter:
    """A parameter in the path of a URL, whose values have a pattern."""

    description: str
    example: str
    pattern: str | None = None


@dataclass(frozen=True, eq=False)
class Operation:
    """
    What a URL does with a method.

    @ivar name: identifies the operation, as the name of a function does.
    @ivar url: the path as a route of Klein.
    @ivar handler: responds; it takes the object with the routes, the request, and the
        parameters in the path.
    @ivar topic: the topic that it belongs to.
    @ivar answers: the representations of the body of a success.
    @ivar parameters: the type of the parameters in the query.
    @ivar query: the type of the query in the body, or a union of types.
    @ivar errors: the errors that not every operation has, by status.
    @ivar headers: the response headers that not every response has.
    @ivar status: the status of a success.
    @ivar is_conditional: whether the response has an C{ETag}, so that it may be a 304.
    """

    name: str
    url: str
    handler: Callable[..., Any]
    topic: Topic
    summary: str
    answers: Sequence[Body]
    description: str = ""
    method: str = "GET"
    access: str = AUTHENTICATED
    path_parameters: Mapping[str, PathParameter] = field(default_factory=dict)
    parameters: type[Struct] | None = None
    query: Any = None
    errors: Sequence[int] = ()
    headers: Sequence[str] = ()
    status: int = 200
    is_conditional: bool = False
    examples: Sequence[Example] = ()

    @property
    def path(self) -> str:
        """The path as a template of OpenAPI, such as C{/quotes/{id}}."""
        return _PATH_PARAMETER.sub(r"{\1}", self.url)
