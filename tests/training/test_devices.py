"""Devices and cores: what a process lets JAX use, and how processes share the cores of a machine."""

import contextlib
import os
import types

import pytest

from jaxdqn.training import cpu_cores, devices

ALL = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@pytest.fixture
def changes(monkeypatch):
    """Returns a configuration of JAX that is none, and the list of what is changed of it."""
    made = []
    config = types.SimpleNamespace(
        jax_num_cpu_devices=-1, jax_compilation_cache_dir=None, update=lambda name, value: made.append((name, value))
    )
    monkeypatch.setattr(devices, "jax", types.SimpleNamespace(config=config))
    return config, made


@pytest.mark.parametrize(("number", "is_changed"), [(-1, True), (0, True), (1, False), (3, False)])
def test_every_core_is_a_device_unless_the_user_has_set_devices(changes, monkeypatch, number, is_changed):
    config, made = changes
    config.jax_num_cpu_devices = number
    monkeypatch.setattr(devices, "cores", lambda: [1, 4, 5])
    devices.use_all_cores()
    assert made == ([("jax_num_cpu_devices", 3)] if is_changed else [])


def test_compiled_programs_are_kept_in_the_users_cache_unless_another_place_is_named(changes, monkeypatch, tmp_path):
    config, made = changes
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    devices.keep_compiled_programs()
    assert made == [("jax_compilation_cache_dir", str(tmp_path / "jaxdqn" / "xla"))]
    config.jax_compilation_cache_dir = "elsewhere"
    devices.keep_compiled_programs()
    assert len(made) == 1


def test_other_options_of_jax_are_set(changes):
    _, made = changes
    devices.leave_accelerators()
    devices.compute_in_this_thread()
    assert made == [("jax_platforms", "cpu"), ("jax_cpu_enable_async_dispatch", False)]


@pytest.mark.parametrize(("count", "expected"), [(3, [0, 1, 2]), (None, [0])])
def test_where_a_system_does_not_say_which_cores_are_allowed_all_are(monkeypatch, count, expected):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert devices.cores() == expected


@pytest.mark.parametrize(
    ("processes", "files", "expected"),
    [
        ("", {}, "all"),
        ("0::/a/b\n", {"a/memory.max": "5000\n", "a/b/memory.max": "max\n", "a/b/c/memory.max": "7\n"}, 5_000),
        ("0::/\n", {"memory.max": "6000\n"}, 6_000),
        ("8:pids:/a\n9:cpu,memory:/a\n0::/\n", {"memory/a/memory.limit_in_bytes": "7000"}, 7_000),
        ("9:memory:/elsewhere\n", {"memory/memory.limit_in_bytes": "8000", "memory.max": "3"}, 8_000),
        ("9:memory:/a\n", {"memory/a/memory.limit_in_bytes": "9223372036854771712"}, "all"),
    ],
)
def test_memory_is_that_of_the_machine_or_the_limit_of_a_container(monkeypatch, tmp_path, processes, files, expected):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "cgroup").write_text(processes)
    monkeypatch.setattr(devices, "_CGROUPS", tmp_path)
    monkeypatch.setattr(devices, "_PROCESS_CGROUPS", tmp_path / "cgroup")
    of_machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert devices.memory() == (of_machine if expected == "all" else expected)
    monkeypatch.setattr(devices, "_PROCESS_CGROUPS", tmp_path / "of another system")
    assert devices.memory() == of_machine


@pytest.mark.parametrize(
    ("error", "words"),
    [(RuntimeError("Unable to initialize backend 'cuda': no\nmore"), "(Unable to "), (AssertionError(), "find: ")],
)
def test_a_demanded_accelerator_that_is_missing_is_one_sentence(monkeypatch, error, words):
    def no_devices():
        raise error

    config = types.SimpleNamespace(jax_platforms="cuda")
    monkeypatch.setattr(devices, "jax", types.SimpleNamespace(config=config, devices=no_devices))
    with pytest.raises(
        ValueError, match=r"^JAX_PLATFORMS=cuda demands devices that JAX does not find[^\n]+\.$"
    ) as said:
        devices.available()
    assert words in str(said.value)


needs_two_cores = pytest.mark.skipif(len(ALL) < 2, reason="there is but one core to share, or none can be chosen")


@pytest.fixture(autouse=True)
def _all_cores_again():
    yield
    if ALL:
        os.sched_setaffinity(0, ALL)


@needs_two_cores
def test_two_of_one_kind_are_kept_to_different_cores_and_give_them_back():
    assert devices.cores() == ALL
    with contextlib.ExitStack() as held:
        seen = []
        for _ in range(2):
            os.sched_setaffinity(0, ALL)
            held.enter_context(cpu_cores.kept_to(1, "test"))
            seen.append(os.sched_getaffinity(0))
        assert [len(one) for one in seen] == [1, 1]
        assert not seen[0] & seen[1]
        os.sched_setaffinity(0, ALL)
        with cpu_cores.kept_to(1, "test of another kind"):
            assert len(os.sched_getaffinity(0)) == 1
    os.sched_setaffinity(0, ALL)
    with cpu_cores.kept_to(len(ALL), "test"):  # all of them are free again
        assert devices.cores() == ALL


@needs_two_cores
def test_where_no_core_is_free_some_are_shared_and_the_cores_before_come_back():
    with cpu_cores.kept_to(len(ALL), "test"):
        with cpu_cores.kept_to(1, "test"):
            assert len(os.sched_getaffinity(0)) == 1
        assert devices.cores() == ALL
        with cpu_cores.kept_to(len(ALL) + 1, "test"):
            assert devices.cores() == ALL
