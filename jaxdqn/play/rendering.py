"""Renders states of games in JAX: as the board of the game, or with the gymnasium environment that renders them."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdqn.game_interfaces import Game, GymnasiumRendering

PACE = 5.0  # steps per second, of a game with a board


class Renderer(NamedTuple):
    """Renders the states of a game.

    Attributes:
      paint: `state -> uint8 [height, width, 3]`.
      pace: normal speed of the game in steps per second.
      close: `() -> None`, releases the resources of the renderer.
    """

    render: Callable[[Any], np.ndarray]
    pace: float
    close: Callable[[], None]


def make(game: Game) -> Renderer:
    """Returns the renderer of a game; it needs no display.

    Raises:
      ValueError: the game has no board and no gymnasium environment renders it.
    """
    if game.render_board is not None:
        render_board = jax.jit(game.render_board)
        return Renderer(lambda state: np.asarray(render_board(state)), PACE, lambda: None)
    if game.gymnasium_rendering is not None:
        return _gymnasium(game.gymnasium_rendering)
    raise ValueError(f"{game.name} cannot be rendered: play it without --out to see its returns.")


def disable_display() -> None:
    """Makes pygame, which gymnasium renders with, use memory instead of a display and a sound card."""
    for variable, value in (
        ("SDL_VIDEODRIVER", "dummy"),
        ("SDL_AUDIODRIVER", "dummy"),
        ("PYGAME_HIDE_SUPPORT_PROMPT", "1"),
    ):
        os.environ.setdefault(variable, value)


def _gymnasium(rendering: GymnasiumRendering) -> Renderer:
    import gymnasium

    env = gymnasium.make(rendering.environment, render_mode="rgb_array", disable_env_checker=True)
    env.reset(seed=0)  # gymnasium requires a reset; the rendered states are set below
    physical_state = jax.jit(rendering.physical_state)

    def render(state: Any) -> np.ndarray:
        env.unwrapped.state = np.asarray(physical_state(state), np.float64)  # type: ignore[attr-defined]
        return np.asarray(env.render())

    return Renderer(render, float(env.metadata["render_fps"]), env.close)


def _not_rendered(state: Any) -> np.ndarray:
    raise ValueError("This player cannot render frames: make it with rendered=True.")


NO_RENDERER = Renderer(_not_rendered, PACE, lambda: None)
