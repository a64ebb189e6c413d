"""One copy of a scenario of ViZDoom, with observations like those of the Atari games."""

import contextlib
import os
import pathlib
import tempfile
from typing import Any

import gymnasium
import numpy as np
import vizdoom
from gymnasium import spaces

from jaxdqn.games import area_resize

SKIP = 4  # frames of a step
SIZE = 84  # height and width of an observation, in pixels
_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # luminance of red, green and blue (ITU-R BT.601)


class DoomEnvironment(gymnasium.Env[Any, Any]):
    """One copy of a scenario, as its configuration in ViZDoom says, but for the size of the screen (160 x 120).

    The actions are to press no button, or one button; they are numbered as by ViZDoom's own environment for gymnasium.
    An episode that reaches its time limit is truncated. ViZDoom shows nothing after the end of an episode: the last
    observation is the last screen before it.

    Args:
      scenario: name of the scenario, such as `basic`.

    Attributes:
      time_limit: the longest episode, in frames; 0 if there is no limit.
    """

    observation_space: spaces.Box
    action_space: spaces.Discrete

    def __init__(self, scenario: str) -> None:
        self._game = game = vizdoom.DoomGame()
        game.load_config(str(pathlib.Path(vizdoom.scenarios_path, f"{scenario}.cfg")))
        game.set_doom_config_path(os.devnull)  # otherwise all copies write one file in the working folder
        game.set_window_visible(False)
        game.set_sound_enabled(False)
        game.set_screen_format(vizdoom.ScreenFormat.RGB24)
        game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
        number = game.get_available_buttons_size()
        self._buttons = [[0.0] * number, *np.eye(number)[::-1].tolist()]
        height, width = game.get_screen_height(), game.get_screen_width()
        self._screen = np.zeros((height, width, 3), np.uint8)
        self._shrink = area_resize.make(height, width, SIZE)
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": vizdoom.DEFAULT_TICRATE / SKIP}
        self.render_mode = "rgb_array"
        self.observation_space = spaces.Box(0, 255, (SIZE, SIZE, 1), np.uint8)
        self.action_space = spaces.Discrete(number + 1)
        self.time_limit = int(game.get_episode_timeout())

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an episode; all its random numbers come from the seed."""
        super().reset(seed=seed, options=options)
        self._game.set_seed(int(self.np_random.integers(2**32, dtype=np.uint32)))
        if self._game.is_running():
            self._game.new_episode()
        else:
            with contextlib.chdir(tempfile.gettempdir()):  # where the engine leaves an empty folder
                self._game.init()
        return self._observation(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Plays a step."""
        reward = self._game.make_action(self._buttons[action], SKIP)
        truncated = self._game.is_episode_timeout_reached()
        terminated = self._game.is_episode_finished() and not truncated
        return self._observation(), reward, terminated, truncated, {}

    def render(self) -> np.ndarray:
        """Returns the screen in colour, uint8 `[height, width, 3]`."""
        return self._screen

    def close(self) -> None:
        """Ends the process of the engine."""
        self._game.close()

    def _observation(self) -> np.ndarray:
        state = self._game.get_state()
        if state is not None:
            self._screen = np.array(state.screen_buffer)
        grey = np.rint(self._screen.astype(np.float32) @ _GREY).astype(np.uint8)
        return self._shrink(grey)[..., None]
