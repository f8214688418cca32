"""
A limit on how many of something may exist at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Capacity:
    """
    A counter with a limit.

    @ivar limit: the maximum, 1 or more.
    @ivar in_use: the current count.
    """

    limit: int
    in_use: int = field(default=0, init=False)

    def try_acquire(self) -> bool:
        """Count one more, unless the limit is reached; return whether it was."""
        if self.in_use >= self.limit:
            return False
        self.in_use += 1
        return True

    def release(self) -> None:
        """Count one less."""
        self.in_use -= 1
