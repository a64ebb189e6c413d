"""Encodes episodes as files: an animation (GIF), a strip of frames (PNG), or a film (mp4)."""

import importlib.util
import io
import itertools
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Frames = Sequence[np.ndarray]  # frames of one episode, uint8 [height, width, 3] each, all of one size

HOLD = 1.0  # seconds for which the last frame of an episode is shown
STRIP = 6  # number of frames of an episode in a strip
GAP = 4  # pixels between the frames of a strip
COLOURS = 64  # colours of an animation
_SMALL = 64  # frames of at most this height and width are boards, with one pixel for each cell


def encoder(path: Path) -> Callable[[Sequence[Frames], float], bytes]:
    """Returns the encoder for a path: `(frames by episode, seconds per frame) -> bytes`.

    Raises:
      FileExistsError: the file exists; it is never overwritten.
      FileNotFoundError: its folder does not exist or cannot be written to.
      ValueError: its suffix is not supported, or needs a package that is not installed.
    """
    encoders = {".gif": gif, ".png": strip, ".mp4": mp4}
    if path.suffix.lower() not in encoders:
        raise ValueError(f"{path} has the suffix {path.suffix!r}: use one of {', '.join(encoders)}.")
    if path.exists():
        raise FileExistsError(f"{path} exists and is not overwritten: delete it, or use another name.")
    if not os.access(path.parent, os.W_OK) or not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent} is not a writable folder: create it, or correct the path.")
    installed = all(importlib.util.find_spec(name) for name in ("imageio", "imageio_ffmpeg"))
    if path.suffix.lower() == ".mp4" and not installed:
        raise ValueError(f'{path} needs imageio: pip install "jaxdqn[video]", or use .gif or .png.')
    return encoders[path.suffix.lower()]


def resized(frame: np.ndarray, width: int) -> np.ndarray:
    """Returns a frame of at most this width in pixels: boards are enlarged by a whole factor, others are shrunk."""
    height, present = frame.shape[:2]
    if max(height, present) <= _SMALL:
        return frame.repeat(max(1, width // present), axis=0).repeat(max(1, width // present), axis=1)
    if present <= width:
        return frame
    size = (width, max(1, round(height * width / present)))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))


def of_one_size(episodes: Sequence[Frames]) -> list[list[np.ndarray]]:
    """Returns frames of one size: smaller ones get a black margin at the right and at the bottom."""
    height, width = np.max([frame.shape[:2] for frames in episodes for frame in frames], axis=0)
    return [
        [np.pad(frame, ((0, height - frame.shape[0]), (0, width - frame.shape[1]), (0, 0))) for frame in frames]
        for frames in episodes
    ]


def gif(episodes: Sequence[Frames], seconds: float) -> bytes:
    """Returns an animation that repeats; all frames share one palette, so that only changed pixels take space."""
    frames = [frame for frames in episodes for frame in frames]
    palette = _palette(frames)
    images = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [1000 * (HOLD if is_last else seconds) for frames in episodes for is_last in _is_last(frames)]
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        duration=[max(20, 10 * round(duration / 10)) for duration in durations],  # players slow down shorter frames
        loop=0,
        disposal=1,  # each frame is drawn over the previous one
        optimize=False,  # otherwise each frame gets its own palette
    )
    return buffer.getvalue()


def strip(episodes: Sequence[Frames], seconds: float) -> bytes:
    """Returns evenly spaced frames side by side, including the first and the last, with one row for each episode."""
    del seconds
    height, width = episodes[0][0].shape[:2]
    size = (STRIP * (width + GAP) - GAP, len(episodes) * (height + GAP) - GAP)
    sheet = Image.new("RGB", size, "white")
    for row, frames in enumerate(episodes):
        indices = sorted(set(np.linspace(0, len(frames) - 1, STRIP).round().astype(int).tolist()))
        for column, index in enumerate(indices):
            sheet.paste(Image.fromarray(frames[index]), (column * (width + GAP), row * (height + GAP)))
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def mp4(episodes: Sequence[Frames], seconds: float) -> bytes:
    """Returns a film."""
    import imageio

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "film.mp4"
        # JAX warns about forks. This one is safe: the new process starts ffmpeg at once and never runs JAX.
        warnings.filterwarnings("ignore", r"os\.fork", RuntimeWarning)
        seconds = max(seconds, 0.01)
        height, width = (side // 2 * 2 for side in episodes[0][0].shape[:2])  # the codec needs even sides
        writer: Any = imageio.get_writer(path, fps=1 / seconds, codec="libx264", macro_block_size=2)
        with writer:
            for frames in episodes:
                for frame in itertools.chain(frames, [frames[-1]] * round(HOLD / seconds)):
                    writer.append_data(frame[:height, :width])
        return path.read_bytes()


def _is_last(frames: Frames) -> list[bool]:
    return [index == len(frames) - 1 for index in range(len(frames))]


def _palette(frames: Frames) -> Image.Image:
    """Returns an image with a palette for all frames, made from up to 32 evenly spaced frames.

    The most common colours are exact, because a slightly wrong background is visible; the others are means.
    """
    sample = np.linspace(0, len(frames) - 1, min(32, len(frames))).astype(int)
    sheet = Image.fromarray(np.concatenate([frames[index] for index in sample]))
    counted: Any = sheet.getcolors(2**24)
    common = [colour for _, colour in sorted(counted, key=lambda pair: (-pair[0], pair[1]))[:16]]
    cut: Any = sheet.quantize(COLOURS, method=Image.Quantize.MEDIANCUT).getpalette()
    means = np.array(cut).reshape(-1, 3)
    chosen = np.empty((0, 3), int)
    for colour in np.concatenate([common, means]):
        # pillow looks up colours in steps of 4, so it could confuse two close colours.
        if len(chosen) < COLOURS and np.all(np.abs(chosen - colour).max(axis=1) >= 8):
            chosen = np.append(chosen, [colour], axis=0)
    palette = Image.new("P", (1, 1))
    palette.putpalette(chosen.astype(np.uint8).tobytes())
    return palette
