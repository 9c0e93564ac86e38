"""The library as others have it: built and installed alone, and the documented sample run against `kameng serve`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from demo.shop import answer_of
from kameng_subscriber import Feed, Misconfigured, Unavailable
from tests.platform.market import ServedMarket, open_market
from tests.waiting import PATIENCE, wait_for

ROOT = Path(__file__).parents[2]
LIBRARY, SAMPLE = ROOT / "clients" / "python", ROOT / "docs" / "samples" / "sales.py"
NAME, PASSWORD = "sales-report", "a password of twelve"
ALONE = """
import importlib.util, sys
import kameng_subscriber
for stranger in ("cli", "demo", "shared", "services", "nameko", "kombu", "eventlet", "sqlalchemy"):
    assert importlib.util.find_spec(stranger) is None, stranger
print(kameng_subscriber.__file__)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter whose environment holds the built wheel and what it depends on, nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    python = folder / "venv" / "bin" / "python"
    for command in (
        ("build", "--wheel", "--out-dir", str(folder), str(LIBRARY)),
        ("venv", str(folder / "venv")),
        ("pip", "install", "--python", str(python), "--find-links", str(folder), "kameng-subscriber"),
    ):
        done = subprocess.run([uv, "--quiet", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return python


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedMarket]:
    """A shop that sells, with an account for the subscriber."""
    with open_market(tmp_path_factory.mktemp("market")) as opened:
        opened.run(opened.stock({"CARD": [f"CARD-{number}" for number in range(20)]}))
        account = {"username": NAME, "role": "subscriber", "password": PASSWORD}
        answer_of(opened.run(opened.staff["administrator"].post("/v1/staff", json=account)))
        yield opened


def sell(market: ServedMarket, count: int) -> list[str]:
    """Orders that are completed. Their ids."""

    async def buy() -> list[str]:
        (buyer,) = await market.customers(1, 10_000 * count)
        placed = [await buyer.place([{"sku": "CARD", "quantity": 2}]) for _ in range(count)]
        return [(await buyer.ended(order["order_id"]))["order_id"] for order in placed]

    return market.run(buy())


@contextmanager
def sample(
    python: Path, market: ServedMarket, folder: Path, password: str = PASSWORD
) -> Iterator[subprocess.Popen[str]]:
    """The sample, which prints to `out` in the folder."""
    environment = {
        "PATH": os.environ["PATH"],
        "KAMENG_URL": market.address,
        "KAMENG_USERNAME": NAME,
        "KAMENG_PASSWORD": password,
    }
    with (folder / "out").open("w") as out:
        process = subprocess.Popen(
            [python, SAMPLE], cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT, text=True
        )
    yield process
    process.kill()
    process.wait()


def completed(folder: Path) -> list[str]:
    """The orders that it told of, as often as it did."""
    lines = [line.split() for line in (folder / "out").read_text().splitlines()]
    return [words[2] for words in lines if words[1:2] == ["order"]]


def test_it_is_installed_alone(python: Path) -> None:
    ran = subprocess.run([python, "-c", ALONE], cwd="/", capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert str(python.parents[1]) in ran.stdout


def test_the_sample_tells_of_each_sale_once(python: Path, market: ServedMarket, tmp_path: Path) -> None:
    before = sell(market, 2)
    with sample(python, market, tmp_path) as process:
        wait_for(lambda: len(completed(tmp_path)) == 2)
        later = sell(market, 1)
        wait_for(lambda: len(completed(tmp_path)) == 3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0, (tmp_path / "out").read_text()
    assert completed(tmp_path) == [*before, *later]
    assert (tmp_path / "out").read_text().splitlines()[-1].split() == ["CARD", "6", "60.00"]

    again = sell(market, 1)
    with sample(python, market, tmp_path) as process:
        wait_for(lambda: completed(tmp_path) == again)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0, (tmp_path / "out").read_text()
    assert (tmp_path / "out").read_text().splitlines()[-1].split() == ["CARD", "8", "80.00"]


def test_a_wrong_password_is_said(python: Path, market: ServedMarket, tmp_path: Path) -> None:
    with sample(python, market, tmp_path, password="another") as process:
        assert process.wait(PATIENCE) == 1
    assert (tmp_path / "out").read_text() == "the gateway refuses this name and password\n"


# The feed


def test_it_reads_every_log_from_its_first_event(market: ServedMarket) -> None:
    feed = Feed(market.address, NAME, PASSWORD)
    heads = market.platform.heads()
    assert heads["gateway"] > 4
    for source, head in heads.items():
        items = [item for page in feed.pages(source, 0) for item in page.items]
        assert [int(item["sequence"]) for item in items][:head] == [*range(1, head + 1)]
    (page,) = feed.pages("gateway", heads["gateway"] - 1)
    assert int(page.items[0]["sequence"]) == heads["gateway"]


def test_it_finds_where_a_log_ends(market: ServedMarket) -> None:
    feed = Feed(market.address, NAME, PASSWORD)
    heads = market.platform.heads()
    for source, head in heads.items():
        assert feed.end(source, 0) >= head
        assert feed.end(source, 10**6) == 10**6
    (ends,) = {feed.end("inventory", after) for after in (0, 1, heads["inventory"])}
    assert not list(feed.pages("inventory", ends))


def test_an_account_of_another_role_learns_which_it_needs(market: ServedMarket) -> None:
    account = {"username": "support-1", "role": "support", "password": PASSWORD}
    answer_of(market.run(market.staff["administrator"].post("/v1/staff", json=account)))
    with pytest.raises(Misconfigured, match="needs the role `subscriber`"):
        next(Feed(market.address, "support-1", PASSWORD).pages("order", 0))


def test_a_token_that_ended_is_renewed(market: ServedMarket) -> None:
    feed = Feed(market.address, NAME, PASSWORD)
    feed._token = "over"
    assert next(feed.pages("gateway", 0)).items


def test_a_gateway_that_is_not_there_may_come() -> None:
    with pytest.raises(Unavailable):
        next(Feed("http://127.0.0.1:1", NAME, PASSWORD).pages("order", 0))


def test_what_is_no_gateway_is_said(market: ServedMarket) -> None:
    with pytest.raises(Misconfigured):
        Feed("ftp://nowhere", NAME, PASSWORD)
    with pytest.raises(Misconfigured, match="404"):
        next(Feed(f"{market.address}/elsewhere", NAME, PASSWORD).pages("order", 0))
    assert httpx.get(market.address).is_success
