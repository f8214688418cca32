"""
Tests of authentication in the real process.
"""

from __future__ import annotations

from base64 import b64encode
from re import findall
from select import select

from argon2 import PasswordHasher

from twisted_quotes.web.authentication.password_hash import hash_password

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


class HashedPasswordTests(LibraryTestCase):
    """Tests of a password file with hashes."""

    def setUp(self) -> None:
        super().setUp()
        (self.library / "story").write_text("once upon a time\n")
        self.password_file = self.folder / "passwords"

    def serve_authenticated(self, *lines: str) -> Server:
        """Serve the library with a password file."""
        self.password_file.write_text("\n".join(lines))
        return self.serve(f"--auth=file:{self.password_file}")

    def test_users_with_hashes_and_with_plain_passwords_are_authenticated(self) -> None:
        """One line of the log says that there are plain ones, whatever the workers."""
        server = self.serve_authenticated(
            f"alice:{hash_password('secret')}", "bob:secret"
        )
        for name, password, status in (
            *(("alice", "secret", 200), ("bob", "secret", 200)),
            *(("alice", "wrong", 401), ("bob", "wrong", 401), ("carol", "secret", 401)),
        ):
            for header in (
                basic_header(name, password),
                bearer_header(f"{name}.{password}"),
            ):
                self.assertEqual(server.get("/", header).status, status)
        server.stop()
        warnings = [each for each in server.lines if "plain passwords" in each]
        self.assertEqual(len(warnings), 1, warnings)
        self.assertIn("'passwords' has plain passwords: 1.", warnings[0])
        self.assertNotIn("bob", warnings[0])

    def test_a_changed_hash_takes_effect_immediately(self) -> None:
        server = self.serve_authenticated(f"alice:{hash_password('secret')}")
        old, new = bearer_header("alice.secret"), bearer_header("alice.terces")
        self.assertEqual(server.get("/", old).status, 200)
        self.password_file.write_text(f"alice:{hash_password('terces')}")
        self.assertEqual(server.get("/", old).status, 401)
        self.assertEqual(server.get("/", new).status, 200)

    def test_a_flood_of_wrong_passwords_does_not_stop_the_service(self) -> None:
        """Known clients are answered before the first of the wrong passwords is."""
        # Each verification takes about a second.
        hasher = PasswordHasher(time_cost=20, memory_cost=65536, parallelism=1)
        server = self.serve_authenticated(f"alice:{hasher.hash('secret')}")
        known = bearer_header("alice.secret")
        with server.connect() as connection:
            send = connection.send_query
            first = send(QUERY, known).read_response()
            guessers = [server.connect() for _ in range(30)]
            for number, guesser in enumerate(guessers):
                guesser.send_get("/", bearer_header(f"alice.{number}"))
            answers = [send(QUERY, known).read_response() for _ in range(5)]
            health = [server.get("/livez").status for _ in range(5)]
        answered, _, _ = select([each.socket for each in guessers], [], [], 0)
        self.assertEqual(first.json()["results"], ["once upon a time"])
        self.assertEqual([each.body for each in answers], [first.body] * 5)
        self.assertEqual(health, [200] * 5)
        self.assertLess(len(answered), 10)
