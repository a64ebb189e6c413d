"""Vectors of checked copies of an environment, which step one after another or each in a process of its own."""

import contextlib
import functools
import pickle
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.async_vector_env import AsyncState

from jaxdqn.games.checked_environment import Checked
from jaxdqn.games.environment_errors import in_one_line, one_sentence


def make(
    name: str,
    make_single: Callable[[], gymnasium.Env[Any, Any]],
    num_environments: int,
    asynchronous: bool = False,
    *,
    has_masks: bool = False,
) -> VectorEnv:
    """Makes a vector of copies with NEXT_STEP autoreset.

    Args:
      name: of the game, for error messages.
      make_single: makes one copy.
      num_environments: number of copies.
      asynchronous: whether each copy runs in a process of its own.
      has_masks: whether `info["action_mask"]`, bool `[E, A]`, is returned, as in `Checked`.

    Raises:
      ValueError: a copy cannot be made.
    """
    names = [_name(i, num_environments) for i in range(num_environments)]
    makers = [functools.partial(_made, name, make_single, copy, has_masks) for copy in names]
    if asynchronous:
        return FiniteVector(InProcesses(makers))
    return FiniteVector(OneByOne([make_copy() for make_copy in makers]))


class OneByOne(VectorEnv):
    """Copies that step one after another, in half the time that gymnasium's `SyncVectorEnv` adds to their steps."""

    def __init__(self, copies: Sequence[Checked]) -> None:
        for copy in copies:
            first, other = [(one.observation_space.shape, one.action_space) for one in (copies[0], copy)]
            if first != other:
                raise ValueError(f"the copies of the environment have different spaces: {first} and {other}")
        self.envs, self.num_envs = tuple(copies), len(copies)
        self.single_observation_space, self.single_action_space = copies[0].observation_space, copies[0].action_space
        self.metadata = {**(copies[0].metadata or {}), "autoreset_mode": AutoresetMode.NEXT_STEP}
        self.render_mode = copies[0].render_mode
        stored: Any = copies[0].observation_space
        self._shape, self._dtype = (self.num_envs, *stored.shape), stored.dtype
        self._has_ended = [False] * self.num_envs

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: Any = None
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Begins an episode in each copy; the seed is one for each."""
        seeds = seed if isinstance(seed, Sequence) else [seed] * self.num_envs
        observations, info = np.empty(self._shape, self._dtype), dict[str, np.ndarray]()
        for i, (copy, of_copy) in enumerate(zip(self.envs, seeds, strict=True)):
            observations[i], found = copy.reset(seed=of_copy, options=options)
            self._add(info, found, i)
        self._has_ended = [False] * self.num_envs
        return observations, info

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Takes a step in each copy; one whose episode has ended begins the next."""
        observations, info = np.empty(self._shape, self._dtype), dict[str, np.ndarray]()
        rewards, terminated, truncated = [0.0] * self.num_envs, [False] * self.num_envs, [False] * self.num_envs
        for i, copy in enumerate(self.envs):
            if self._has_ended[i]:
                observations[i], found = copy.reset()
                self._has_ended[i] = False
            else:
                observations[i], rewards[i], terminated[i], truncated[i], found = copy.step(actions[i])
                self._has_ended[i] = terminated[i] or truncated[i]
            if found:
                self._add(info, found, i)
        return observations, np.array(rewards, float), np.array(terminated, bool), np.array(truncated, bool), info

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Returns an attribute of each copy."""
        return tuple(copy.get_wrapper_attr(name) for copy in self.envs)

    def set_attr(self, name: str, values: Sequence[Any]) -> None:
        """Sets an attribute of each copy to its own value."""
        for copy, value in zip(self.envs, values, strict=True):
            copy.set_wrapper_attr(name, value)

    def close_extras(self, **kwargs: Any) -> None:
        """Closes all copies."""
        del kwargs  # of vectors of processes
        for copy in self.envs:
            copy.close()

    def _add(self, info: dict[str, np.ndarray], found: dict[str, np.ndarray], i: int) -> None:
        """Adds what a copy returned to the arrays of all copies; those that returned nothing have zeros."""
        for name, value in found.items():
            info.setdefault(name, np.zeros((self.num_envs, *value.shape), value.dtype))[i] = value


class InProcesses(VectorWrapper):
    """Copies that each step in a process of their own. The end of such a process is an error."""

    def __init__(self, makers: Sequence[Callable[[], Checked]]) -> None:
        sending = [functools.partial(_in_process, make_copy) for make_copy in makers]
        # A fork of a process in which JAX has started can hang.
        vector = AsyncVectorEnv(sending, context="forkserver", autoreset_mode=AutoresetMode.NEXT_STEP)
        super().__init__(vector)
        self._vector: Any = vector

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: Any = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an episode in each copy."""
        with self._alive():
            return self._vector.reset(seed=seed, options=options)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Takes a step in each copy."""
        with self._alive():
            return self._vector.step(actions)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Returns an attribute of each copy."""
        return self._vector.get_attr(name)

    def set_attr(self, name: str, values: Sequence[Any]) -> None:
        """Sets an attribute of each copy to its own value."""
        self._vector.set_attr(name, values)

    @contextlib.contextmanager
    def _alive(self) -> Iterator[None]:
        """Converts the end of a process into an error, and ends the other processes."""
        try:
            yield
        except (EOFError, ConnectionError):
            wait([process.sentinel for process in self._vector.processes], timeout=1)
            ended = [i for i, process in enumerate(self._vector.processes) if not process.is_alive()]
            if not ended:
                raise
            self._vector._state = AsyncState.DEFAULT  # otherwise `close` waits for a copy that has ended
            self._vector.close(terminate=True)
            status = self._vector.processes[ended[0]].exitcode
            raise RuntimeError(
                f"the process of {_name(ended[0], self.num_envs)} ended with status {status}: the environment ended or "
                "crashed it, or the memory was too small"
            ) from None


class Transferable(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A copy in a process of its own. Its errors can be sent to another process, which would wait for others forever.

    Args:
      env: a `Checked` copy.
    """

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Begins an episode."""
        with _transferable():
            return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Takes a step."""
        with _transferable():
            return self.env.step(action)


@contextlib.contextmanager
def _transferable() -> Iterator[None]:
    """Converts an error that cannot be pickled and read again into a RuntimeError."""
    try:
        yield
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            raise RuntimeError(in_one_line(error)) from error
        raise


class FiniteVector(VectorWrapper):
    """A vector whose observations must be finite: one check of all copies costs as much as one of a single copy."""

    def __init__(self, env: VectorEnv) -> None:
        super().__init__(env)
        self._copies: Any = env
        self._has_floats = np.issubdtype(env.single_observation_space.dtype, np.floating)

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: Any = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an episode in each copy."""
        observations, info = self._copies.reset(seed=seed, options=options)
        self._check(observations)
        return observations, info

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Takes a step in each copy."""
        observations, *others = self._copies.step(actions)
        self._check(observations)
        return observations, *others

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Returns an attribute of each copy."""
        return self._copies.get_attr(name)

    def set_attr(self, name: str, values: Sequence[Any]) -> None:
        """Sets an attribute of each copy to its own value."""
        self._copies.set_attr(name, values)

    def _check(self, observations: np.ndarray) -> None:
        """Raises ValueError if a number is not finite."""
        if self._has_floats and np.count_nonzero(np.isfinite(observations)) != observations.size:
            i, *place = np.argwhere(~np.isfinite(observations))[0].tolist()
            step = self._copies.get_attr("num_steps")[i]
            raise ValueError(
                f"observation with {observations[i, *place]} at step {step:,} of {_name(i, self.num_envs)}: its "
                f"numbers must be finite ({observations.dtype})"
            )


def _made(name: str, make_single: Callable[[], gymnasium.Env[Any, Any]], copy: str, has_masks: bool) -> Checked:
    with one_sentence(f"{name}: {copy} cannot be made"):
        return Checked(make_single(), copy, has_masks=has_masks)


def _in_process(make_copy: Callable[[], Checked]) -> Transferable:
    return Transferable(make_copy())


def _name(i: int, number: int) -> str:
    """Returns the name of a copy; counted from 1, as people do."""
    return f"copy {i + 1} of {number}"
