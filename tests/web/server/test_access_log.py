"""
Tests for L{twisted_quotes.web.server.access_log}.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.server.access_log import AccessLog

from ..clients import WebTestCase, get_request


class AccessLogTests(SynchronousTestCase):
    """Tests of a file that is appended to."""

    def setUp(self) -> None:
        """Open one."""
        temporary_directory = TemporaryDirectory()
        self.addCleanup(temporary_directory.cleanup)
        self.path = Path(temporary_directory.name) / "access.log"
        self.log = AccessLog(str(self.path))
        self.addCleanup(self.log.close)

    def test_a_line_is_there_when_it_is_written(self) -> None:
        """Nothing is held back, and what was there before stays."""
        self.log.write("one\n")
        again = AccessLog(str(self.path))
        self.addCleanup(again.close)
        again.write("two\n")
        self.assertEqual(self.path.read_text(), "one\ntwo\n")

    def test_it_can_be_opened_anew(self) -> None:
        """The file is there at once; where that fails, the old one is kept."""
        self.log.write("one\n")
        self.path.rename(self.path.with_name("old.log"))
        self.log.reopen()
        self.assertEqual(self.path.read_text(), "")
        self.path.unlink()
        self.path.mkdir()
        with capturedLogs() as events:
            self.log.reopen()
        [event] = events
        self.assertEqual(event["log_level"], LogLevel.error)
        self.path.rmdir()
        self.log.write("two\n")
        self.assertEqual(self.path.read_text(), "two\n")

    def test_a_file_that_was_moved_away_is_not_written_to(self) -> None:
        """logrotate moves it, and a new one is begun."""
        self.log.write("one\n")
        old = self.path.rename(self.path.with_name("access.log.1"))
        self.log.write("two\n")
        self.path.rename(self.path.with_name("access.log.2"))
        self.path.touch()
        self.log.write("three\n")
        self.assertEqual(old.read_text(), "one\n")
        self.assertEqual(self.path.read_text(), "three\n")

    def test_a_full_disk_is_said_once(self) -> None:
        """And once more when it happens again."""
        self.path.unlink()
        self.path.symlink_to("/dev/full")
        with capturedLogs() as events:
            for _ in range(3):
                self.log.write("lost\n")
        self.assertEqual([each["log_level"] for each in events], [LogLevel.error])
        self.path.unlink()
        self.log.write("kept\n")
        self.assertEqual(self.path.read_text(), "kept\n")

    def test_no_file_stays_open(self) -> None:
        """The old one is closed when a new one is begun."""
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            self.path.unlink()
            self.log.write("x\n")
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class FullDiskTests(WebTestCase):
    """Tests of a service whose access log cannot be written."""

    def test_answers_go_on(self) -> None:
        """No request hangs, no connection is kept, and the end is orderly."""
        self.web = self.make_web(access_log=Path("/dev/full"))
        self.web.site.doStart()
        with capturedLogs() as events:
            client = self.web.connect()
            client.send(get_request() + get_request())
            self.assertEqual([each.code for each in client.responses()], [200, 200])
            client.disconnect()
            pending_client = self.web.connect()
            pending_client.send(get_request("/wait"))
            pending_client.disconnect()
            self.web.site.doStop()
        self.assertEqual(
            len([e for e in events if e["log_level"] >= LogLevel.error]), 1
        )
