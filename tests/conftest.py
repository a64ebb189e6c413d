"""Strict switches for every test: two CPU devices, no silent broadcasting of ranks; warnings are errors (pyproject).

Compiled programs are kept in a folder that lives as long as the session and that all its processes share: many tests,
and the processes that they start, run the same few. They are compiled quickly rather than well, which halves the time
of all tests, unless the environment says how: `XLA_FLAGS= pytest` tests what users run.
"""

import os
import shutil
import subprocess
import sys
import tempfile

_CACHE = "JAX_COMPILATION_CACHE_DIR"
_OWNER = "JAXDQN_TESTS_CACHE_OWNER"
# At level 0 a run among others would no longer equal the same run alone. A program is compiled in one piece, because
# the processes of the tests keep every core busy.
_QUICKLY = (
    "--xla_backend_optimization_level=1 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
)


def _is_known(flags):
    """Returns whether XLA has these flags; a process with others is aborted."""
    asking = [sys.executable, "-c", "import jax; jax.devices()"]
    return subprocess.run(asking, env=os.environ | {"XLA_FLAGS": flags}, capture_output=True).returncode == 0


# The first process of the session sets them; the others inherit them, before they import JAX.
if _CACHE not in os.environ:
    os.environ[_CACHE] = tempfile.mkdtemp(prefix="jaxdqn-tests-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
    os.environ[_OWNER] = str(os.getpid())
    if "XLA_FLAGS" not in os.environ and _is_known(_QUICKLY):
        os.environ["XLA_FLAGS"] = _QUICKLY

import hypothesis  # noqa: E402
import jax  # noqa: E402
import pytest  # noqa: E402

hypothesis.settings.register_profile("without a clock", deadline=None)
hypothesis.settings.load_profile("without a clock")
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")

pytest_plugins = ["tests.helpers.compiled_once", "tests.helpers.untrained"]


@pytest.fixture
def unoptimised(request, monkeypatch):
    """Programs of the test are compiled without any optimisation, in half of the time; new processes inherit it.

    It is for tests that compile large programs and compare no bits of two of them, because rounding may differ. It
    changes nothing in tests of equal bits, and where the environment says how to compile.
    """
    if os.environ.get("XLA_FLAGS") != _QUICKLY or request.node.get_closest_marker("equal_bits"):
        yield
        return
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def pytest_unconfigure():
    if os.environ.get(_OWNER) == str(os.getpid()):
        shutil.rmtree(os.environ[_CACHE], ignore_errors=True)
