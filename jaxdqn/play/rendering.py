"""How a game in JAX looks: its own picture of a board, or gymnasium's drawing of its state."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdqn.interfaces import Game, GymnasiumRendering

PACE = 5.0  # steps a second of a board


class Canvas(NamedTuple):
    """Where a game is drawn.

    Attributes:
      paint: `state -> uint8 [height, width, 3]`.
      pace: steps a second at which the game is meant to be seen.
      close: `() -> None`, gives back what drawing needed.
    """

    paint: Callable[[Any], np.ndarray]
    pace: float
    close: Callable[[], None]


def canvas(game: Game) -> Canvas:
    """Returns where the game is drawn; nothing needs a display.

    Raises:
      ValueError: if the game has neither a picture nor an environment of gymnasium that draws it.
    """
    if game.render_board is not None:
        picture = jax.jit(game.render_board)
        return Canvas(lambda state: np.asarray(picture(state)), PACE, lambda: None)
    if game.gymnasium_rendering is not None:
        return _gymnasium(game.gymnasium_rendering)
    raise ValueError(f"{game.name} has no picture: play it without --out to see its returns.")


def need_no_display() -> None:
    """Keeps pygame, which gymnasium draws with, from looking for a display and a sound card: it draws into memory."""
    for variable, value in (
        ("SDL_VIDEODRIVER", "dummy"),
        ("SDL_AUDIODRIVER", "dummy"),
        ("PYGAME_HIDE_SUPPORT_PROMPT", "1"),
    ):
        os.environ.setdefault(variable, value)


def _gymnasium(gymnasium_rendering: GymnasiumRendering) -> Canvas:
    import gymnasium

    env = gymnasium.make(gymnasium_rendering.environment, render_mode="rgb_array", disable_env_checker=True)
    env.reset(seed=0)  # the state that it draws is set, not stepped
    physical_state = jax.jit(gymnasium_rendering.physical_state)

    def paint(state: Any) -> np.ndarray:
        env.unwrapped.state = np.asarray(physical_state(state), np.float64)  # type: ignore[attr-defined]
        return np.asarray(env.render())

    return Canvas(paint, float(env.metadata["render_fps"]), env.close)


def _nothing(state: Any) -> np.ndarray:
    raise ValueError("This player was made without draws=True: it cannot draw.")


NO_CANVAS = Canvas(_nothing, PACE, lambda: None)
