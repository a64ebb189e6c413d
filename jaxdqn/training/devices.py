"""Settings of JAX for this process. Call these functions before JAX computes anything."""

import contextlib
import os
import pathlib

import jax


def use_all_cores() -> None:
    """Makes every CPU core a device. It changes nothing where the user has set devices."""
    if jax.config.jax_num_cpu_devices < 1:  # type: ignore[attr-defined]
        use_cores(len(cores()))


def use_cores(number: int) -> None:
    """Makes each of `number` CPU cores a device."""
    with contextlib.suppress(RuntimeError):  # JAX has started: its devices are what they are
        jax.config.update("jax_num_cpu_devices", number)


def leave_accelerators() -> None:
    """Lets this process compute on the CPU alone: others are to have the accelerators."""
    jax.config.update("jax_platforms", "cpu")


def keep_compiled_programs() -> None:
    """Lets JAX keep compiled programs in the user's cache folder, where the user has not named another place."""
    if jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
        jax.config.update("jax_compilation_cache_dir", str(cache / "jaxdqn" / "xla"))


def compute_in_this_thread() -> None:
    """Makes calls compute before they return: where each result is waited for, a second thread only costs time."""
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def cores() -> list[int]:
    """Returns the cores that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
