"""Numbers for discrete actions: one number for each combination of several.

A space of several discrete actions (`MultiDiscrete`, `MultiBinary`, or a `Tuple` or `Dict` of discrete spaces) has at
most `MOST` combinations. They are numbered from 0; the last action of the space changes fastest, as in C order.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces, wrappers

MOST = 4_096  # combinations: each is an output of the network, and a random action tries each one rarely


def check(name: str, space: spaces.Space[Any]) -> None:
    """Raises ValueError if the actions of a game cannot be numbered.

    Raises:
      ValueError: the message is one sentence with a remedy.
    """
    number = count(space)
    remedy = (
        "use a wrapper that chooses among a few of them by number (a gymnasium.ActionWrapper whose action space is "
        "Discrete): --wrapper MODULE:CLASS"
    )
    if number is None:
        raise ValueError(f"{name} has actions that are not discrete, {space}: {remedy}.")
    if number > MOST and not isinstance(space, spaces.Discrete):
        raise ValueError(f"{name} has {number:,} combinations of actions, more than {MOST:,}, {space}: {remedy}.")


def count(space: spaces.Space[Any]) -> int | None:
    """Returns the number of actions in a space; None if they are not discrete."""
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary):
        return math.prod(_bases(space))
    if isinstance(space, spaces.Tuple | spaces.Dict):
        numbers = [count(part) for part in _parts(space)]
        return None if None in numbers else math.prod(number for number in numbers if number is not None)
    return None


def action(space: spaces.Space[Any], number: int) -> Any:
    """Returns the action of a space that has a number in `[0, count(space))`."""
    if isinstance(space, spaces.Discrete):
        return space.start + number
    if isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary):
        digits = np.array(_digits(number, _bases(space)), space.dtype).reshape(space.shape)
        return digits + space.start if isinstance(space, spaces.MultiDiscrete) else digits
    parts = _parts(space)
    chosen = [
        action(part, digit)
        for part, digit in zip(parts, _digits(number, [count(part) or 0 for part in parts]), strict=True)
    ]
    return dict(zip(space.spaces, chosen, strict=True)) if isinstance(space, spaces.Dict) else tuple(chosen)


def numbered(single: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
    """Returns an environment that takes combinations of actions by number; one of single actions stays as it is."""
    space = single.action_space
    if isinstance(space, spaces.Discrete):
        return single
    return wrappers.TransformAction(single, functools.partial(action, space), spaces.Discrete(count(space) or 0))


def _bases(space: spaces.MultiDiscrete | spaces.MultiBinary) -> list[int]:
    """Returns the number of choices of each action."""
    if isinstance(space, spaces.MultiDiscrete):
        return [int(choices) for choices in space.nvec.ravel()]
    return [2] * math.prod(space.shape)


def _parts(space: Any) -> list[spaces.Space[Any]]:
    return list(space.spaces.values()) if isinstance(space, spaces.Dict) else list(space.spaces)


def _digits(number: int, bases: Sequence[int]) -> list[int]:
    """Returns the digits of a number whose places have these bases; the last place is the lowest."""
    digits = []
    for base in reversed(bases):
        number, digit = divmod(int(number), base)
        digits.append(digit)
    return digits[::-1]
