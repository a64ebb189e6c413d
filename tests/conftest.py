"""Strict switches for every test: two CPU devices, no silent broadcasting of ranks; warnings are errors (pyproject).

Compiled programs are kept in a folder that lives as long as the session and that all its processes share: many tests,
and the processes that they start, run the same few.
"""

import os
import shutil
import tempfile

_CACHE = "JAX_COMPILATION_CACHE_DIR"
_OWNER = "JAXDQN_TESTS_CACHE_OWNER"

# The first process of the session sets them; the others inherit them, before they import JAX.
if _CACHE not in os.environ:
    os.environ[_CACHE] = tempfile.mkdtemp(prefix="jaxdqn-tests-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
    os.environ[_OWNER] = str(os.getpid())

import jax  # noqa: E402

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_unconfigure():
    if os.environ.get(_OWNER) == str(os.getpid()):
        shutil.rmtree(os.environ[_CACHE], ignore_errors=True)
