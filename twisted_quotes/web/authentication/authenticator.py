"""
The guard: who is admitted to the URLs that are not open to all.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from re import compile

from twisted.cred.error import LoginDenied, Unauthorized
from twisted.cred.portal import Portal
from twisted.web.iweb import IRequest

from twisted_quotes.errors import NotAuthenticated
from twisted_quotes.web.http.request_log import annotate

from .credentials import Credentials, IPrincipal

# RFC 6750, section 2.1.
_TOKEN = compile(rb"[A-Za-z0-9._~+/-]+=*")

# RFC 5234, appendix B.1.
_CONTROL_CHARACTER = compile(rb"[\x00-\x1f\x7f]")


class Authenticator:
    """
    Admits those who say who they are, and are believed.

    @param portal: knows who is to be believed.
    """

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def authenticate(self, request: IRequest) -> None:
        """
        Admit a request, and note whose it is.

        @raise NotAuthenticated: it does not say, or not well, or it is not
            believed.
        """
        headers = request.requestHeaders.getRawHeaders(b"authorization") or []
        credentials, is_bearer = parse_credentials(list(headers))
        try:
            _, principal, logout = await self._portal.login(
                credentials, None, IPrincipal
            )
        # What a checker says may hold the name, which may be a password that
        # was typed into the wrong field: it goes no further.
        except (Unauthorized, LoginDenied):
            raise NotAuthenticated(
                "The name or the password is wrong.", is_bearer
            ) from None
        annotate(request, user=escape_username(IPrincipal(principal).name))
        logout()


def parse_credentials(headers: Sequence[bytes]) -> tuple[Credentials, bool]:
    """
    Read the credentials of a request.

    @param headers: the values of all its Authorization headers.
    @return: the credentials, and whether they came as a bearer token.
    @raise NotAuthenticated: there are none, or they are not well put. The
        message has nothing of what came.
    """
    if not headers:
        raise NotAuthenticated("This URL is not open to all.")
    if len(headers) > 1:
        raise NotAuthenticated("There is more than one Authorization header.")
    scheme, _, token = headers[0].partition(b" ")
    match scheme.lower():
        case b"basic":
            return _parse_basic(token.strip(b" ")), False
        case b"bearer":
            return _parse_bearer(token.strip(b" ")), True
    raise NotAuthenticated("The Authorization header is neither Basic nor Bearer.")


def _parse_basic(token: bytes) -> Credentials:
    """Read a name and a password (RFC 7617, section 2)."""
    try:
        pair = b64decode(token, validate=True)
        pair.decode()
    except ValueError:
        raise NotAuthenticated("What follows Basic is not UTF-8 in base64.") from None
    if _CONTROL_CHARACTER.search(pair):
        raise NotAuthenticated("There are control characters in what follows Basic.")
    name, _, password = pair.partition(b":")
    if not (name and password):
        raise NotAuthenticated("What follows Basic is not NAME:PASSWORD in base64.")
    return Credentials(name, password)


def _parse_bearer(token: bytes) -> Credentials:
    """Read a token (RFC 6750, section 2.1), which is a name and a password here."""
    name, _, password = token.partition(b".")
    if not (name and password and _TOKEN.fullmatch(token)):
        raise NotAuthenticated("What follows Bearer is not NAME.PASSWORD.", True)
    return Credentials(name, password)


def escape_username(name: bytes) -> str:
    """
    A caller's name as it stands in a log: visible ASCII without blanks.

    All else is escaped, and so is a name that would be read as none.
    """
    if name == b"-":
        return r"\x2d"
    return "".join(
        chr(byte) if 0x21 <= byte <= 0x7E and byte not in b'"\\' else f"\\x{byte:02x}"
        for byte in name
    )
