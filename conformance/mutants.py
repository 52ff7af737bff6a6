"""An implementation with one mistake in it: what the suites must catch, clause by clause.

A mutant is a line of a package's source and what stands there instead. Each must be refused by
the properties of its own clause; a clause whose mutants all pass is not being judged.
"""

import importlib.util
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import cast

from sasakit.reference.contract.backend import Backend

REFERENCE = "sasakit.reference"


@dataclass(frozen=True)
class Mutant:
    """One mistake.

    clause     the clause that it violates
    deviation  its name in the clause's list of what it rules out, or a name of its own
    file       the package's file, without .py
    old, new   the text that stands once in that file, and what replaces it
    package    the package that it changes, the reference or another of its interface
    equivalent why it means what the original means and must pass; None where it must be refused
    setting    file, old and new text of a change without a mistake, which brings the cases to it
    """

    clause: str
    deviation: str
    file: str
    old: str
    new: str
    package: str = REFERENCE
    equivalent: str | None = None
    setting: tuple[str, str, str] | None = None

    @property
    def changes(self) -> list[tuple[str, str, str]]:
        """File, old and new text of everything that it changes."""
        own = (self.file, self.old, self.new)
        return [own] if self.setting is None else [own, self.setting]

    @property
    def id(self) -> str:
        """The clause, the deviation and the file, "PAD-1 padding-wrapped (numba_cpu/frame)"."""
        folder = self.package.rpartition(".")[2]
        return f"{self.clause} {self.deviation} ({folder}/{self.file})"


class _Source:
    """Loads a package's files under another name, one of them changed."""

    def __init__(self, package: str, mutant: Mutant) -> None:
        self.package, self.mutant = package, mutant
        found = importlib.util.find_spec(mutant.package)
        if found is None or found.origin is None:
            raise ImportError(f"`package` must be installed; got {mutant.package!r}.")
        self.folder = Path(found.origin).parent

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != self.package and not name.startswith(f"{self.package}."):
            return None
        return importlib.util.spec_from_loader(name, self, is_package=name == self.package)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        file = module.__name__.removeprefix(self.package).lstrip(".") or "__init__"
        source = (self.folder / f"{file}.py").read_text("utf-8")
        for old, new in ((old, new) for place, old, new in self.mutant.changes if place == file):
            if source.count(old) != 1:
                raise ValueError(f"`old` must stand once in {file}.py; got {old!r}.")
            source = source.replace(old, new)
        # Options and checks stay those of the reference, whose types the cases carry.
        source = source.replace("from .contract", "from sasakit.reference.contract")
        exec(compile(source, f"{file}.py (mutant {self.mutant.deviation})", "exec"),
             module.__dict__)


def mutated_backend(mutant: Mutant) -> Backend:
    """The mutant's package as a backend of its own with the mutant's mistake.

    Numba keeps no compiled code of it: its kernels are loaded where NUMBA_DISABLE_JIT is 1.
    Raises ValueError where the mutant's text does not stand once in its file.
    """
    package = f"_sasakit_mutant_{abs(hash(mutant)):x}"
    finder = _Source(package, mutant)
    sys.meta_path.insert(0, finder)
    try:
        return cast(Backend, importlib.import_module(package))
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.startswith(package)]:
            del sys.modules[name]
