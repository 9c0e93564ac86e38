"""The parts of a workbook besides its rows: which sheet is read, the shared texts, the number formats."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from datetime import datetime

from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900

from services.gateway.imports.archive import Archive
from services.gateway.imports.formats import Format, format_of
from services.gateway.imports.markup import boolean, local, parse, unsigned
from services.gateway.imports.model import MAX_CELL_CHARACTERS, BadFile, Note

MAX_SHARED_STRINGS = 3_000_000
MAX_SHARED_CHARACTERS = 64_000_000
SMALL_PART_BYTES = 16_000_000

_ROOT = "_rels/.rels"
_WORKBOOK, _STYLES, _STRINGS = "xl/workbook.xml", "xl/styles.xml", "xl/sharedStrings.xml"
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def _ignore(_: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Parts:
    """The names of the parts to read, the day that dates count from, and what is not read."""

    sheet: str
    styles: str | None
    strings: str | None
    calendar: datetime
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class _Link:
    id: str
    kind: str
    target: str


def parts_of(archive: Archive) -> Parts:
    """The first visible sheet and the parts that it needs. Raises BadFile."""
    links = _links(archive, _ROOT, "") if _ROOT in archive else []
    workbook = next((link.target for link in links if link.kind == "officeDocument"), _WORKBOOK)
    folder, name = posixpath.split(workbook)
    own = _links(archive, posixpath.join(folder, "_rels", f"{name}.rels"), folder)
    by_id = {link.id: link for link in own}
    shown: list[str] = []
    hidden = 0
    calendar = CALENDAR_WINDOWS_1900

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal hidden, calendar
        if local(tag) == "workbookPr" and boolean(attributes.get("date1904", "0")):
            calendar = CALENDAR_MAC_1904
        elif local(tag) == "sheet":
            id_ = next((value for key, value in attributes.items() if local(key) == "id" and key != "id"), "")
            link = by_id.get(id_)
            if link is None or link.kind != "worksheet":
                return  # a chart, or a macro's dialog
            if attributes.get("state", "visible") == "visible":
                shown.append(link.target)
            else:
                hidden += 1

    parse(archive.chunks(workbook, SMALL_PART_BYTES), start, _ignore, _ignore)
    if not shown:
        raise BadFile("not-a-workbook", "The workbook has no visible sheet.")
    notes: list[Note] = []
    if len(shown) > 1:
        notes.append(Note("other-sheets", len(shown) - 1, "Only the first visible sheet is read."))
    if hidden:
        notes.append(Note("hidden-sheets", hidden, "Hidden sheets are not read."))
    named = {link.kind: link.target for link in own}
    styles, strings = named.get("styles", _STYLES), named.get("sharedStrings", _STRINGS)
    return Parts(
        shown[0],
        styles if styles in archive else None,
        strings if strings in archive else None,
        calendar,
        tuple(notes),
    )


def _links(archive: Archive, part: str, folder: str) -> list[_Link]:
    found: list[_Link] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if local(tag) == "Relationship" and attributes.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", ""))).lstrip("/")
            found.append(_Link(attributes.get("Id", ""), posixpath.basename(attributes.get("Type", "")), target))

    parse(archive.chunks(part, SMALL_PART_BYTES), start, _ignore, _ignore)
    return found


def formats(archive: Archive, styles: str) -> list[Format]:
    """The number formats of the cell styles, in their order."""
    codes: dict[str, str] = {}
    found: list[Format] = []
    within = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal within
        match local(name):
            case "numFmt":
                codes[str(unsigned(attributes.get("numFmtId", "")))] = attributes.get("formatCode", "")
            case "cellXfs":
                within = True
            case "xf" if within:
                found.append(format_of(str(unsigned(attributes.get("numFmtId", "0"))), codes))

    def end(name: str) -> None:
        nonlocal within
        within = within and local(name) != "cellXfs"

    parse(archive.chunks(styles, SMALL_PART_BYTES), start, end, _ignore)
    return found


class Text:
    """Gathers the characters of one element, within the length of a cell."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self.open = False

    def add(self, piece: str) -> None:
        if not self.open:
            return
        self._length += len(piece)
        if self._length > MAX_CELL_CHARACTERS:
            raise BadFile("cell-too-long", f"A cell holds more than {MAX_CELL_CHARACTERS} characters.")
        self._pieces.append(piece)

    def take(self) -> str:
        text = "".join(self._pieces)
        self._pieces.clear()
        self._length = 0
        return text


def unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def shared_strings(archive: Archive, part: str) -> list[str]:
    strings: list[str] = []
    text = Text()
    phonetic = False
    characters = 0

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal phonetic
        match local(name):
            case "t":
                text.open = not phonetic
            case "rPh":
                phonetic = True

    def end(name: str) -> None:
        nonlocal phonetic, characters
        match local(name):
            case "t":
                text.open = False
            case "rPh":
                phonetic = False
            case "si":
                strings.append(unescaped(text.take()))
                characters += len(strings[-1])
                if len(strings) > MAX_SHARED_STRINGS or characters > MAX_SHARED_CHARACTERS:
                    raise BadFile("too-many-cells", "The workbook holds too many texts.")

    parse(archive.chunks(part), start, end, text.add)
    return strings
