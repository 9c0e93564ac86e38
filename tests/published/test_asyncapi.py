"""The AsyncAPI document by the AsyncAPI project's own parser, where Node.js is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from shared.published.event_versions import event_versions
from shared.published.files import ASYNCAPI, HOME
from tests.published.asyncapi import ROOT, Unavailable, problems
from tests.waiting import PATIENCE

DOCUMENT = json.loads((HOME / ASYNCAPI).read_text(encoding="utf-8"))


def parsed(document: Path) -> list[dict[str, Any]]:
    try:
        return problems(document)
    except Unavailable as unavailable:
        pytest.skip(str(unavailable))


def test_it_is_valid() -> None:
    assert parsed(HOME / ASYNCAPI) == []


def test_a_document_that_is_not_valid_is_refused(tmp_path: Path) -> None:
    broken = DOCUMENT | {"operations": {"send.nothing": {"action": "sing", "channel": {"$ref": "#/channels/nothing"}}}}
    (tmp_path / ASYNCAPI).write_text(json.dumps(broken), encoding="utf-8")

    found = parsed(tmp_path / ASYNCAPI)

    assert any(one["path"].startswith("operations/send.nothing") for one in found)


@pytest.mark.parametrize("key", DOCUMENT["components"]["messages"])
def test_its_examples_fit_its_schemas(key: str) -> None:
    """The parser does not look at examples of AsyncAPI 3."""
    schema = {"$ref": f"#/components/schemas/{key}", "components": DOCUMENT["components"]}

    (example,) = DOCUMENT["components"]["messages"][key]["examples"]

    assert list(Draft7Validator(schema).iter_errors(example["payload"])) == []
    assert not Draft7Validator(schema).is_valid({})


def test_every_version_that_is_sent_has_a_channel() -> None:
    keys = {version.key for version in event_versions() if version.is_sent}

    assert {channel["address"] for channel in DOCUMENT["channels"].values()} == keys
    assert set(DOCUMENT["components"]["messages"]) == keys


def test_without_node_it_says_that_nothing_was_validated(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.published.asyncapi"], cwd=ROOT, env={"PATH": str(tmp_path)},
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip

    assert done.returncode == 0
    assert "SKIPPED: docs/events/asyncapi.json was not validated: no node on PATH" in done.stderr
