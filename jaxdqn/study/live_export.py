"""Sends curves to exporters while runs train. An error of an exporter ends the sending, not the training."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxdqn.export import exporter
from jaxdqn.export.exporter import Exporter

Facts = Mapping[str, Any]


class Live:
    """The runs of one wave, with the handles that exporters gave them."""

    def __init__(self, exporters: Sequence[Exporter], runs: Sequence[Facts], note: Callable[[str], None]) -> None:
        """Begins runs.

        Args:
          exporters: that receive the points.
          runs: facts of each, as `exporter.IDENTITY` lists them.
          note: is called with a sentence for each error.
        """
        self._note = note
        self._handles: list[tuple[Exporter, list[Any]]] = []
        for receiver in exporters:
            self._tried(receiver, functools.partial(self._begin, receiver, runs))

    def point(self, curves: Mapping[str, np.ndarray]) -> None:
        """Sends one point of each run: arrays by name, at least as long as there are runs."""
        for receiver, handles in list(self._handles):
            self._tried(receiver, functools.partial(exporter.advance, receiver, handles, curves))

    def end(self, runs: Sequence[Facts]) -> None:
        """Ends the runs; their facts are those recorded, and for a failed run `failure` is the traceback."""
        for receiver, handles in list(self._handles):
            self._tried(receiver, functools.partial(_end, receiver, handles, runs))

    def _begin(self, receiver: Exporter, runs: Sequence[Facts]) -> None:
        self._handles.append((receiver, [receiver.begin(facts) for facts in runs]))

    def _tried(self, receiver: Exporter, do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as problem:
            self._handles = [pair for pair in self._handles if pair[0] is not receiver]
            self._note(f"these runs are sent no further: {problem}")


def _end(receiver: Exporter, handles: Sequence[Any], runs: Sequence[Facts]) -> None:
    for handle, facts in zip(handles, runs, strict=True):
        receiver.end(handle, facts)
