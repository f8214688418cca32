"""
Several workers, for real: they serve as one process does, whatever becomes of
one of them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections import Counter
from pathlib import Path
from threading import Event

from ..faults.test_shutdown_rounds import RepeatingClient
from .cases import LibraryTestCase
from .fake_grep import GatedGrep
from .http_connection import TIMEOUT, HTTPConnection
from .server import (
    ROOT,
    Server,
    has_exited,
    open_terminal,
    running_server,
    wait_until,
)
from .test_tls import write_certificate

LOVE_QUERY = {"action": "search", "term": "love"}


def parse_metrics(server: Server) -> dict[str, float]:
    """All metrics, by name and labels."""
    lines = server.read_metrics().splitlines()
    pairs = (each.rsplit(" ", 1) for each in lines if not each.startswith("#"))
    return {name: float(value) for name, value in pairs}


def count_connections(pid: int, port: int) -> int:
    """How many connections a process has on a port of its own."""
    wanted = f":{port:04X}"
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(wanted) and fields[3] == "01":
            inodes.add(f"socket:[{fields[9]}]")
    found = 0
    for each in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found += os.readlink(f"/proc/{pid}/fd/{each}") in inodes
    return found


class WorkersTestCase(LibraryTestCase):
    """Has a library, and servers with two workers."""

    def setUp(self) -> None:
        """Make a library."""
        super().setUp()
        (self.library / "book").write_text("love\n" * 3)

    def serve_with_workers(self, *options: str, **kwargs: object) -> Server:
        """Serve the library with two workers, until the test is over."""
        # Either worker has a place for each search of any of these tests.
        alone = "--cache-bytes=0", "--search-together=no", "--max-running=20"
        return self.serve(*alone, *options, workers=2, **kwargs)

    def check_results(self, server: Server) -> None:
        """Check that it answers."""
        self.assertEqual(server.query_results(**LOVE_QUERY), ["love"] * 3)

    def wait_until_replaced(self, server: Server, old: list[int]) -> list[int]:
        """Wait until two workers serve, none of which is an old one."""

        def all_new() -> bool:
            now = server.worker_pids()
            return len(now) == 2 and not set(now) & set(old)

        wait_until(all_new, "new workers")
        wait_until(lambda: parse_metrics(server)["quotes_workers"] == 2, "both serving")
        return server.worker_pids()


class ServingTests(WorkersTestCase):
    """Tests of workers that serve."""

    def test_two_workers_answer(self) -> None:
        """They are children of the process that was started, and log what it does."""
        server = self.serve_with_workers()
        self.check_results(server)
        self.assertEqual(len(server.worker_pids()), 2)
        self.assertEqual(server.post_query(b"{}").status, 400)
        server.wait_for_log_line("POST /api/v1/json 400")
        starts = [each for each in server.lines if "Listening on http" in each]
        self.assertEqual(len(starts), 1)

    def test_those_who_come_at_once_are_spread(self) -> None:
        """Of 64 connections each worker has at least a third."""
        server = self.serve_with_workers()
        port = server.address[1]
        clients = [server.connect() for _ in range(64)]

        def taken() -> list[int]:
            return [count_connections(pid, port) for pid in server.worker_pids()]

        wait_until(lambda: sum(taken()) == 64, "all let in")
        self.assertGreaterEqual(min(taken()), 64 // 3, taken())
        for client in clients:
            self.assertEqual(client.send_get("/livez").read_response().status, 200)

    def test_a_worker_that_stands_still_holds_up_nobody(self) -> None:
        """Who connects is let in by the other."""
        server = self.serve_with_workers()
        stopped, other = server.worker_pids()
        os.kill(stopped, signal.SIGSTOP)
        self.addCleanup(os.kill, stopped, signal.SIGCONT)
        clients = [server.connect() for _ in range(20)]
        for client in clients:
            client.send_get("/livez")
        wait_until(
            lambda: count_connections(other, server.address[1]) == 20, "all let in"
        )
        for client in clients:
            self.assertEqual(client.read_response().status, 200)

    def test_limits_are_those_of_all_together(self) -> None:
        """As many connections as may be, and as many waits, and no more."""
        server = self.serve_with_workers("--max-connections=20")
        clients = [server.connect().send_get("/wait?seconds=0") for _ in range(20)]
        for client in clients:
            self.assertEqual(client.read_response().status, 200)
        self.assertEqual(server.get("/livez").status, 503)
        clients[0].close()
        wait_until(lambda: server.get("/livez").status == 200, "room again")

    def test_a_thousand_may_wait(self) -> None:
        """None of them is refused for being more than half at one worker."""
        server = self.serve_with_workers("--max-connections=1100")
        waits = [server.connect().send_get("/wait?seconds=20") for _ in range(1000)]
        server.wait_for_search_pids(1000)
        self.assertEqual(server.get("/wait").status, 503)
        for wait in waits:
            self.assertEqual(wait.read_response().json(), {"waited": 20})

    def test_they_listen_on_a_unix_socket(self) -> None:
        """Its mode is as asked, and it stays while one worker follows another."""
        path = self.folder / "socket"
        server = self.serve(
            f"--listen=unix:{path}:mode=600",
            listen="tcp:0:interface=127.0.0.1",
            workers=2,
        )
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        for number in (signal.SIGTERM, signal.SIGKILL):
            old = server.worker_pids()
            for pid in old:
                os.kill(pid, number)
            self.wait_until_replaced(server, old)
            with HTTPConnection(str(path)) as client:
                self.assertEqual(client.send_get("/livez").read_response().status, 200)
        server.send_signal()
        server.wait_for_exit()
        self.assertFalse(path.exists())
        self.assertEqual([each for each in server.lines if "Traceback" in each], [])

    def test_they_speak_tls(self) -> None:
        """And haproxy's protocol, as their endpoints say."""
        write_certificate(self.folder)
        files = (
            f"privateKey={self.folder}/key.pem:certKey={self.folder}/certificate.pem"
        )
        server = self.serve(
            "--listen=haproxy:tcp:0:interface=127.0.0.1",
            listen=f"ssl:0:interface=127.0.0.1:{files}",
            workers=2,
        )
        context = ssl.create_default_context(cafile=self.folder / "certificate.pem")
        for _ in range(4):
            with (
                socket.create_connection(server.address, TIMEOUT) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as client,
            ):
                client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 200"))
        proxied = server.wait_for_log_line(r"Listening on http://127\.0\.0\.1:(\d+)/")
        with HTTPConnection(("127.0.0.1", int(proxied[1]))) as client:
            client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 1 80\r\n").send_get("/livez")
            self.assertEqual(client.read_response().status, 200)


class ReplacingTests(WorkersTestCase):
    """Tests of workers that end before the service does."""

    def test_one_that_is_killed_is_replaced(self) -> None:
        """The others serve meanwhile, what it has counted counts, and none is left."""
        gated = GatedGrep(self.folder)
        server = self.serve_with_workers(environment=gated.environment)
        server.connect().send_query(LOVE_QUERY)
        server.connect().send_query(LOVE_QUERY)
        greps = server.wait_for_search_pids(2)
        name = 'quotes_requests_total{code="404",route="none"}'
        for _ in range(10):
            server.get("/nothing")
        counted = parse_metrics(server)[name]
        self.assertEqual(counted, 10)
        for lost, pid in enumerate(server.worker_pids(), 1):
            os.kill(pid, signal.SIGKILL)

            def is_told(lost: int = lost) -> bool:
                now = parse_metrics(server)
                self.assertGreaterEqual(now[name], counted)
                return now["quotes_workers_lost_total"] == lost

            wait_until(is_told, "a loss")
            wait_until(
                lambda: parse_metrics(server)["quotes_workers"] == 2, "a new one"
            )
        server.wait_for_log_line("A worker is lost: .*signal 9")
        wait_until(lambda: all(map(has_exited, greps)), "no grep left")
        gated.open_gate()
        self.check_results(server)

    def test_one_that_is_told_to_end_is_replaced_and_loses_nobody(self) -> None:
        """It answers who has asked, and another takes its place at once."""
        gated = GatedGrep(self.folder)
        server = self.serve_with_workers(environment=gated.environment)
        asked = [server.connect().send_query(LOVE_QUERY) for _ in range(6)]
        server.wait_for_search_pids(6)
        old = server.worker_pids()
        for pid in old:
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: len(server.worker_pids()) == 4, "two more workers")
        wait_until(
            lambda: parse_metrics(server)["quotes_workers"] == 2, "new ones serving"
        )
        self.assertEqual(server.get("/readyz").status, 200)
        gated.open_gate()
        for each in asked:
            self.assertEqual(each.read_response().json()["results"], ["love"] * 3)
        self.wait_until_replaced(server, old)
        self.assertEqual(parse_metrics(server)["quotes_workers_lost_total"], 0)

    def test_who_is_connected_to_one_that_is_replaced_is_not_refused(self) -> None:
        """Though it had asked nothing when its worker was told to end."""
        server = self.serve_with_workers()
        clients = [server.connect() for _ in range(8)]
        old = server.worker_pids()
        port = server.address[1]
        wait_until(
            lambda: sum(count_connections(pid, port) for pid in old) == 8, "all let in"
        )
        for pid in old:
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: len(server.worker_pids()) == 4, "two more workers")
        wait_until(
            lambda: parse_metrics(server)["quotes_workers"] == 2, "new ones serving"
        )
        for client in clients:
            client.send_query(LOVE_QUERY)
            self.assertEqual(client.read_response().json()["results"], ["love"] * 3)
        self.wait_until_replaced(server, old)

    def test_what_one_has_counted_counts_when_it_was_replaced(self) -> None:
        """Also what it had told nobody until then."""
        server = self.serve_with_workers()
        for _ in range(50):
            server.get("/nothing")
        old = server.worker_pids()
        for pid in old:
            os.kill(pid, signal.SIGTERM)
        self.wait_until_replaced(server, old)
        name = 'quotes_requests_total{code="404",route="none"}'
        self.assertEqual(parse_metrics(server)[name], 50)

    def test_metrics_are_those_of_all(self) -> None:
        """Whichever worker is asked, and also where one does not answer."""
        server = self.serve_with_workers()
        with server.connect() as one, server.connect() as other:
            for each in (one, other):
                each.send_get("/livez").read_response()
            name = 'quotes_requests_total{code="200",route="/livez"}'
            for each in (one, other):
                each.send_get("/metrics")
                self.assertIn(f"{name} 2.0", each.read_response().body.decode())
        pid, _ = server.worker_pids()
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        self.assertEqual(parse_metrics(server)[name], 2)
        server.wait_for_log_line(f"Worker {pid} does not report its metrics")

    def test_where_no_worker_can_serve_the_program_stops(self) -> None:
        """With a line that says why, and a status that tells of it."""
        broken = self.folder / "sitecustomize.py"
        broken.write_text(
            "import os\nif '_TWISTED_QUOTES_WORKER' in os.environ: os._exit(3)\n"
        )
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "twisted", "quotes", "--workers=2"),
                "--listen=tcp:0:interface=127.0.0.1",
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        self.assertEqual(ended.returncode, 1)
        self.assertEqual(len(ended.stderr.splitlines()), 1, ended.stderr)
        self.assertIn("no worker can serve", ended.stderr)


class ShutdownTests(WorkersTestCase):
    """Tests of how all of it ends."""

    def check_shutdown(self, server: Server, pids: list[int]) -> None:
        """Check that nothing is left: no process, and nobody who listens."""
        wait_until(lambda: all(map(has_exited, pids)), "no process left")
        with self.assertRaises(ConnectionRefusedError):
            server.connect()

    def test_nothing_is_lost_under_load(self) -> None:
        """Whoever asks until the end gets a whole answer, and is logged."""
        log = self.folder / "access.log"
        server = self.serve_with_workers(f"--access-log={log}")
        stop_event = Event()
        clients = [
            RepeatingClient(server, keeps, stop_event) for keeps in (False, True) * 8
        ]
        stop_event.wait(0.5)
        server.send_signal()
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
        stop_event.set()
        for client in clients:
            client.thread.join(TIMEOUT)
        counts = sum((client.counts for client in clients), Counter[str]())
        answered = {"200", "503"}
        self.assertEqual(set(counts) - answered - {"refused"}, set(), counts)
        self.assertGreater(counts["200"], 50)
        lines = log.read_text().splitlines()
        self.assertEqual(len(lines), sum(counts[each] for each in answered))

    def test_all_who_have_connected_are_answered(self) -> None:
        """Also where no worker had the time to let them in before the signal."""
        server = self.serve_with_workers()
        workers = server.worker_pids()
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        asked = [server.connect().send_query(LOVE_QUERY) for _ in range(200)]
        server.send_signal()
        server.wait_for_log_line("Shutting down 2 workers")
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        for each in asked:
            self.assertEqual(each.read_response().json()["results"], ["love"] * 3)
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_ctrl_c_at_a_terminal_loses_nothing(self) -> None:
        """The workers are signalled, too, and leave it to their supervisor."""
        terminal, at_terminal = self.enterContext(open_terminal())
        gated = GatedGrep(self.folder)
        server = self.serve_with_workers(
            "--drain-delay=20",
            environment=gated.environment,
            **at_terminal,
        )
        asked = [server.connect().send_query(LOVE_QUERY) for _ in range(8)]
        server.wait_for_search_pids(8)
        os.write(terminal, b"\x03")
        server.wait_for_log_line("Shutting down 2 workers")
        wait_until(lambda: server.get("/readyz").status == 503, "not ready")
        gated.open_gate()
        for each in asked:
            self.assertEqual(each.read_response().json()["results"], ["love"] * 3)
        os.write(terminal, b"\x03")
        self.assertEqual(server.wait_for_exit(), -signal.SIGINT)

    def test_a_signal_to_the_whole_group_is_one_signal(self) -> None:
        """All requests are answered, and no worker is started any more."""
        gated = GatedGrep(self.folder)
        server = self.serve_with_workers(environment=gated.environment)
        asked = [server.connect().send_query(LOVE_QUERY) for _ in range(8)]
        server.wait_for_search_pids(8)
        os.killpg(server.process.pid, signal.SIGTERM)
        server.wait_until_ports_closed()
        gated.open_gate()
        for each in asked:
            self.assertEqual(each.read_response().json()["results"], ["love"] * 3)
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_a_second_signal_ends_all_of_it(self) -> None:
        """Who waits gets a JSON 503, and nothing is left."""
        server = self.serve_with_workers()
        waits = [server.connect().send_get("/wait?seconds=60") for _ in range(10)]
        pids = server.wait_for_search_pids(10) + server.all_child_pids()
        server.send_signal()
        server.wait_for_log_line("Shutting down")
        server.send_signal()
        for wait in waits:
            response = wait.read_response()
            self.assertEqual((response.status, response.json()["Code"]), (503, 503))
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
        self.check_shutdown(server, pids)

    def test_a_worker_that_does_not_end_is_killed(self) -> None:
        """Some time after it should have, and the others have answered."""
        server = self.serve_with_workers("--drain-timeout=0.5")
        pid, _ = server.worker_pids()
        os.kill(pid, signal.SIGSTOP)
        server.send_signal()
        server.wait_for_log_line(f"Worker {pid} does not end")
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_a_supervisor_that_is_killed_leaves_nothing(self) -> None:
        """No worker, no grep, and nobody who listens."""
        gated = GatedGrep(self.folder)
        with running_server(
            f"--dictionaries={self.library}",
            "--cache-bytes=0",
            workers=2,
            environment=gated.environment,
        ) as server:
            server.connect().send_query(LOVE_QUERY)
            server.connect().send_get("/wait?seconds=60")
            server.wait_for_search_pids(2)
            pids = server.all_child_pids()
            stopped = server.worker_pids()[0]
            os.kill(stopped, signal.SIGSTOP)
            server.send_signal(signal.SIGKILL)
            self.check_shutdown(server, pids)
