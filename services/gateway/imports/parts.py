"""The parts of a workbook that its sheets lean on: which sheet is first, the shared texts, the styles of dates."""

from __future__ import annotations

import posixpath
import re
from datetime import datetime

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900

from services.gateway.imports.archive import Archive
from services.gateway.imports.markup import local, parse
from services.gateway.imports.model import MAX_CELL_CHARACTERS, BadFile

MAX_SHARED_STRINGS = 3_000_000
MAX_SHARED_CHARACTERS = 64_000_000
SMALL_PART_BYTES = 16_000_000

STYLES = "xl/styles.xml"
STRINGS = "xl/sharedStrings.xml"
_WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"
_BUILTIN = {str(number): code for number, code in BUILTIN_FORMATS.items()}
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def _ignore(_: str) -> None:
    pass


def first_sheet(archive: Archive) -> tuple[str, datetime]:
    """The first sheet's part and the day its dates count from."""
    sheets: list[str] = []
    calendars = [CALENDAR_WINDOWS_1900]
    targets: dict[str, str] = {}

    def in_workbook(name: str, attributes: dict[str, str]) -> None:
        if local(name) == "sheet":
            sheets.extend(value for key, value in attributes.items() if local(key) == "id" and key != "id")
        elif local(name) == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            calendars.append(CALENDAR_MAC_1904)

    def in_relations(name: str, attributes: dict[str, str]) -> None:
        if local(name) == "Relationship":
            targets[attributes.get("Id", "")] = attributes.get("Target", "")

    parse(archive.chunks(_WORKBOOK, SMALL_PART_BYTES), in_workbook, _ignore, _ignore)
    parse(archive.chunks(_RELATIONS, SMALL_PART_BYTES), in_relations, _ignore, _ignore)
    if not sheets or sheets[0] not in targets:
        raise BadFile("not-a-workbook", "The workbook has no sheet.")
    return posixpath.normpath(posixpath.join("/xl", targets[sheets[0]])).lstrip("/"), calendars[-1]


def date_styles(archive: Archive) -> frozenset[str]:
    """The numbers of the cell styles that show a number as a date."""
    formats: dict[str, str] = {}
    dated: set[str] = set()
    styles = 0
    within = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal within, styles
        match local(name):
            case "numFmt":
                formats[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")[:255]
            case "cellXfs":
                within = True
            case "xf" if within:
                number = attributes.get("numFmtId", "0")
                builtin = _BUILTIN.get(number, "General")
                if is_date_format(formats.get(number, builtin)):
                    dated.add(str(styles))
                styles += 1

    def end(name: str) -> None:
        nonlocal within
        within = within and local(name) != "cellXfs"

    parse(archive.chunks(STYLES, SMALL_PART_BYTES), start, end, _ignore)
    return frozenset(dated)


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


def shared_strings(archive: Archive) -> list[str]:
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

    parse(archive.chunks(STRINGS), start, end, text.add)
    return strings
