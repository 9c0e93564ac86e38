"""Writes the subscriber's event models from `shared/contracts`: `python -m clients.generate`; `--check` only looks.

The models are looser than the contracts: no lengths, no patterns, and a choice may have values that are not known yet,
so that a subscriber survives what we add.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AwareDatetime, BaseModel

from shared.contracts.base import Event, Value
from shared.contracts.registry import anywhere, events

_CONFIG = Path(__file__).parents[1] / "pyproject.toml"
FOLDER = Path(__file__).parent / "python" / "src" / "kameng_subscriber" / "events"
_HEAD = "# Generated from the contracts by `python -m clients.generate`. Not to be edited.\n"
LONGEST = 120
_PLAIN = {str: "str", int: "int", bool: "bool", float: "float", AwareDatetime: "datetime", date: "date", Any: "Any"}
_IMPORTS = {
    "datetime": "from datetime import datetime",
    "date": "from datetime import date",
    "Any": "from typing import Any",
    "Literal": "from typing import Literal",
}


def room(cls: type) -> str:
    """The module that a contract is written to: its owner, or `common` for what all share."""
    owner = cls.__module__.rpartition(".")[2]
    return "common" if owner == "base" else owner


@dataclass
class Module:
    """One module of models while it is written."""

    name: str
    imports: set[str] = field(default_factory=set)
    classes: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def text(self) -> str:
        exported = ", ".join(f'"{name}"' for name in sorted(self.names))
        lines = [
            _HEAD,
            f'"""{self.name.capitalize()}."""\n' if self.name == "common" else f'"""What `{self.name}` tells."""\n',
            "from __future__ import annotations\n",
            *sorted(self.imports),
            f"\n__all__ = [{exported}]\n",
            *self.classes,
        ]
        return "\n".join(lines)


class Writer:
    """Writes each event, and first the values that it is made of."""

    def __init__(self) -> None:
        self.modules: dict[str, Module] = {}
        self._written: set[tuple[type, str]] = set()

    def add(self, cls: type[BaseModel], log: str = "") -> None:
        """`log` is the service, of an event that may stand in any log."""
        if (cls, log) in self._written:
            return
        self._written.add((cls, log))
        place = log or room(cls)
        module = self.modules.setdefault(place, Module(place))
        fields = []
        for name, info in cls.model_fields.items():
            rendered = self._type(info.annotation, module)
            default = "" if info.is_required() else f" = {_default(cls, name, info.get_default())}"
            fields.append(f"    {name}: {rendered}{default}")
        if issubclass(cls, Event):
            base = f'EventData, event_type="kameng.{log or cls.owner}.{cls.type()}", event_key="{cls.key}"'
            module.imports.add("from kameng_subscriber.models import EventData")
        else:
            base = "Model"
            module.imports.add("from kameng_subscriber.models import Model")
        told = cls.__dict__.get("__doc__")
        doc = _docstring(told.strip()) if told else ""
        module.classes.append(f"class {cls.__name__}({base}):\n{doc}" + "\n".join(fields or ["    pass"]) + "\n\n")
        module.names.append(cls.__name__)

    def _type(self, told: Any, module: Module) -> str:
        if told in _PLAIN:
            name = _PLAIN[told]
            if name in _IMPORTS:
                module.imports.add(_IMPORTS[name])
            return name
        if told in (None, NoneType):
            return "None"
        if isinstance(told, type) and issubclass(told, Value):
            self.add(told)
            if room(told) != module.name:
                module.imports.add(f"from kameng_subscriber.events.{room(told)} import {told.__name__}")
            return told.__name__
        inner = get_args(told)
        match get_origin(told):
            case origin if origin is Annotated:
                return self._type(inner[0], module)
            case origin if origin is Literal:
                module.imports.add(_IMPORTS["Literal"])
                return f"Literal[{', '.join(repr(value) for value in inner)}] | str"
            case origin if origin in (Union, UnionType):
                return " | ".join(self._type(one, module) for one in inner)
            case origin if origin is tuple and inner[1:] == (...,):
                return f"tuple[{self._type(inner[0], module)}, ...]"
            case origin if origin is dict:
                return f"dict[{', '.join(self._type(one, module) for one in inner)}]"
        raise TypeError(f"clients.generate does not know how to write {told!r}: teach it")


def _docstring(told: str) -> str:
    """As it stands in the contract; its end goes on a line of its own where it would make the last one too long."""
    is_long = len(told.rpartition("\n")[2]) + len('"""') > LONGEST
    end = "\n    " if is_long else ""
    return f'    """{told}{end}"""\n\n'


def _default(cls: type, name: str, value: Any) -> str:
    if value is None or isinstance(value, str | int | bool) or value in ((), {}):
        return repr(value)
    raise TypeError(f"clients.generate does not know how to write the default of {cls.__name__}.{name}: teach it")


def generated() -> dict[str, str]:
    """The text of every module by its file name."""
    writer = Writer()
    ours = [one for one in events().values() if one.__module__.startswith("shared.contracts.")]
    for cls in sorted(ours, key=lambda one: (one.owner, one.__name__)):
        writer.add(cls)
    sources = sorted({one.owner for one in ours})
    for source in sources:
        for cls in anywhere().values():
            writer.add(cls, source)
    told = ", ".join(f'"{source}"' for source in sources)
    index = (
        f'{_HEAD}"""Every event that is published, by service."""\n\nfrom kameng_subscriber.events import '
        f"{', '.join(sources)}\n\nSOURCES = ({told})\n__all__ = [{told}, 'SOURCES']\n"
    )
    return _formatted({name: module.text() for name, module in writer.modules.items()} | {"__init__": index})


def _formatted(modules: dict[str, str]) -> dict[str, str]:
    with TemporaryDirectory() as made:
        folder = Path(made)
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(text)
        for command in (["check", "--fix", "--select", "I,F401,RUF022"], ["format"]):
            ruff = [sys.executable, "-m", "ruff", *command, "--quiet", "--no-cache", "--config", str(_CONFIG), made]
            subprocess.run(ruff, check=True)  # noqa: S603 - our own command
        return {path.name: path.read_text() for path in folder.glob("*.py")}


def differing(files: dict[str, str]) -> list[str]:
    """The files that are not as they would be written now."""
    there = {path.name: path.read_text() for path in FOLDER.glob("*.py")}
    return sorted(name for name in there.keys() | files.keys() if there.get(name) != files.get(name))


def main(arguments: list[str]) -> int:
    """Write, or with `--check` say what differs; 1 when something does."""
    files = generated()
    found = differing(files)
    if arguments == ["--check"]:
        if found:
            told = ", ".join(found)
            print(
                f"The subscriber's models are not those of shared/contracts ({told}): run `python -m clients.generate`."
            )
        return bool(found)
    FOLDER.mkdir(exist_ok=True)
    for name in found:
        if name in files:
            (FOLDER / name).write_text(files[name])
        else:
            (FOLDER / name).unlink()
    print(f"{len(files)} modules, {len(found)} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
