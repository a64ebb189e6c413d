"""Committed results can be traced: each record names a commit that contains the script of its study."""

import subprocess

import pytest

from jaxdqn.commands import select_runs
from jaxdqn.store import store
from jaxdqn.study import load_script, spec


def described(results):
    """Returns the number of records for each commit and script that they name."""
    found = {}
    for facts in (record.facts for record in select_runs.read(results).records):
        code = facts["code"]
        script = code.get("script") or f"experiments/{facts['study']}.py"  # the first records name only a commit
        commit = code.get("script_commit", code["commit"])
        found[commit, script] = found.get((commit, script), 0) + 1
    return found


def git(root, *arguments, given=""):
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], input=given, capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


def test_the_commit_of_every_record_contains_the_script_of_its_study(request):
    root = request.config.rootpath
    if git(root, "rev-parse", "--is-shallow-repository") != "false\n":
        pytest.skip("needs a checkout with its whole history")
    named = described(root / "results")
    assert sum(named.values()) > 5_000
    pairs = [f"{commit}:{script}" for commit, script in named]
    answers = git(root, "cat-file", "--batch-check", given="\n".join(pairs)).splitlines()
    lost = {pair: answer for pair, answer in zip(pairs, answers, strict=True) if " blob " not in answer}
    assert lost == {}


def test_every_record_belongs_to_a_cell_of_the_study_in_its_script(request):
    root = request.config.rootpath
    paths = [path for path in (root / "experiments").glob("*.py") if "\nSTUDY = " in path.read_text()]
    studies = [load_script.load(path).study for path in paths]
    made = [study for study in studies if (root / "results" / study.name).is_dir()]
    assert {study.name for study in studies} - {study.name for study in made} <= {"atari", "minatar"}  # hours
    for study in made:
        recorded = store.ids(root / "results" / study.name / "runs")
        assert recorded
        assert recorded <= set(spec.by_identifier(study)), study.name


def test_no_record_was_made_by_modified_code(request):
    for record in select_runs.read(request.config.rootpath / "results").records:
        assert record.facts["code"]["modified"] is False, record
