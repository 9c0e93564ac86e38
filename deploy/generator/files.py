"""Every file that is made from the list of services, and which of them are stale."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import indent

from deploy.generator import compose, kubernetes
from services import NAMES, all_services

ROOT = Path(__file__).parents[2]
COMMAND = "make generate"
COMPOSE, TARGETS = Path("docker-compose.yml"), Path("deploy/compose/targets/kameng-compose.json")
ALERTS, ALERT_TESTS = Path("deploy/observability/alerts.yml"), Path("deploy/observability/alerts.slow.test.yml")
RULE = Path("k8s/components/monitoring/rules.yaml")
READS = Path("services/reads.py")
HEAD = f"# Generated from the list of services (services/__init__.py) by `{COMMAND}`: change that, not this.\n"
_RULE_HEAD = f"""\
# Generated from deploy/observability/alerts.yml by `{COMMAND}`: change that, not this.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: kameng
  labels: {{app.kubernetes.io/part-of: kameng}}
spec:
"""
_READS_HEAD = f'''\
"""Whose logs each service reads, by its name. Generated from the services' declarations by `{COMMAND}`."""

from __future__ import annotations

READS = {{
'''


def generated() -> dict[Path, str]:
    """Each file's path under the root, and what must be in it. Raises LookupError where a file has lost a marker."""
    alerts = with_regions(ALERTS, {"expected services": _expected()})
    return {
        READS: _reads(),
        COMPOSE: with_regions(COMPOSE, {"settings": compose.settings(), "processes": compose.processes()}),
        TARGETS: json.dumps([{"targets": compose.targets(), "labels": {}}], indent=1) + "\n",
        ALERTS: alerts,
        ALERT_TESTS: with_regions(ALERT_TESTS, {"services that are well": _well()}),
        RULE: _RULE_HEAD + indent(alerts, "  "),
        **{path: HEAD + text for path, text in kubernetes.generated().items()},
    }


def stale() -> dict[Path, str]:
    """The files that are not as they must be, each with what is wrong with it."""
    found = {path: "differs" for path, text in generated().items() if _read(path) != text}
    return found | dict.fromkeys(leftovers(), "is of no service")


def leftovers() -> Iterator[Path]:
    """The files in the folder that holds generated ones only, and that nothing generates any more."""
    wanted = kubernetes.generated()
    for path in sorted((ROOT / kubernetes.FOLDER).rglob("*")):
        if path.is_file() and (here := path.relative_to(ROOT)) not in wanted:
            yield here


def write() -> Sequence[Path]:
    """Write what is stale, and remove what is left over. Which files these were."""
    made = generated()
    changed = sorted(stale())
    for path in changed:
        if path in made:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(made[path], encoding="utf-8")
        else:
            (ROOT / path).unlink()
    return changed


def with_regions(path: Path, regions: Mapping[str, Iterable[str]]) -> str:
    """The file's text with these lines between its markers, `# Generated: <name>` and `# End of <name>`.

    Lines are indented as their marker is. Raises LookupError where a marker is missing.
    """
    text = (ROOT / path).read_text(encoding="utf-8")
    for name, lines in regions.items():
        marked = re.compile(
            rf"(?ms)^(?P<begin>(?P<indent> *)# Generated: {name}\b[^\n]*\n).*?(?P<end>^ *# End of {name}$)"
        )
        found = marked.search(text)
        if found is None:
            raise LookupError(f"{path} lacks the lines `# Generated: {name}` and `# End of {name}`")
        inner = "".join(f"{found['indent']}{line}\n" for line in lines)
        text = text[: found.start()] + found["begin"] + inner + text[found.start("end") :]
    return text


def _read(path: Path) -> str | None:
    return (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).exists() else None


def _reads() -> str:
    rows = (f'    "{one.name}": {_tuple(one.sources())},\n' for one in all_services())
    return _READS_HEAD + "".join(rows) + "}\n"


def _tuple(names: Sequence[str]) -> str:
    """A tuple as the formatter leaves it, however long."""
    if len(names) < 2:
        return "".join(("(", *(f'"{name}",' for name in names), ")"))
    return "(\n" + "".join(f'        "{name}",\n' for name in names) + "    )"


def _expected() -> Iterator[str]:
    for name in NAMES:
        yield f"- {{record: kameng:service:expected, expr: vector(1), labels: {{service: {name}}}}}"


def _well() -> Iterator[str]:
    for name in NAMES:
        for series, value in (
            (f'kameng_leader{{service="{name}", instance="a"}}', 1),
            (f'kameng_leader{{service="{name}", instance="b"}}', 0),
            (f'kameng_log_server_connected{{service="{name}"}}', 1),
        ):
            yield f"- {{series: '{series}', values: '{value}+0x600'}}"
