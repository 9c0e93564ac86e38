"""Bulk imports of products and keys."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from tempfile import TemporaryFile
from typing import IO, Annotated, Any, BinaryIO
from uuid import UUID

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Form, Header, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from pydantic import TypeAdapter, ValidationError

from services.gateway.access.auth import Permission, Principal
from services.gateway.http.answers import ASKED, DECIDED, refusals
from services.gateway.http.context import derived_id
from services.gateway.http.depends import Context, IdempotencyKey, may
from services.gateway.http.parsing import JsonRoute, unread
from services.gateway.http.problems import Problem, not_found
from services.gateway.imports.answers import ImportAnswer
from services.gateway.imports.encodings import codec_of
from services.gateway.imports.importing import Importing, Job, fates_path
from services.gateway.imports.model import BadFile
from services.gateway.imports.templates import TemplateKind, template_xlsx
from services.gateway.settings import GatewaySettings
from shared.values.json_text import NoJson, SaidTwice, check_members

router = APIRouter(prefix="/v1/imports", tags=["imports"], route_class=JsonRoute)
Importer = Annotated[Principal, Depends(may(Permission.IMPORT))]
PIECE = 1024 * 1024
FIELDS = ("file", "dry_run", "mapping", "encoding")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Workbook(Response):
    media_type = XLSX


class CsvFile(FileResponse):
    media_type = "text/csv"


_MAPPING = TypeAdapter(dict[str, str])

File = Annotated[UploadFile, "An .xlsx or .csv file with one header row."]
DryRunField = Annotated[bool, Form(description="Only report every row's fate; change nothing.")]
MappingText = Annotated[
    str | None, Form(max_length=10_000, description='Headers by field, as JSON: {"sku": "商品编号"}')
]
EncodingText = Annotated[
    str | None,
    Form(
        max_length=40,
        description="The encoding of a text file, such as `windows-1251`, if its content does not show it.",
    ),
]
Prefer = Annotated[
    str | None,
    Header(
        max_length=200,
        description="With `respond-async` a new import is answered at once with 202, with `wait=10` after 10 seconds.",
    ),
]
ANSWERED: dict[int | str, dict[str, Any]] = {
    **refusals(*DECIDED),
    202: {"model": ImportAnswer, "description": "The import runs. Read its progress at Location."},
}


async def _importing(request: Request) -> Importing:
    return request.app.state.importing


TheImporting = Annotated[Importing, Depends(_importing)]


async def _dry_run(request: Request, dry_run: DryRunField = False) -> bool:
    """The field `dry_run`. Raises RequestValidationError for unknown fields, repeated fields and an empty `dry_run`,
    which would otherwise count as absent: the import would differ from what the caller meant."""
    form = await request.form()
    faults = [
        _fault("query", name, "an import takes fields of its form, and no parameters") for name in request.query_params
    ]
    for name in form:
        if name not in FIELDS:
            faults.append(_fault("body", name, f"no field of this form: {', '.join(FIELDS)}"))
        elif len(form.getlist(name)) > 1:
            faults.append(_fault("body", name, "expected once"))
    if "" in form.getlist("dry_run"):
        faults.append(_fault("body", "dry_run", "expected true or false"))
    if faults:
        raise RequestValidationError(faults)
    return dry_run


def _fault(where: str, name: str, message: str) -> dict[str, Any]:
    return {"type": "value_error", "loc": (where, name), "msg": message, "input": None}


DryRun = Annotated[bool, Depends(_dry_run)]


def _mapping(text: str | None) -> Mapping[str, str] | None:
    if text is None or not text.strip():
        return None
    try:
        mapping = _MAPPING.validate_json(text, strict=True)
    except ValidationError:
        raise Problem(422, "bad-mapping", "the mapping is a JSON object of headers by field name") from None
    try:
        check_members(text)
    except (SaidTwice, NoJson) as error:
        raise unread(error) from None
    return mapping


def _encoding(text: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    try:
        return codec_of(text)
    except BadFile as error:
        raise Problem(422, error.code, error.detail) from None


def _copy(source: BinaryIO, target: IO[bytes]) -> str:
    """Copy a file. Returns the SHA-256 of its bytes."""
    digest = hashlib.sha256()
    while piece := source.read(PIECE):
        digest.update(piece)
        target.write(piece)
    target.flush()
    return digest.hexdigest()


def _seconds(prefer: str | None, most: float) -> float:
    """How many seconds a request waits for the end of its import (RFC 7240)."""
    parts = [part.partition("=") for part in (prefer or "").lower().split(",")]
    preferences = {name.strip(): value.strip() for name, _, value in parts}
    wait = preferences.get("wait", "")
    if wait.isascii() and wait.isdecimal() and len(wait) < 6:
        return min(float(wait), most)
    return 0 if "respond-async" in preferences else most


class ImportRequest:
    """The parameters of a request to import, except the kind."""

    def __init__(
        self,
        context: Context,
        importing: TheImporting,
        caller: Importer,
        file: File,
        dry_run: DryRun,
        response: Response,
        mapping: MappingText = None,
        encoding: EncodingText = None,
        key: IdempotencyKey = None,
        prefer: Prefer = None,
    ) -> None:
        self._context, self._importing, self._caller, self._response = context, importing, caller, response
        self._file, self._dry_run, self._mapping, self._key = file, dry_run, mapping, key
        self._encoding = encoding
        self._seconds = _seconds(prefer, context.backend.settings.of(GatewaySettings).import_wait_seconds)

    async def answer(self, kind: TemplateKind) -> ImportAnswer:
        """The import, with status 200 when it is over and 202 while it runs. Raises Problem."""
        mapping, encoding = _mapping(self._mapping), _encoding(self._encoding)
        copy = TemporaryFile()  # noqa: SIM115 - it has no name on the disk, and the import closes it
        sha256 = await run_sync(_copy, self._file.file, copy)
        unique = self._key or self._context.backend.ids.new_id()
        named = () if encoding is None else (encoding,)
        import_id = derived_id("import", kind, self._caller.actor, unique, sha256, str(self._dry_run), *named)
        job = Job(
            kind, self._caller, import_id, copy, self._file.filename or "", sha256, self._dry_run, mapping, encoding
        )
        answer = await self._importing.answer(self._context, job, self._seconds)
        self._response.headers["Location"] = f"/v1/imports/{import_id}"
        if answer.state == "running":
            self._response.status_code = 202
            self._response.headers["Retry-After"] = "1"
        return answer


RequestedImport = Annotated[ImportRequest, Depends()]


@router.post("/products", summary="Import products", responses=ANSWERED)
async def products(requested: RequestedImport) -> ImportAnswer:
    """Each row lists or changes a product. The fates say what is wrong with a bad row; it does not stop the others."""
    return await requested.answer("products")


@router.post("/keys", summary="Import card keys", responses=ANSWERED)
async def keys(requested: RequestedImport) -> ImportAnswer:
    """Each row loads a key. Keys are sealed before they leave this process. A key that was loaded before is left
    out."""
    return await requested.answer("keys")


@router.get(
    "/templates/{kind}", summary="Download a workbook to fill in", response_class=Workbook, responses=refusals(*ASKED)
)
async def template(kind: TemplateKind, context: Context, caller: Importer) -> Response:
    name = {"Content-Disposition": f'attachment; filename="{kind}.xlsx"'}
    return Workbook(await run_sync(template_xlsx, kind), headers=name)


@router.get("/{import_id}", summary="Read an import", responses=refusals(*ASKED, 404))
async def one(import_id: UUID, context: Context, importing: TheImporting, caller: Importer) -> ImportAnswer:
    """The progress of a running import, or the result of one that is over. To continue an interrupted import, send the
    same request with the same Idempotency-Key."""
    if (found := await importing.known(context, str(import_id))) is None:
        raise not_found("import")
    return found


@router.get(
    "/{import_id}/fates",
    summary="Download every row's fate as CSV",
    response_class=CsvFile,
    responses=refusals(*ASKED, 404, 409),
)
async def fates(import_id: UUID, context: Context, importing: TheImporting, caller: Importer) -> Response:
    found = await importing.known(context, str(import_id))
    if found is not None and found.state == "running":
        raise Problem(409, "import-running", "the import still runs; its fates can be read when it is over")
    path = fates_path(context, str(import_id))
    if not path.is_file():
        raise not_found("import")
    return CsvFile(path, filename=f"fates-{import_id}.csv")
