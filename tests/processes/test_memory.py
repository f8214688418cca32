"""
Tests for L{twisted_quotes.processes.memory}.
"""

from __future__ import annotations

import subprocess
import sys
from ctypes import CDLL
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

# Frees a block of 8 MiB, and prints whether one of 1 MiB then comes from the kernel.
SCRIPT = """
from ctypes import CDLL, Structure, c_size_t
from twisted_quotes.processes.memory import return_large_blocks

class Info(Structure):
    _fields_ = [(f"field_{number}", c_size_t) for number in range(10)]

def mapped_size():
    return mallinfo().field_4

mallinfo = CDLL(None).mallinfo2
mallinfo.restype = Info
return_large_blocks()
bytes(8 * 2**20)
before = mapped_size()
block = bytes(2**20)
print(mapped_size() - before >= 2**20)
"""


class LargeBlocksTests(SynchronousTestCase):
    """Tests in a process of its own, of which the setting is."""

    @skipUnless(hasattr(CDLL(None), "mallinfo2"), "needs glibc 2.33")
    def test_large_blocks_are_not_kept(self) -> None:
        """Not even after a larger one was free."""
        command = [sys.executable, "-c", SCRIPT]
        printed = subprocess.run(command, check=True, capture_output=True, text=True)
        self.assertEqual(printed.stdout, "True\n")
