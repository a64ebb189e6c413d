"""Mutation testing with cosmic-ray: inserts one small fault at a time into a copy of the code and runs the tests.

    python tests/mutation learning --out DIR            # runs or continues the sample `learning` of pyproject.toml
    python tests/mutation learning --out DIR --retry    # runs surviving mutants again with the current tests

A sample has modules, and lists the tests of each module, fastest first. See CONTRIBUTING.md.
"""

import argparse
import collections
import hashlib
import os
import pathlib
import random
import re
import shutil
import sys
import time
import tomllib
from collections.abc import Iterable

import wiring
from cosmic_ray import commands, plugins
from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.testing import run_tests
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult

ROOT = pathlib.Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "*.svg", "*.gif")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutation"]

EXCLUDED = re.compile("|".join(SETTINGS["exclude-operators"]))
core = plugins.OPERATOR_PROVIDERS["core"]
plugins.OPERATOR_PROVIDERS["core"] = {name: core[name] for name in core if not EXCLUDED.fullmatch(name)}
plugins.OPERATOR_PROVIDERS["wiring"] = wiring.OPERATORS


def tests_of(sample: dict, module: str) -> list[str]:
    """Returns the test files of a module: those of the first pattern that matches it."""
    return next((tests for pattern, tests in sample["tests"].items() if pathlib.PurePath(module).match(pattern)), [])


def sample_mutants(sample: dict, tree: pathlib.Path) -> list[WorkItem]:
    """Returns a random sample of the mutants of a tree; equal code and seeds give equal samples."""
    modules = sorted(str(path.relative_to(tree)) for path in tree.glob("jaxdqn/**/*.py"))
    modules = [module for module in modules if tests_of(sample, module)]
    os.chdir(tree)
    with use_db(":memory:") as db:
        commands.init(map(pathlib.Path, modules), db, {})
        found = [item.mutations[0] for item in db.work_items]
    excluded = {module: _excluded_ranges(module) for module in modules}
    kept = [
        spec
        for spec in found
        if not any(start <= spec.start_pos and spec.end_pos <= end for start, end in excluded[str(spec.module_path)])
    ]
    kept.sort(key=lambda spec: (str(spec.module_path), spec.operator_name, spec.occurrence))
    print(f"sampled {sample['number']} of {len(kept)} mutants of {len(modules)} modules")
    selected = random.Random(sample["seed"]).sample(kept, sample["number"])
    return [WorkItem.single(hashlib.md5(repr(spec).encode()).hexdigest(), spec) for spec in selected]


def _excluded_ranges(module: str) -> list[tuple]:
    """Returns the code ranges in which a mutant changes no computation: annotations, type unions, texts, some hints."""
    nodes = []
    for node in ast_nodes(get_ast_from_path(pathlib.Path(module))):
        match node.type:
            case "tfpdef" | "raise_stmt":
                nodes.append(node)
            case "annassign":
                nodes.append(node.children[1])
            case "funcdef":
                nodes += [node] if node.name.value in ("__repr__", "__str__") else filter(None, [node.annotation])
            case "expr" if node.search_ancestor("funcdef", "classdef") is None:
                nodes.append(node)
            case "operator" if node.parent.type == "parameters":  # the `*` before keyword-only arguments
                nodes.append(node)
            case "argument" if node.children[0].get_code().strip() in SETTINGS["exclude-keywords"]:
                nodes.append(node)
    return [(node.start_pos, node.end_pos) for node in nodes]


def pytest_command(files: Iterable[str], seconds: int, *options: str) -> str:
    """Returns the command that runs test files in one process with a limit on its CPU seconds."""
    command = " ".join([sys.executable, "-m pytest -q -o addopts= -p no:cacheprovider", *options, *files])
    return f"sh -c 'ulimit -t {seconds} && exec {command}'"


def is_caught(result: WorkResult) -> bool:
    """Returns whether a test failed or was interrupted. A timeout does not count, because tests can be slow."""

    return bool(result.is_killed and re.search("^(FAILED|ERROR|!+ .*KeyboardInterrupt)", result.output, re.MULTILINE))


def start(sample: dict, out: pathlib.Path) -> None:
    """Copies the tree and samples the mutants."""
    shutil.copytree(ROOT, out / "tree", ignore=LEFT_OUT)
    items = sample_mutants(sample, out / "tree")
    with use_db(str(out / "session.sqlite")) as db:
        db.add_work_items(items)


def check_without_mutant(output: str, passed: set[str]) -> None:
    """Checks that the tests that failed with a mutant pass without it, unless they are known to pass."""
    failed = set(re.findall(r"^(?:FAILED|ERROR) ([^\s\[]+)", output, re.MULTILINE)) - passed
    outcome, output = (
        run_tests(pytest_command(failed, 1000), timeout=SETTINGS["seconds-of-waiting"])
        if failed
        else (TestOutcome.SURVIVED, "")
    )
    if outcome != TestOutcome.SURVIVED:
        raise SystemExit(f"Tests fail without a mutant; repair them first:\n{output}")
    passed |= failed


def report(db: WorkDB) -> None:
    """Prints the score, and each mutant that no test caught: all tests passed, or time ran out."""
    caught, found = collections.Counter(), db.completed_work_items
    for item, result in found:
        module, operator = str(item.mutations[0].module_path), item.mutations[0].operator_name
        caught[module] += is_caught(result)
        if not is_caught(result):
            print(f"\n{'OUT OF TIME' if result.is_killed else 'SURVIVED'} {module} {operator}\n{result.diff}")
    for module, number in sorted(collections.Counter(str(item.mutations[0].module_path) for item, _ in found).items()):
        print(f"{caught[module]:4} of {number:4}  {module}")
    print(f"{caught.total()} of {len(found)} caught: {100 * caught.total() / max(1, len(found)):.1f} %")


def main() -> None:
    """Runs or continues a sample."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sample", choices=list(SETTINGS["samples"]))
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for the copies and the session")
    parser.add_argument("--part", default="1/1", help="k/n: the k-th of n processes that share the session")
    parser.add_argument("--number", type=int, help="number of mutants (default: as in pyproject.toml)")
    parser.add_argument("--seconds", type=int, default=300, help="CPU seconds for the tests of a mutant (default: 300)")
    parser.add_argument("--retry", action="store_true", help="run surviving mutants again with the current tests")
    parser.add_argument("--report", action="store_true", help="only print the results so far")
    options = parser.parse_args()
    out, sample = options.out.resolve() / options.sample, SETTINGS["samples"][options.sample]
    sample |= {"number": options.number or sample["number"]}
    part, num_parts = map(int, options.part.split("/"))
    os.environ |= SETTINGS["environment"] | {"JAX_COMPILATION_CACHE_DIR": str(out.parent / "compiled")}
    copy = out / f"copy-{part}"
    if not (out / "session.sqlite").exists():
        start(sample, out)
    with use_db(str(out / "session.sqlite")) as db:
        if options.report:
            return report(db)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(out / "tree", copy)
        if options.retry:
            shutil.copytree(ROOT / "tests", copy / "tests", ignore=LEFT_OUT, dirs_exist_ok=True)
        os.chdir(copy)
        os.environ["PYTHONPATH"] = str(copy)
        items = db.pending_work_items
        if options.retry:
            items = [item for item, result in db.completed_work_items if not is_caught(result)]
        passed: set[str] = set()
        for item in items:
            if int(item.job_id, 16) % num_parts == part - 1:
                files = tests_of(sample, str(item.mutations[0].module_path))
                result = mutate_and_test(
                    item.mutations, pytest_command(files, options.seconds, "-x"), SETTINGS["seconds-of-waiting"]
                )
                if result.worker_outcome != WorkerOutcome.NORMAL:
                    raise SystemExit(f"{item} could not be run: {result.output}")
                if is_caught(result):
                    check_without_mutant(result.output, passed)
                db.set_result(item.job_id, result)
                verdict = "caught" if is_caught(result) else "OUT OF TIME" if result.is_killed else "SURVIVED"
                print(time.strftime("%H:%M:%S"), verdict, item.mutations[0].module_path, flush=True)
        return report(db)


if __name__ == "__main__":
    main()
