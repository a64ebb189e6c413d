"""Provenance: a record names the script of the run, and whether a commit contains script and package."""

import pathlib
import runpy
import subprocess
import sys
import types

import pytest

from jaxdqn.figures import captions as caption
from jaxdqn.store import store
from jaxdqn.study import execute, provenance
from jaxdqn.study.spec import Study
from tests.helpers.runs import EVALUATION, SMALL

ROOT = pathlib.Path(__file__).parents[2]
STUDY = """
import dataclasses
from jaxdqn.algorithms import dqn
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.commands import script
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation
STUDY = Study(
    "asked", ("catch",), {"DQN": dqn.CONFIG}, range(1), steps=100, evaluation=Evaluation(every=100, episodes=1)
)
if __name__ == "__main__":
    script.main(STUDY, STUDY, learning_curves, __doc__)
"""


def git(folder, *arguments):
    names = ("-c", "user.name=somebody", "-c", "user.email=a@b")
    command = ["git", "-C", str(folder), *names, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """Returns a repository that holds the script `experiments/asks.py` and its neighbour, in one commit."""
    folder = tmp_path / "repository" / "experiments"
    folder.mkdir(parents=True)
    git(folder.parent, "init", "-q")
    (folder / "asks.py").write_text("import neighbour\n")
    (folder / "neighbour.py").write_text("")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "-q", "-m", "a script")
    return folder.parent


def imported(path, monkeypatch):
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, path.stem, module)


def test_a_script_is_known_by_its_path_in_its_repository_and_the_commit_that_holds_it(repository):
    found = provenance.script_at(repository / "experiments" / "asks.py")
    assert found == ("experiments/asks.py", git(repository, "rev-parse", "HEAD"), False)
    assert provenance.warning(found) == ""


@pytest.mark.parametrize("changed", ["asks.py", "neighbour.py", "new.py"])
def test_a_script_is_modified_if_it_or_a_module_beside_it_is(repository, changed, monkeypatch):
    script = repository / "experiments" / "asks.py"
    imported(script.parent / changed, monkeypatch)
    (script.parent / changed).write_text("# another line\n")
    found = provenance.script_at(script)
    assert found.is_modified
    assert found.commit == git(repository, "rev-parse", "HEAD")
    assert f"experiments/asks.py, or a module beside it, differs from commit {found.commit[:10]}" in (
        provenance.warning(found)
    )
    monkeypatch.delitem(sys.modules, pathlib.Path(changed).stem)
    assert provenance.script_at(script).is_modified == (changed == "asks.py")  # what it did not import is nothing to it


@pytest.mark.parametrize("place", ["repository/experiments/new.py", "outside.py"])
def test_a_script_that_no_commit_holds_is_named_and_no_more(repository, place, tmp_path):
    path = tmp_path / place
    path.write_text("")
    found = provenance.script_at(path)
    assert found == (path.name, None, True)
    assert provenance.warning(found).startswith(f"warning: no commit holds {path.name}, and the records")


def test_what_is_staged_is_in_no_commit_yet(repository):
    path = repository / "experiments" / "new.py"
    path.write_text("")
    git(repository, "add", ".")
    assert provenance.script_at(path) == ("new.py", None, True)
    git(repository, "commit", "-q", "-m", "another script")
    assert provenance.script_at(path) == ("experiments/new.py", git(repository, "rev-parse", "HEAD"), False)


def test_a_script_of_a_repository_without_a_commit_is_in_none(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "first.py").write_text("")
    git(tmp_path, "add", ".")
    assert provenance.script_at(tmp_path / "first.py") == ("first.py", None, True)


def test_a_neighbour_that_is_ignored_is_in_no_commit(repository, monkeypatch):
    (repository / ".gitignore").write_text("ignored.py\n")
    imported(repository / "experiments" / "ignored.py", monkeypatch)
    (repository / "experiments" / "ignored.py").write_text("")
    assert provenance.script_at(repository / "experiments" / "asks.py").is_modified


@pytest.mark.parametrize(
    ("package", "script", "modified"),
    [
        (False, None, False),
        (True, None, True),
        (None, None, None),
        (False, provenance.Script("a.py", "c", False), False),
        (True, provenance.Script("a.py", "c", False), True),
        (False, provenance.Script("a.py", "c", True), True),
        (None, provenance.Script("a.py", "c", True), True),
        (None, provenance.Script("a.py", "c", False), None),
    ],
)
def test_modified_covers_package_and_script(package, script, modified, monkeypatch):
    monkeypatch.setattr(provenance, "commit", lambda: {"commit": "p", "modified": package})
    says = provenance.code(script)
    assert says["modified"] is modified
    assert (says["script"], says["script_commit"]) == (("a.py", "c") if script else (None, None))


def test_a_command_is_no_script(monkeypatch):
    assert provenance.script() is None  # pytest
    for file in (None, "/somewhere/bin/jaxdqn", str(pathlib.Path(provenance.__file__).parents[1] / "__main__.py")):
        monkeypatch.setitem(sys.modules, "__main__", types.SimpleNamespace(__file__=file))
        assert provenance.script() is None


def test_a_script_is_found_as_python_and_as_the_command_run_it(repository, tmp_path):
    script = repository / "experiments" / "asks.py"
    script.write_text(
        "from jaxdqn.study import provenance\nfound = provenance.script()\nif __name__ == '__main__':\n"
        "    print(found.path)\n"
    )
    git(repository, "commit", "-q", "-a", "-m", "it asks")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout == "experiments/asks.py\n"
    assert runpy.run_path(str(script), run_name="__main__")["found"].path == "experiments/asks.py"


@pytest.mark.parametrize("command", [[], ["-m", "jaxdqn", "run"]], ids=["python", "jaxdqn run"])
def test_a_study_of_a_script_outside_of_git_warns_once_and_says_so_in_its_records(command, tmp_path):
    (tmp_path / "asks.py").write_text(STUDY)
    line = [sys.executable, *command, str(tmp_path / "asks.py"), "--out", str(tmp_path)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: no commit holds asks.py, and the records of its runs say so") == 1
    (run,) = store.read(tmp_path / "asked" / "runs").runs
    code = run.facts["code"]
    assert (code["script"], code["script_commit"], code["modified"]) == ("asks.py", None, True)
    assert "asks.py, which no commit holds" in caption.provenance([run])


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch):
    """Returns the file that is read in place of what Linux says about its processors; there is none yet."""
    monkeypatch.setattr(provenance, "_CPUINFO", tmp_path / "cpuinfo")
    for known in (provenance.processor, provenance.cpu_flags):
        known.cache_clear()
    yield tmp_path / "cpuinfo"
    for known in (provenance.processor, provenance.cpu_flags):
        known.cache_clear()


def test_records_name_script_processor_and_instructions(tmp_path, cpuinfo):
    cpuinfo.write_text(
        "model name\t: A Chip\ncpu family\t: 25\nmodel\t\t: 1\nflags\t: fpu avx2 smep fma avx512f\n\nmodel: 2"
    )
    study = Study("machine", ("catch",), {"DQN": SMALL}, (0,), steps=200, evaluation=EVALUATION)
    execute.run(study, tmp_path, script=provenance.Script("elsewhere.py", "c0ffee", False))
    (run,) = store.read(tmp_path / "machine" / "runs").runs
    assert run.facts["hardware"]["processor"] == "A Chip, family 25, model 1"
    assert run.facts["hardware"]["cpu_flags"] == ["avx2", "avx512f", "fma"]
    assert (run.facts["code"]["script"], run.facts["code"]["script_commit"]) == ("elsewhere.py", "c0ffee")


def test_an_arm_processor_lists_features_and_another_system_none(cpuinfo):
    assert provenance.cpu_flags() == ()
    assert provenance.processor()
    provenance.cpu_flags.cache_clear()
    cpuinfo.write_text("Features\t: fp asimd sve\n")
    assert provenance.cpu_flags() == ("asimd", "sve")
