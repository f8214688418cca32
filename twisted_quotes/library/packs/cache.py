"""
The folder of finished packs, which are kept from one run of the service to the next.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from re import Pattern, compile
from secrets import token_hex
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from time import time

from twisted.logger import Logger

from twisted_quotes.library.dictionary import FileState

from .columns import PackDamaged
from .pack import FORMAT_VERSION, Pack
from .plan import PackPlan
from .sharing import is_used_elsewhere

# Entries with other names are never removed.
_PACK_NAME = compile(r"pack-([0-9a-f]{16})-[0-9a-f]{32}")
_OLD_BUILD_NAME = compile(
    r"building-(?:[0-9a-f]{32}(?:-\w{8}|\.lock)|[0-9a-f]{16}|pack-\w{8})"
    r"|[0-9a-f]{16}-[0-9a-f]{16}"
)
_MAX_UNUSED_AGE = 30 * 24 * 3600.0
_MAX_BUILD_AGE = 3600.0
_SWEEP_INTERVAL = 3600.0
# Another process may store the same pack at the same time.
_MAX_ATTEMPTS = 3


class PackCache:
    """
    A folder of packs.

    If the folder cannot be written, a temporary folder is used until L{close}. All
    other methods block.

    @param folder: the folder, which is created if it is missing.
    @param root: the absolute path of the library.
    @param now: returns the time, in seconds since 1970.
    """

    _log = Logger()

    def __init__(self, folder: str, root: str, now: Callable[[], float] = time) -> None:
        self._folder = folder
        self._context = f"{FORMAT_VERSION} {root}"
        self._prefix = _hash(self._context)
        self._now = now
        self._last_sweep = -_SWEEP_INTERVAL
        # The packs that this process has loaded or stored.
        self._known: set[str] = set()
        self._temporary_folder: TemporaryDirectory[str] | None = None
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            TemporaryDirectory(prefix="building-pack-", dir=folder).cleanup()
        except OSError as error:
            self._log.warn(
                "Cannot write the cache folder {folder!a}: {reason!a}. "
                "Indexes are built again at every start.",
                folder=folder,
                reason=error.strerror,
            )
            self._temporary_folder = TemporaryDirectory(prefix="twisted_quotes-")
            self._folder = self._temporary_folder.name

    def find(self, plan: PackPlan) -> Pack | None:
        """Return the pack of a plan, if it is stored."""
        return self._load(self._pack_folder(plan), dict(plan.dictionaries))

    def load_all(self, known: Mapping[str, FileState]) -> Iterator[Pack]:
        """Load all packs, those that were used last at the end; see L{Pack.load}."""
        try:
            self._sweep(_OLD_BUILD_NAME)
            entries = list(os.scandir(self._folder))
        except FileNotFoundError:
            return
        folders = []
        for entry in entries:
            name_match = _PACK_NAME.fullmatch(entry.name)
            if name_match and name_match[1] == self._prefix:
                with suppress(FileNotFoundError):
                    folders.append((entry.stat().st_mtime, entry.path))
        for _, folder in sorted(folders):
            try:
                pack = self._load(folder, known)
            except OSError as error:
                reason = error.strerror
                self._log.warn(
                    "Cannot load {folder!a}: {reason}", folder=folder, reason=reason
                )
                continue
            if pack is not None:
                yield pack

    def _load(self, folder: str, known: Mapping[str, FileState]) -> Pack | None:
        try:
            pack = Pack.load(folder, known)
            pack.check()
            self._known.add(folder)
            return pack
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PackDamaged as error:
            self._log.warn(
                "Ignored a damaged index in {folder!a}: {reason!a}",
                folder=folder,
                reason=str(error),
            )
            self.drop(folder)
            return None

    def mark_used(self, folders: Iterable[str]) -> None:
        """Keep packs for another month."""
        for folder in folders:
            with suppress(OSError):
                os.utime(folder)

    def create_build_folder(self, plan: PackPlan, is_locked: bool) -> str:
        """
        Create a folder to write the pack of a plan in.

        @param is_locked: whether this process has the lock of the plan. Without it,
            the folder has a name that the owner of the lock does not know.
        """
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        name = self._build_name(plan) if is_locked else "building-pack"
        return mkdtemp(prefix=f"{name}-", dir=self._folder)

    def try_lock(self, plan: PackPlan) -> int | None:
        """
        Lock a plan, so that other processes wait while its pack is written.

        Nobody else writes it then: a folder for it is left by a process that was
        killed, and is removed.

        @return: a file descriptor that holds the lock until it is closed; L{None} if
            another process has the lock.
        """
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        path = self._lock_path(plan)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The last owner may have removed the file before it was locked here.
            if not os.path.samestat(os.stat(path), os.fstat(descriptor)):
                raise FileNotFoundError(path)
        except (BlockingIOError, FileNotFoundError):
            os.close(descriptor)
            return None
        except OSError:
            return descriptor  # The file system has no locks.
        with suppress(OSError):
            self._sweep(compile(f"{self._build_name(plan)}-\\w{{8}}"), max_age=0)
        return descriptor

    def unlock(self, plan: PackPlan, descriptor: int) -> None:
        """Release the lock of a plan."""
        with suppress(OSError):
            os.unlink(self._lock_path(plan))
        os.close(descriptor)

    def store(
        self, build_folder: str, plan: PackPlan, left_out: Collection[str] = ()
    ) -> Pack:
        """
        Store a pack that was written for a plan.

        Once an hour this removes packs that no process has used for a month, and builds
        that were not finished in an hour.

        @param build_folder: the folder that the pack was written in.
        @param left_out: the names of dictionaries that could not be read.
        """
        known = dict(plan.dictionaries)
        written = Pack.load(build_folder, known)
        stored = tuple((each.name, each.state) for each in written.dictionaries)
        if left_out or not {*stored} <= {*plan.dictionaries}:
            # It is another pack than that of the plan, which may be written later.
            plan = PackPlan(stored)
        folder = self._pack_folder(plan)
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            try:
                os.rename(build_folder, folder)
                break
            except OSError:
                with suppress(OSError):
                    existing = self._load(folder, known)
                    if existing is not None:
                        return existing
                self.drop(self.detach(folder))
                with suppress(OSError):
                    os.remove(folder)
                if attempt == _MAX_ATTEMPTS:
                    raise
        self._known.add(folder)
        # The clock may have been set back.
        if abs(self._now() - self._last_sweep) >= _SWEEP_INTERVAL:
            self._last_sweep = self._now()
            self._sweep(_OLD_BUILD_NAME)
            self._sweep(_PACK_NAME, _MAX_UNUSED_AGE)
        return replace(written, folder=folder)

    def detach(self, folder: str) -> str:
        """
        Rename the folder of a pack, so that another one can be stored there.

        @return: the new path, which L{drop} removes.
        """
        detached = os.path.join(self._folder, f"building-{token_hex(8)}")
        self._known.discard(folder)
        with suppress(OSError):
            os.rename(folder, detached)
        return detached

    def drop(self, folder: str) -> None:
        """Remove the folder of a pack or of a build."""
        self._known.discard(folder)
        rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove the temporary folder, if there is one."""
        if self._temporary_folder is not None:
            self._temporary_folder.cleanup()

    def _pack_folder(self, plan: PackPlan) -> str:
        name = f"pack-{self._prefix}-{plan.key(self._context)}"
        return os.path.join(self._folder, name)

    def _lock_path(self, plan: PackPlan) -> str:
        return os.path.join(self._folder, f"{self._build_name(plan)}.lock")

    def _build_name(self, plan: PackPlan) -> str:
        return f"building-{plan.key(self._context)}"

    def _sweep(self, name: Pattern[str], max_age: float = _MAX_BUILD_AGE) -> None:
        """Remove old entries with some names, and those from the future."""
        for entry in os.scandir(self._folder):
            if name.fullmatch(entry.name) and entry.path not in self._known:
                with suppress(OSError):
                    if abs(self._now() - entry.stat().st_mtime) < max_age:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        self.drop(entry.path)
                    elif not is_used_elsewhere(entry.path):
                        os.remove(entry.path)


def _hash(text: str) -> str:
    return blake2b(os.fsencode(text), digest_size=8).hexdigest()
