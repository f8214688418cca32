"""
Tests of authentication in the real process.
"""

from __future__ import annotations

from base64 import b64encode
from re import findall

from .cases import LibraryTestCase
from .fake_grep import GatedPrograms
from .http_connection import Response
from .server import UNPRIVILEGED_PREFIX, Server

QUERY = {"action": "search", "term": "once"}


def basic_header(name: str, password: str) -> str:
    token = b64encode(f"{name}:{password}".encode()).decode()
    return f"Authorization: Basic {token}"


def bearer_header(token: str) -> str:
    return f"Authorization: Bearer {token}"


class AuthenticationTests(LibraryTestCase):
    """Tests of a service that requires authentication."""

    def setUp(self) -> None:
        super().setUp()
        (self.library / "story").write_text("once upon a time\n")
        self.password_file = self.folder / "passwords"
        self.password_file.write_text("alice:secret\nzoë:pässwörd\n", "utf-8")

    def serve_authenticated(self, *options: str, environment: dict[str, str]) -> Server:
        """Serve the library with authentication, and log at debug level."""
        return self.serve(
            f"--auth=file:{self.password_file}",
            *options,
            environment=environment,
            prefix=UNPRIVILEGED_PREFIX,
            twist_options=("--log-level=debug",),
        )

    def post_query(self, server: Server, *headers: str) -> Response:
        """Send a query with headers."""
        with server.connect() as connection:
            return connection.send_query(QUERY, *headers).read_response()

    def check_unauthorized(self, server: Server, response: Response) -> None:
        """Check that a request was rejected and no process was started."""
        self.assertEqual(response.status, 401)
        self.assertEqual(response.json()["Code"], 401)
        self.assertIn("www-authenticate", response.headers)
        self.assertEqual(server.search_pids(), [])

    def test_only_authenticated_requests_start_a_grep(self) -> None:
        """Other requests are rejected before a process is started."""
        gated = GatedPrograms(self.folder)
        server = self.serve_authenticated(environment=gated.environment)
        for headers in (
            (),
            (basic_header("alice", "wrong"),),
            (basic_header("carol", "secret"),),
            (bearer_header("alice.wrong"),),
            (bearer_header("nonsense"),),
            (bearer_header("alice.secret"), bearer_header("alice.secret")),
        ):
            self.check_unauthorized(server, self.post_query(server, *headers))
        known = server.connect().send_query(QUERY, basic_header("zoë", "pässwörd"))
        server.wait_for_search_pids(1)
        gated.open_gate()
        self.assertEqual(known.read_response().json()["results"], ["once upon a time"])
        self.assertEqual(
            self.post_query(server, bearer_header("alice.secret")).status, 200
        )

    def test_only_health_checks_need_no_credentials(self) -> None:
        """Without credentials, a missing URL is a 401 too."""
        server = self.serve_authenticated(environment={})
        for path in ("/livez", "/readyz"):
            self.assertEqual(server.get(path).json(), {"status": "ok"})
        for path in ("/", "/nonexistent", "/api/v2/dictionaries", "/wait?seconds=0"):
            self.check_unauthorized(server, server.get(path))
            head = server.get(path, method="HEAD")
            self.assertEqual((head.status, head.body), (401, b""))
        known = bearer_header("alice.secret")
        self.assertEqual(server.get("/", known).status, 200)
        self.assertEqual(server.get("/nonexistent", known).status, 404)

    def test_changes_to_the_password_file_take_effect_immediately(self) -> None:
        """Each request is checked with the current file."""
        server = self.serve_authenticated(environment={})
        old, new = bearer_header("alice.secret"), bearer_header("alice.terces")
        self.assertEqual(server.get("/", old).status, 200)
        self.password_file.write_text("alice:terces\n")
        self.check_unauthorized(server, server.get("/", old))
        self.assertEqual(server.get("/", new).status, 200)
        away = self.password_file.rename(self.folder / "away")
        self.check_checker_failed(server.get("/", new), server, "No such file")
        away.chmod(0)
        away.rename(self.password_file)
        self.check_checker_failed(server.get("/", new), server, "Permission denied")
        self.password_file.chmod(0o600)
        self.assertEqual(server.get("/", new).status, 200)

    def check_checker_failed(
        self, response: Response, server: Server, reason: str
    ) -> None:
        """Check for a 500 whose reason is only in the log."""
        self.assertEqual(response.status, 500)
        server.wait_for_log_line(rf"{reason}.*{self.password_file}")
        self.assertNotIn(str(self.folder), response.json()["message"])

    def test_the_logs_name_only_authenticated_users(self) -> None:
        """No log has a password, or a name from wrong credentials."""
        log = self.folder / "access.log"
        server = self.serve_authenticated(f"--access-log={log}", environment={})
        headers = [
            basic_header("alice", "secret"),
            basic_header("zoë", "pässwörd"),
            bearer_header("alice.secret"),
            basic_header("mallory", "guess"),
            bearer_header("mallory.guess"),
            bearer_header("guess"),
            "Authorization: guess",
        ]
        for path in ("/", "/nonexistent"):
            for header in headers:
                server.get(path, header)
        self.password_file.unlink()
        for header in headers:
            server.get("/", header)
        server.stop()
        lines = "\n".join([*server.lines, log.read_text()])
        names = ["alice", r"zo\xc3\xab", "alice", "-", "-", "-", "-"]
        users = findall(r"(?m)^127\.0\.0\.1 - (\S+) \[", log.read_text())
        self.assertEqual(users, names * 2 + ["-"] * 7)
        secrets = ["secret", "sswörd", r"ssw\xc3", "mallory", "guess"]
        for secret in (*secrets, *(each.split()[-1] for each in headers)):
            self.assertNotIn(secret, lines)
