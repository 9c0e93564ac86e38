"""Commands that are imported when they are used, so that starting one does not cost what all of them need."""

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
    """A command's name, where it is (`module:attribute`, a function or a Typer), and its line in the list of commands.

    The line is the first of the command's own help.
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
    """Stands in the list for a command; parsing its arguments is left to the command."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.name, help=entry.line)
        self._entry = entry

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        return self._entry.load().make_context(*arguments, **options)


def group_of(entries: Sequence[Entry]) -> type[TyperGroup]:
    """The class of a group that has these commands. A secret that can't be had ends any of them with a sentence."""

    class Group(TyperGroup):
        def __init__(self, **options: Any) -> None:
            super().__init__(**{**options, "commands": [_Unloaded(entry) for entry in entries]})

        def invoke(self, ctx: Any) -> Any:
            try:
                return super().invoke(ctx)
            except NoSecret as error:
                fail(f"{error}.")

    return Group
