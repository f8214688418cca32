"""
A limit on how many of something may exist at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Capacity:
    """
    A number of units that can be acquired.

    @ivar limit: the number of units, 1 or more.
    @ivar in_use: the number of units that are acquired now.
    """

    limit: int
    in_use: int = field(default=0, init=False)

    def try_acquire(self) -> bool:
        """Acquire a unit; return L{False} if all are in use."""
        if self.in_use >= self.limit:
            return False
        self.in_use += 1
        return True

    def release(self) -> None:
        """Release a unit."""
        self.in_use -= 1
