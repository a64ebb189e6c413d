"""Settings of JAX for this process. Call these functions before JAX computes anything."""

import contextlib
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import jax

_SWITCHES = {
    "jax_default_matmul_precision": None,
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
}
_CGROUPS = pathlib.Path("/sys/fs/cgroup")
_PROCESS_CGROUPS = pathlib.Path("/proc/self/cgroup")


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


def available() -> list[Any]:
    """Returns the devices of JAX.

    Raises:
      ValueError: the platform that the user demands has no device here.
    """
    try:
        return list(jax.devices())
    except (RuntimeError, AssertionError) as error:  # without its plugin, a platform fails an assertion
        platforms = jax.config.jax_platforms  # type: ignore[attr-defined]
        reason = f" ({str(error).splitlines()[0]})" if str(error) else ""
        raise ValueError(
            f"JAX_PLATFORMS={platforms} demands devices that JAX does not find{reason}: unset it to compute on the "
            'processor, or install JAX for the accelerator (pip install "jax[cuda12]").'
        ) from None


def check_precision() -> None:
    """Checks that JAX computes in 32 bits, which all programs of this package are written for.

    Raises:
      ValueError: 64 bits are switched on.
    """
    if jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        raise ValueError(
            "JAX_ENABLE_X64 is on, but jaxdqn computes in 32 bits: unset it, or call "
            'jax.config.update("jax_enable_x64", False).'
        )


def switches() -> dict[str, Any]:
    """Returns the switches of JAX that change the numbers of a run, where they differ from JAX's defaults."""
    found = {name: getattr(jax.config, name) for name in _SWITCHES}
    return {name: value for name, value in found.items() if value != _SWITCHES[name]}


def set_switches(switches: Mapping[str, Any]) -> None:
    """Sets the switches that `switches` returned in another process."""
    for name, value in switches.items():
        jax.config.update(name, value)


def memory() -> float:
    """Returns the bytes of memory that this process may use: of the machine, or the limit of its container or job."""
    limits = [float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))]
    with contextlib.suppress(OSError):
        for line in _PROCESS_CGROUPS.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                root, name = _CGROUPS, "memory.max"
            elif "memory" in controllers.split(","):
                root, name = _CGROUPS / "memory", "memory.limit_in_bytes"
            else:
                continue
            inner = root / path.lstrip("/")  # a limit of a group holds for all groups in it
            for group in (inner, *inner.parents):
                with contextlib.suppress(OSError, ValueError):  # not visible in a container, or "max"
                    limits.append(float(int((group / name).read_text())))
    return min(limits)


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
