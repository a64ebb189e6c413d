"""Environments that save their state: a resumed run restores it and need not take all its actions again.

An environment of the user does so with two methods: `get_state() -> bytes` returns its whole state, and `set_state`
takes these bytes in another copy, also of another process. The bytes of equal states are equal. The state of its
generator `np_random`, and the steps that gymnasium's time limit has counted, are saved here.
"""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import gymnasium
from gymnasium import wrappers

_STATELESS = (wrappers.OrderEnforcing, wrappers.TransformAction)  # they need no state after a reset


def can_save(single: gymnasium.Env[Any, Any]) -> bool:
    """Returns whether an environment that has been reset saves its state.

    It does not if a wrapper is around it whose state cannot be saved here.
    """
    layers = list(_layers(single))
    known = all(isinstance(layer, (wrappers.TimeLimit, *_STATELESS)) for layer in layers)
    if not known or not callable(getattr(single.unwrapped, "set_state", None)):
        return False
    with contextlib.suppress(Exception, SystemExit):
        return isinstance(single.unwrapped.get_state(), bytes)  # type: ignore[attr-defined]
    return False


class SavesState(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment for which `can_save` is true, with the attribute `saved_state` that a `HostGame` needs."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._has_ended = False

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, Any]:
        """Begins an episode."""
        self._has_ended = False
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> Any:
        """Takes a step, or begins the next episode if the last one ended before the state was saved."""
        if self._has_ended:
            observation, info = self.reset()
            return observation, 0.0, False, False, info
        result = self.env.step(action)
        self._has_ended = len(result) == 5 and bool(result[2] or result[3])
        return result

    @property
    def saved_state(self) -> bytes:
        """The whole state: a line of JSON, and below it the bytes of the environment."""
        known = {
            "has_ended": self._has_ended,
            "elapsed": [layer._elapsed_steps for layer in _time_limits(self.env)],
            "generator": self.unwrapped.np_random.bit_generator.state,
        }
        inner: Any = self.unwrapped
        return json.dumps(known).encode() + b"\n" + inner.get_state()

    @saved_state.setter
    def saved_state(self, state: bytes) -> None:
        text, _, rest = state.partition(b"\n")
        known, inner = json.loads(text), self.unwrapped
        self._has_ended = known["has_ended"]
        for layer, elapsed in zip(_time_limits(self.env), known["elapsed"], strict=True):
            layer._elapsed_steps = elapsed
        self.unwrapped.np_random.bit_generator.state = known["generator"]
        inner.set_state(rest)  # type: ignore[attr-defined]


def _layers(single: gymnasium.Env[Any, Any]) -> Iterator[gymnasium.Wrapper[Any, Any, Any, Any]]:
    while isinstance(single, gymnasium.Wrapper):
        yield single
        single = single.env


def _time_limits(single: gymnasium.Env[Any, Any]) -> Iterator[Any]:
    return (layer for layer in _layers(single) if isinstance(layer, wrappers.TimeLimit))
