"""Bulk imports of products and keys."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Annotated, Any, BinaryIO
from uuid import UUID

import sqlalchemy as sa
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Form, UploadFile
from fastapi.responses import FileResponse, Response
from pydantic import TypeAdapter, ValidationError

from services.gateway.api.depends import IdempotencyKey, TheGate, may
from services.gateway.api.gate import Gate, derived_id
from services.gateway.auth import Permission, Principal
from services.gateway.imports.keys import KeySealing
from services.gateway.imports.model import BadFile
from services.gateway.imports.report import Report
from services.gateway.imports.run import import_keys, import_products
from services.gateway.imports.sheets import read_rows
from services.gateway.imports.templates import TemplateKind, template_xlsx
from services.gateway.problems import Problem, not_found
from services.gateway.tables.people import imports
from shared.contracts import Command, Metadata
from shared.contracts.gateway import RecordImport
from shared.messaging.port import CommandMessage, Reply
from shared.security.sealing import keypair_from_secret

router = APIRouter(prefix="/v1/imports", tags=["imports"])
Importer = Annotated[Principal, Depends(may(Permission.IMPORT))]
PIECE = 1024 * 1024
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MAPPING = TypeAdapter(dict[str, str])

File = Annotated[UploadFile, "An .xlsx or .csv file with one header row."]
DryRun = Annotated[bool, Form(description="Only tell every row's fate; change nothing.")]
MappingText = Annotated[
    str | None, Form(max_length=10_000, description='Headers by field, as JSON: {"sku": "商品编号"}')
]


def _mapping(text: str | None) -> Mapping[str, str] | None:
    if text is None or not text.strip():
        return None
    try:
        return _MAPPING.validate_json(text, strict=True)
    except ValidationError:
        raise Problem(422, "bad-mapping", "the mapping is a JSON object of headers by field name") from None


def _fates(gate: Gate, import_id: str) -> Path:
    folder = gate.backend.settings.var / "imports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{import_id}.csv"


def _copy(source: BinaryIO, target: IO[bytes]) -> str:
    """Copy a file; the SHA-256 of its bytes."""
    digest = hashlib.sha256()
    while piece := source.read(PIECE):
        digest.update(piece)
        target.write(piece)
    target.flush()
    return digest.hexdigest()


class _Sender:
    """Sends an import's commands, and remembers how far they moved inventory's log."""

    def __init__(self, gate: Gate, caller: Principal, import_id: str) -> None:
        self._gate, self._caller, self._import_id = gate, caller, import_id
        self._reached = 0

    async def __call__(self, command_id: str, command: Command) -> Reply:
        meta = Metadata(correlation_id=self._import_id, causation_id=command_id, actor=self._caller.actor)
        reply = await self._gate.backend.send(command.owner, CommandMessage(command_id, command, meta))
        self._reached = max(self._reached, reply.position)
        return reply

    async def seen(self) -> None:
        """Wait until the read models show what was imported."""
        await self._gate.backend.seen("inventory", self._reached)


def _sealing(gate: Gate) -> KeySealing:
    secrets = gate.backend.secrets
    public = keypair_from_secret(secrets.get("fulfillment-sealing")).public
    return KeySealing(public, secrets.get("blind-index"), gate.backend.ports.random_bytes)


async def _import(
    kind: TemplateKind,
    gate: Gate,
    caller: Principal,
    file: UploadFile,
    dry_run: bool,
    mapping: str | None,
    key: str | None,
) -> dict[str, Any]:
    headers = _mapping(mapping)
    with NamedTemporaryFile() as copy:  # mode 0600, and gone at the end: it may hold keys in the clear
        sha256 = await run_sync(_copy, file.file, copy)
        unique = key or gate.backend.ports.new_id()
        import_id = derived_id("import", kind, caller.actor, unique, sha256, str(dry_run))
        if done := await _recorded(gate, import_id):
            return {**done, "replayed": True}
        try:
            sheet = await run_sync(read_rows, Path(copy.name), file.filename or "")
            report = await _run(kind, gate, caller, sheet, import_id, dry_run, headers)
        except BadFile as error:
            raise Problem(422, error.code, error.detail) from None
    if not dry_run:
        await gate.send(
            RecordImport,
            caller,
            import_id,
            import_id=import_id,
            kind=kind,
            file_sha256=sha256,
            fates={fate: count for fate, count in report.counts.items() if count},
        )
    return {"import_id": import_id, "kind": kind, "dry_run": dry_run, "file_sha256": sha256, **_rendered(report)}


async def _run(
    kind: TemplateKind,
    gate: Gate,
    caller: Principal,
    sheet: Any,
    import_id: str,
    dry_run: bool,
    mapping: Mapping[str, str] | None,
) -> Report:
    send, fates = _Sender(gate, caller, import_id), _fates(gate, import_id)
    if kind == "products":
        report = await import_products(sheet, send, import_id=import_id, fates=fates, dry_run=dry_run, mapping=mapping)
    else:
        report = await import_keys(
            sheet,
            send,
            _sealing(gate),
            import_id=import_id,
            new_id=gate.backend.ports.new_id,
            fates=fates,
            dry_run=dry_run,
            mapping=mapping,
        )
    await send.seen()
    return report


def _rendered(report: Report) -> dict[str, Any]:
    broken = report.broken
    return {
        "rows": report.rows,
        "counts": dict(report.counts),
        "problems": [asdict(problem) for problem in report.problems],
        "ignored_columns": list(report.ignored),
        "broken": {"code": broken.code, "detail": broken.detail} if broken else None,
    }


@router.post("/products", summary="Import products")
async def products(
    gate: TheGate,
    caller: Importer,
    file: File,
    dry_run: DryRun = False,
    mapping: MappingText = None,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Lists or changes a product a row. A bad row has its reason in the fates, and hinders no other."""
    return await _import("products", gate, caller, file, dry_run, mapping, key)


@router.post("/keys", summary="Import card keys")
async def keys(
    gate: TheGate,
    caller: Importer,
    file: File,
    dry_run: DryRun = False,
    mapping: MappingText = None,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Keys are sealed before they leave this process. A key that was loaded before is left out."""
    return await _import("keys", gate, caller, file, dry_run, mapping, key)


async def _recorded(gate: Gate, import_id: str) -> dict[str, Any] | None:
    return await gate.row(sa.select(imports).where(imports.c.import_id == import_id))


@router.get("/templates/{kind}", summary="A workbook to fill in", response_class=Response)
async def template(kind: TemplateKind, gate: TheGate, caller: Importer) -> Response:
    name = {"Content-Disposition": f'attachment; filename="{kind}.xlsx"'}
    return Response(await run_sync(template_xlsx, kind), media_type=XLSX, headers=name)


@router.get("/{import_id}", summary="Read an import")
async def one(import_id: UUID, gate: TheGate, caller: Importer) -> dict[str, Any]:
    done = await _recorded(gate, str(import_id))
    if done is None:
        raise not_found("import")
    return done


@router.get("/{import_id}/fates", summary="Every row's fate, as CSV", response_class=FileResponse)
async def fates(import_id: UUID, gate: TheGate, caller: Importer) -> Response:
    path = _fates(gate, str(import_id))
    if not path.is_file():
        raise not_found("import")
    return FileResponse(path, media_type="text/csv; charset=utf-8", filename=f"fates-{import_id}.csv")
