"""Imports commands when they are used, so that starting one command does not import all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from cli.common import fail
from shared.security.secrets import NoSecret


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: its name, its place (`module:attribute`, a function or a Typer), and its line in the list of commands.

    The line equals the first line of the command's help.
    """

    name: str
    where: str
    line: str

    def load(self) -> Any:
        """The command itself. Imports its module."""
        module, _, attribute = self.where.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            return get_group(found)
        alone = typer.Typer(add_completion=False)
        alone.command(self.name)(found)
        return get_command(alone)


class _Unloaded(TyperCommand):
    """Stands for a command in the list. The command itself parses its arguments."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.name, help=entry.line)
        self._entry = entry

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        return self._entry.load().make_context(*arguments, **options)


def group_of(entries: Sequence[Entry]) -> type[TyperGroup]:
    """The class of a group with these commands. A missing secret ends any of them with a message."""

    class Group(TyperGroup):
        def __init__(self, **options: Any) -> None:
            super().__init__(**{**options, "commands": [_Unloaded(entry) for entry in entries]})

        def invoke(self, ctx: Any) -> Any:
            try:
                return super().invoke(ctx)
            except NoSecret as error:
                fail(f"{error}.")

    return Group
