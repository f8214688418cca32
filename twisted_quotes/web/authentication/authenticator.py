"""
Authentication of requests with the Authorization header.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from re import compile

from twisted.cred.error import LoginDenied, Unauthorized
from twisted.cred.portal import Portal
from twisted.web.iweb import IRequest

from twisted_quotes.errors import NotAuthenticated
from twisted_quotes.web.http.clients import client_key_for_request
from twisted_quotes.web.http.request_log import annotate

from .credentials import Credentials, IPrincipal

# RFC 6750, section 2.1.
_TOKEN = compile(rb"[A-Za-z0-9._~+/-]+=*")

# RFC 5234, appendix B.1.
_CONTROL_CHARACTER = compile(rb"[\x00-\x1f\x7f]")


async def authenticate(portal: Portal, request: IRequest) -> None:
    """
    Authenticate a request, and add the user to its log entry.

    @raise NotAuthenticated: the credentials are missing, malformed or wrong.
    @raise TooBusy: too many credentials wait to be verified.
    @raise TooManyRequests: too many of this client wait.
    """
    headers = request.requestHeaders.getRawHeaders(b"authorization") or []
    credentials, is_bearer = parse_credentials(list(headers))
    credentials.client_key = client_key_for_request(request)
    try:
        _, principal, logout = await portal.login(credentials, None, IPrincipal)
    # A checker's message may contain the user name, which may be a password typed
    # into the wrong field. It must not be shown or logged.
    except (Unauthorized, LoginDenied):
        raise NotAuthenticated(
            "The name or the password is wrong.", is_bearer
        ) from None
    annotate(request, user=escape_username(IPrincipal(principal).name))
    logout()


def parse_credentials(headers: Sequence[bytes]) -> tuple[Credentials, bool]:
    """
    Parse the credentials of a request.

    @param headers: the values of all its Authorization headers.
    @return: the credentials, and whether they are a bearer token.
    @raise NotAuthenticated: they are missing or malformed. The message contains
        nothing of the headers.
    """
    if not headers:
        raise NotAuthenticated("This URL requires authentication.")
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
    """Parse Basic credentials (RFC 7617, section 2)."""
    try:
        pair = b64decode(token, validate=True)
        pair.decode()
    except ValueError:
        raise NotAuthenticated(
            "The Basic credentials are not UTF-8 in base64."
        ) from None
    if _CONTROL_CHARACTER.search(pair):
        raise NotAuthenticated("The Basic credentials contain control characters.")
    name, _, password = pair.partition(b":")
    if not (name and password):
        raise NotAuthenticated("The Basic credentials are not NAME:PASSWORD in base64.")
    return Credentials(name, password)


def _parse_bearer(token: bytes) -> Credentials:
    """Parse a bearer token (RFC 6750, section 2.1), here NAME.PASSWORD."""
    name, _, password = token.partition(b".")
    if not (name and password and _TOKEN.fullmatch(token)):
        raise NotAuthenticated("The Bearer token is not NAME.PASSWORD.", True)
    return Credentials(name, password)


def escape_username(name: bytes) -> str:
    """
    Escape a user name for a log: the result is visible ASCII without blanks.

    The name C{-} is escaped, too, because it stands for no user.
    """
    if name == b"-":
        return r"\x2d"
    return "".join(
        chr(byte) if 0x21 <= byte <= 0x7E and byte not in b'"\\' else f"\\x{byte:02x}"
        for byte in name
    )
