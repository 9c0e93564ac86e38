import multiprocessing
import stat
from pathlib import Path

import pytest

from shared.security.secrets import NoSecret, Secrets
from tests.waiting import PATIENCE


def _ask(directory: Path, barrier, answers) -> None:
    barrier.wait()
    answers.put(Secrets(directory).get("tokens"))


def test_a_secret_is_made_once_and_stays(tmp_path: Path) -> None:
    made = Secrets(tmp_path / "secrets").get("tokens")

    assert len(made) == 32
    assert Secrets(tmp_path / "secrets").get("tokens") == made
    assert Secrets(tmp_path / "secrets").get("webhook") != made


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    data = tmp_path / "data"
    Secrets(data / "secrets").get("tokens")

    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "secrets" / "tokens").stat().st_mode) == 0o600
    assert [path.name for path in (data / "secrets").iterdir()] == ["tokens"]


def test_processes_that_race_get_the_same_bytes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(3), context.Queue()
    racers = [context.Process(target=_ask, args=(tmp_path / "secrets", barrier, answers)) for _ in range(3)]
    for racer in racers:
        racer.start()
    got = {answers.get(timeout=PATIENCE) for _ in racers}
    for racer in racers:
        racer.join()

    assert len(got) == 1


def test_whoever_links_second_takes_the_first_ones_bytes(tmp_path: Path) -> None:
    def meanwhile(length: int) -> bytes:
        (tmp_path / "tokens").write_bytes(b"f" * length)
        return b"s" * length

    assert Secrets(tmp_path, meanwhile).get("tokens") == b"f" * 32
    assert [path.name for path in tmp_path.iterdir()] == ["tokens"]


def test_an_operators_own_secret_counts(tmp_path: Path) -> None:
    (tmp_path / "supplier-north").write_bytes(b"given to us by the supplier")

    assert Secrets(tmp_path).get("supplier-north") == b"given to us by the supplier"


def test_one_that_is_missing_where_none_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("no folder")

    with pytest.raises(NoSecret, match="secrets/tokens is missing and can't be made"):
        Secrets(tmp_path / "secrets").get("tokens")


def test_a_truncated_file_is_not_a_secret(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_bytes(b"")

    with pytest.raises(NoSecret, match="too short"):
        Secrets(tmp_path).get("tokens")


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokens").mkdir()

    with pytest.raises(NoSecret, match="tokens can't be read: Is a directory"):
        Secrets(tmp_path).get("tokens")


@pytest.mark.parametrize("name", ["", "../tokens", "a/b", ".hidden", "line\nbreak"])
def test_unfit_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NoSecret, match="cannot name"):
        Secrets(tmp_path).get(name)


def test_text_is_url_safe_and_repr_hides(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path, lambda length: b"\xff" * length)

    assert secrets.text("tokens") == "_" * 42 + "8"
    assert secrets.text("tokens") not in repr(secrets)
    assert "xff" not in repr(secrets)
