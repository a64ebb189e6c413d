"""The versions that runs were made with, as a file for pip: with them, on the same processor, bits are the same."""

from collections import Counter
from collections.abc import Sequence

from jaxdqn.store.record import Record

_HEADING = """\
# The versions that the runs were made with, from their records: jaxdqn export {path} --to requirements
# To have their bits again: pip install -r {name}, on the same processor (hardware.processor of a record).
"""


def lock(records: Sequence[Record], path: str, name: str) -> str:
    """Returns one line a package with the version of most runs, and a comment for each other version that runs have.

    Args:
      records: at least one.
      path: where they were read.
      name: of the file.
    """
    versions: dict[str, Counter[str]] = {}
    for record in records:
        for package, version in record.facts["versions"].items():
            versions.setdefault(package, Counter())[version] += 1
    lines = []
    for package, counts in sorted(versions.items(), key=lambda item: (item[0] != "python", item[0])):
        (usual, number), *others = counts.most_common()
        lines.append(f"# python {usual}" if package == "python" else f"{package}=={usual}")
        lines += [f"# {package} {other}: {count:,} runs" for other, count in others]
        missing = len(records) - number - sum(count for _, count in others)
        lines += [f"# {package} is not named by {missing:,} runs"] if missing else []
    return _HEADING.format(path=path, name=name) + "\n".join(lines) + "\n"
