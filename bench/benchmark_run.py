"""
A whole run: the servers that can be had, the loads in turn, and what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from . import corpus
from .big_loads import BIG_LOADS, BIG_SERVERS, BigLoads
from .errors import BenchmarkError
from .ours import VARIANTS, Variant, find_known_options
from .peers.catalogue import PEERS
from .queries import all_query
from .report import Report
from .rounds import Load, Outcomes, measure_load
from .scale import Scale
from .servers import Server, running_servers
from .small_loads import SmallLoads, small_load_names
from .subjects import Subject, find_program
from .targets import TARGETS, judge_target


@dataclass(frozen=True)
class Selection:
    """
    What is to be measured.

    @ivar loads: the names of the loads; none for all.
    @ivar servers: the names of the servers; none for all.
    """

    loads: Sequence[str] = ()
    servers: Sequence[str] = ()

    def has_load(self, name: str) -> bool:
        """Whether a load is wanted."""
        return not self.loads or name in self.loads

    def has_server(self, name: str) -> bool:
        """Whether a server is wanted."""
        return not self.servers or name in self.servers


def find_subjects(
    selection: Selection, report_progress: Callable[[str], None]
) -> tuple[list[Subject], dict[str, str]]:
    """
    Find out what can be measured here.

    @param report_progress: is told what could be installed.
    @return: the servers, and why others are absent, by name.
    @raise BenchmarkError: wrk is missing, or no server has such a name.
    """
    variants = [each for each in VARIANTS if selection.has_server(each.name)]
    peers = [each for each in PEERS if selection.has_server(each.name)]
    names = {each.name for each in variants} | {each.name for each in peers}
    if unknown := set(selection.servers) - names:
        raise BenchmarkError(f"There is no server {', '.join(sorted(unknown))}.")
    packages = [] if find_program("wrk") else ["wrk"]
    packages += [name for peer in peers for name in peer.missing_packages()]
    if packages:
        report_progress(
            f"some programs are missing: apt-get install {' '.join(packages)}"
        )
    if not find_program("wrk"):
        raise BenchmarkError("Without wrk nothing can be measured.")
    return _split_available(variants, peers)


def _split_available(
    variants: Iterable[Variant], peers: Iterable[Subject]
) -> tuple[list[Subject], dict[str, str]]:
    options = find_known_options()
    subjects: list[Subject] = []
    absent = {}
    for variant in variants:
        if unknown := variant.unknown_options(options):
            absent[variant.name] = f"twist quotes does not know {' '.join(unknown)}"
        else:
            subjects.append(variant.make_subject(options))
    for peer in peers:
        if why := peer.missing_reason():
            absent[peer.name] = f"missing: {why}"
        else:
            subjects.append(peer)
    return subjects, absent


class BenchmarkRun:
    """
    One run.

    @param folder: an empty folder for everything.
    @param subjects: the servers to measure.
    @param report_progress: is told how it goes.
    """

    def __init__(
        self,
        folder: Path,
        scale: Scale,
        selection: Selection,
        subjects: Sequence[Subject],
        report_progress: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._library = folder / "library"
        self._scale = scale
        self._selection = selection
        self._subjects = subjects
        self._report_progress = report_progress
        self._loads: list[Load] = []
        self._results: dict[str, Outcomes] = {}

    def run(self) -> None:
        """
        Measure all that is wanted.

        @raise BenchmarkError: servers do not start or do not answer alike, or no
            load has such a name.
        """
        small = small_load_names(self._scale)
        if unknown := set(self._selection.loads).difference(small, BIG_LOADS):
            raise BenchmarkError(f"There is no load {', '.join(sorted(unknown))}.")
        texts = corpus.make_sentences()
        has_big = any(map(self._selection.has_load, BIG_LOADS))
        corpus.write_library(self._library, texts, has_big)
        if any(map(self._selection.has_load, small)):
            self._run_small(texts)
        if has_big:
            self._run_big()

    def _run_small(self, texts: Sequence[str]) -> None:
        terms = corpus.distinct_terms(texts)
        with self._running_servers(self._subjects) as servers:
            small = SmallLoads(servers, terms, self._folder, self._library, self._scale)
            small.check_responses(corpus.small_lines(texts))
            self._report_progress("all give the same answers")
            small.warm_up(self._report_progress)
            self._measure(small.loads())

    def _run_big(self) -> None:
        # Fresh ones: what the small loads left in memory is not to be counted.
        subjects = [each for each in self._subjects if each.name in BIG_SERVERS]
        with self._running_servers(subjects) as servers:
            big = BigLoads(servers, self._library)
            big.check_responses()
            self._report_progress("all give the same answers")
            self._measure(big.loads())

    def _running_servers(
        self, subjects: Sequence[Subject]
    ) -> AbstractContextManager[Mapping[str, Server]]:
        self._report_progress(f"starting {'; '.join(each.name for each in subjects)}")
        return running_servers(
            subjects, self._folder, self._library, all_query(corpus.SMALL)
        )

    def _measure(self, loads: Iterable[Load]) -> None:
        for load in loads:
            if self._selection.has_load(load.name):
                self._loads.append(load)
                outcomes = measure_load(load, self._scale.rounds, self._report_progress)
                self._results[load.name] = outcomes

    def make_report(
        self,
        scale: str,
        absent: Mapping[str, str],
        machine: Mapping[str, str],
        versions: Mapping[str, str],
    ) -> Report:
        """All that came of it; the parameters are those of L{Report}."""
        return Report(
            scale,
            machine,
            versions,
            self._loads,
            self._results,
            absent,
            [judge_target(target, self._results, absent) for target in TARGETS],
        )
