"""The package versions of stored runs, as a requirements file for pip.

With these versions and the same processor, a study reproduces its runs bit for bit.
"""

from collections import Counter
from collections.abc import Sequence

from jaxdqn.spelling import counted
from jaxdqn.store.record import Record

_HEADING = """\
# Package versions of the runs, from their records: jaxdqn export {path} --to requirements
# To reproduce the runs bit for bit: pip install -r {name}, on the same processor (hardware.processor of a record).
"""


def requirements(records: Sequence[Record], path: str, name: str) -> str:
    """Returns the text of a requirements file: for each package, a line with its most frequent version.

    Comments below the line name the other versions, with their numbers of runs.

    Args:
      records: facts of at least one run.
      path: folder of the records, for the heading.
      name: name of the requirements file, for the heading.
    """
    versions: dict[str, Counter[str]] = {}
    for record in records:
        for package, version in record.facts["versions"].items():
            versions.setdefault(package, Counter())[version] += 1
    lines = []
    for package, counts in sorted(versions.items(), key=lambda item: (item[0] != "python", item[0])):
        (usual, number), *others = counts.most_common()
        lines.append(f"# python {usual}" if package == "python" else f"{package}=={usual}")
        lines += [f"# {package} {other}: {counted(count, 'run')}" for other, count in others]
        missing = len(records) - number - sum(count for _, count in others)
        lines += [f"# {package} is not named by {counted(missing, 'run')}"] if missing else []
    return _HEADING.format(path=path, name=name) + "\n".join(lines) + "\n"
