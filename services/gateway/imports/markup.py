"""Parses XML in pieces, with an expat parser that refuses document types, entities and endless tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from xml.parsers import expat

from services.gateway.imports.model import BadFile

MAX_TOKEN_BYTES = 1 << 20
_BLANKS = " \t\r\n"
_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}
_UNSIGNED = re.compile(r"\+?0*\d{1,10}", re.ASCII)

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]
Characters = Callable[[str], None]


def _refuse_doctype(*_: object) -> None:
    raise BadFile("hostile-xml", "The file declares a document type or entities.")


def feed(chunks: Iterable[bytes], start: Start, end: End, characters: Characters) -> Iterator[None]:
    """Parse piece by piece, yielding after each. Raises BadFile for broken or hostile XML."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_doctype
    fed = 0
    try:
        for chunk in chunks:
            parser.Parse(chunk, False)
            fed += len(chunk)
            if fed - parser.CurrentByteIndex > MAX_TOKEN_BYTES:
                raise BadFile("hostile-xml", "The file has an element or attribute of more than 1 MB.")
            yield
        parser.Parse(b"", True)
        yield
    except expat.ExpatError as error:
        raise BadFile("damaged-file", "The file has a part that is not well-formed XML.") from error


def parse(chunks: Iterable[bytes], start: Start, end: End, characters: Characters) -> None:
    """Parse to the end."""
    for _ in feed(chunks, start, end, characters):
        pass


def local(name: str) -> str:
    """A tag's or attribute's name without its namespace prefix."""
    return name.rpartition(":")[2]


def boolean(written: str) -> bool:
    """An xsd:boolean, blanks around it aside. Raises BadFile."""
    found = _BOOLEANS.get(written.strip(_BLANKS))
    if found is None:
        raise BadFile("damaged-file", "The file says neither yes nor no where one of them belongs.")
    return found


def unsigned(written: str) -> int:
    """An xsd:unsignedInt, blanks around it aside. Raises BadFile."""
    if not _UNSIGNED.fullmatch(written.strip(_BLANKS)):
        raise BadFile("damaged-file", "The file has no whole number where one belongs.")
    return int(written)


def is_zero(written: str) -> bool:
    """Whether an xsd:double is zero. Raises BadFile."""
    try:
        return float(written) == 0
    except ValueError:
        raise BadFile("damaged-file", "The file has no number where one belongs.") from None
