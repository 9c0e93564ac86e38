"""Texts: parameters stay plain values, a subject stays one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notification.adapters.letter import Undeliverable
from services.notification.adapters.templates import DIRECTORY, Templates

TEMPLATES = Templates()
HANDED_OVER = {"line": 1, "sku": "SKU-1", "reason": "no supplier", "order_id": "o-1", "order_url": ""}


def test_every_text_exists_in_both_languages():
    files = {file.name for file in DIRECTORY.iterdir()}
    names = {file.partition(".")[0] for file in files}
    assert files == {f"{name}.{locale}.txt" for name in names for locale in ("zh", "en")}


@pytest.mark.parametrize("text", ["{{ 7 * 7 }}", "{% raw %}", "{{ ''.__class__.__mro__ }}", "<b>&amp;</b>"])
def test_a_parameter_is_never_read_as_a_template(text: str):
    _, body = TEMPLATES.render("delivery-handed-over", "en", {**HANDED_OVER, "reason": text})
    assert text in body


def test_a_template_cannot_reach_into_python(tmp_path: Path):
    (tmp_path / "evil.en.txt").write_text("Subject: x\n{{ ''.__class__.__mro__ }}")
    with pytest.raises(Undeliverable, match="unsafe"):
        Templates(tmp_path).render("evil", "en", {})


@given(st.text(min_size=1))
def test_a_subject_is_one_printable_line(amount: str):
    params = {"amount": f"1{amount}\r\nBcc: thief@example.org", "payment": "p-1", "reason": "r"}
    subject, _ = TEMPLATES.render("return-failed", "en", params)
    assert subject.isprintable()
    assert len(subject.splitlines()) == 1


def test_a_missing_parameter_is_an_error_and_not_a_gap():
    with pytest.raises(Undeliverable, match="'sku' is undefined"):
        TEMPLATES.render("stock-low", "en", {"available": 3, "threshold": 5})


@pytest.mark.parametrize("name", ["no-such", "../domain", "a/../../domain"])
def test_only_templates_can_be_named(name: str):
    with pytest.raises(Undeliverable, match="no template"):
        TEMPLATES.render(name, "en", {})


def test_a_file_without_a_subject_is_refused(tmp_path: Path):
    (tmp_path / "bare.en.txt").write_text("Hello")
    with pytest.raises(Undeliverable, match="Subject"):
        Templates(tmp_path).render("bare", "en", {})
