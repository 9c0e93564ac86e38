"""Message texts: `templates/<name>.<locale>.txt`, the first line of which is `Subject: ...`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateError, TemplateNotFound
from jinja2.sandbox import SandboxedEnvironment

from services.notification.adapters.letter import Undeliverable

DIRECTORY = Path(__file__).parent.parent / "templates"
SUBJECT = "Subject:"


class Templates:
    """Renders messages. Parameters are plain values, and are never interpreted as templates."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._loader = FileSystemLoader(directory)
        # The texts are plain text, in which HTML escapes would be visible.
        self._environment = SandboxedEnvironment(
            autoescape=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._parts = cache(self._read)

    def render(self, name: str, locale: str, params: Mapping[str, str | int]) -> tuple[str, str]:
        """The subject, always one line, and the text. Raises Undeliverable."""
        try:
            subject, text = self._parts(f"{name}.{locale}.txt")
            return _one_line(subject.render(params)), text.render(params).strip() + "\n"
        except TemplateNotFound as error:
            raise Undeliverable(f"no template is called {name}") from error
        except TemplateError as error:
            raise Undeliverable(f"template {name}: {error}") from error

    def _read(self, file: str) -> tuple[Template, Template]:
        source, _, _ = self._loader.get_source(self._environment, file)
        first, _, rest = source.partition("\n")
        if not first.startswith(SUBJECT):
            raise TemplateError(f"{file} does not begin with {SUBJECT}")
        subject = first.removeprefix(SUBJECT).strip()
        return self._environment.from_string(subject), self._environment.from_string(rest)


def _one_line(subject: str) -> str:
    words = "".join(char if char.isprintable() else " " for char in subject).split()
    return " ".join(words)
