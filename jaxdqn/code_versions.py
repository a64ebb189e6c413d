"""The versions of code outside of this package that determines a result: games, wrappers and parts of the user.

Code in an installed package has the version of the package. Other code has a hash of the source of its module, and of
all modules that this one imports and that are not installed either, wherever they lie. The standard library, jaxdqn and
gymnasium are left out: a record has their versions, and names of gymnasium's environments have versions of their own.

A script that defines a part also defines the study, whose changes must not change the part. So only these statements of
a script count: the definition of the part, and the definitions and assignments outside of functions that it uses.
"""

import ast
import contextlib
import functools
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any, NamedTuple

SCRIPT = "script_"  # begins the name of a module that a command loads from a script
_LEFT_OUT = ("jaxdqn", "gymnasium")
_STDLIB = Path(sysconfig.get_path("stdlib")).resolve()


class CodeVersions(NamedTuple):
    """Versions of code; both are empty if all code is of this package.

    Attributes:
      sources: hash of the source by module, 16 hexadecimal digits.
      packages: version by installed package.
    """

    sources: Mapping[str, str] = {}
    packages: Mapping[str, str] = {}

    def __hash__(self) -> int:
        """Makes a `Game`, which holds versions, a static argument of compiled functions."""
        return hash((tuple(sorted(self.sources.items())), tuple(sorted(self.packages.items()))))


def of(objects: Iterable[Any]) -> CodeVersions:
    """Returns the versions of the code of classes and functions, and of modules that are given by name.

    Where the code of an object has neither a file nor a package, as in a console, nothing is known of it.
    """
    sources: dict[str, str] = {}
    packages: dict[str, str] = {}
    for one in objects:
        module = one if isinstance(one, str) else getattr(one, "__module__", None) or ""
        if module.partition(".")[0] in _LEFT_OUT:
            continue
        if is_script(module):
            sources |= _of_script(module, one)
            continue
        path = _path(module)
        if path is not None and _is_installed(path):
            for package in _packages_of(module.partition(".")[0]):
                packages[package] = metadata.version(package)
        else:
            sources |= _of_modules([module])
    return CodeVersions(dict(sorted(sources.items())), dict(sorted(packages.items())))


def is_script(module: str) -> bool:
    """Returns whether a module is a script that this process runs, or has loaded to read its study."""
    return module == "__main__" or module.startswith(SCRIPT)


def name_of(module: str) -> str:
    """Returns the name under which a module can be imported: of a script, the name of its file."""
    path = _path(module) if is_script(module) else None
    return path.stem if path is not None else module


def _of_modules(modules: Iterable[str]) -> dict[str, str]:
    """Returns the hashes of modules and of all modules that they import, without those that are installed."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    left = list(modules)
    while left:
        module = left.pop()
        if module in seen or module.partition(".")[0] in _LEFT_OUT:
            continue
        seen.add(module)
        path = _path(module)
        if path is None or _is_installed(path):
            continue
        digest, imported = _read(path, path.stat().st_mtime_ns, module, path.name == "__init__.py")
        if digest is not None:
            found[module] = digest
        package = module.rpartition(".")[0]
        left += [*imported, *([package] if package else [])]  # importing a module runs the package around it
    return found


@functools.lru_cache(maxsize=1_024)
def _read(path: Path, modified: int, module: str, is_package: bool) -> tuple[str | None, tuple[str, ...]]:
    """Returns the hash of a file, None for an empty one, and the names in its import statements that may be modules."""
    del modified  # a file that was changed is read again
    content = path.read_bytes().replace(b"\r\n", b"\n")
    names: list[str] = []
    if path.suffix == ".py":
        with contextlib.suppress(SyntaxError, ValueError):
            names = list(_imports(ast.parse(content), module if is_package else module.rpartition(".")[0]))
    return _digest(content) if content.strip() else None, tuple(names)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = ".".join(filter(None, (above, base)))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)  # each may be a module of a package


def _path(module: str) -> Path | None:
    """Returns the file of a module; None if it has none, as built-in modules. Nothing is imported."""
    if is_script(module):
        file = getattr(sys.modules.get(module), "__file__", None)
        return Path(file).resolve() if file else None
    spec = _spec(module)
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    path = Path(spec.origin).resolve()
    return path if path.is_file() else None


def _spec(module: str) -> ModuleSpec | None:
    parent = module.rpartition(".")[0]
    try:
        if not parent:
            return importlib.util.find_spec(module) if module else None
        above = _spec(parent)
        places = above.submodule_search_locations if above is not None else None
        return PathFinder.find_spec(module, list(places)) if places is not None else None
    except (ImportError, ValueError, AttributeError):  # a module without a specification
        return None


def _is_installed(path: Path) -> bool:
    return path.is_relative_to(_STDLIB) or bool({"site-packages", "dist-packages"} & set(path.parts))


@functools.cache
def _packages_of(top: str) -> tuple[str, ...]:
    """Returns the installed packages that have a module; reading the list of all packages takes long."""
    return tuple(sorted(set(metadata.packages_distributions().get(top, ()))))


def _of_script(module: str, part: Any) -> dict[str, str]:
    """Returns the hash of a class or function of a script, and of the modules that the script imports."""
    path = _path(module)
    if path is None:
        return {}
    text = path.read_text()
    tree = ast.parse(text)
    used = _used(tree, getattr(part, "__qualname__", "").partition(".")[0])
    digest = _digest("\n".join(_lines(text, statement) for statement in used).encode())
    imported = [name for statement in used for name in _imports(statement, "")]
    return {path.stem: digest, **_of_modules(imported)}


def _used(tree: ast.Module, name: str) -> list[ast.stmt]:
    """Returns the statements outside of functions that define a name and all names that these use, in their order."""
    defining: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for defined in _defined(statement):
            defining.setdefault(defined, []).append(statement)
    found: set[int] = set()
    left = [name]
    while left:
        for statement in defining.get(left.pop(), ()):
            if id(statement) not in found:
                found.add(id(statement))
                left += [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]
    return [statement for statement in tree.body if id(statement) in found]


def _defined(statement: ast.stmt) -> list[str]:
    """Returns the names that a statement defines."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).partition(".")[0] for alias in statement.names]
    return [node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def _lines(text: str, statement: ast.stmt) -> str:
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
    return "\n".join(text.splitlines()[first - 1 : statement.end_lineno])
