"""The overlays as Kustomize builds them, and what Kubernetes would make of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
K8S = ROOT / "k8s"
OVERLAYS = tuple(sorted(path.name for path in (K8S / "overlays").iterdir()))
Resource = dict[str, Any]


@cache
def built(overlay: str) -> tuple[Resource, ...]:
    """Every resource of an overlay. Skips where there is no kubectl."""
    beside = Path(sys.executable).with_name("kubectl")
    kubectl = str(beside) if beside.exists() else shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl: nothing of k8s/ was built, nor checked")
    command = [kubectl, "kustomize", str(K8S / "overlays" / overlay)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return tuple(yaml.load_all(ran.stdout, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def name_of(resource: Resource) -> str:
    return f"{resource['kind']} {resource['metadata']['name']}"


def of_kind(overlay: str, *kinds: str) -> list[Resource]:
    return [resource for resource in built(overlay) if resource["kind"] in kinds]


def named(overlay: str, kind: str, name: str) -> Resource:
    (found,) = [one for one in of_kind(overlay, kind) if one["metadata"]["name"] == name]
    return found


@cache
def workloads(overlay: str) -> Mapping[str, Resource]:
    """The pods that we describe ourselves, by the name of their Deployment, Job or CronJob."""
    found = of_kind(overlay, "Deployment", "Job", "CronJob")
    return {one["metadata"]["name"]: one["spec"].get("jobTemplate", one)["spec"]["template"] for one in found}


def containers(pod: Resource) -> list[Resource]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def strings(value: Any) -> Iterator[str]:
    """Every text in a resource."""
    match value:
        case str():
            yield value
        case Mapping():
            for inner in value.values():
                yield from strings(inner)
        case list():
            for inner in value:
                yield from strings(inner)


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes a thing with these labels."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_holds(one, labels) for one in selector.get("matchExpressions", ()))


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert expression["operator"] == "In", "the only one in use"
    return labels.get(expression["key"]) in expression["values"]


class Network:
    """What the policies of an overlay let through between pods, which are given by their labels and namespaces."""

    def __init__(self, overlay: str) -> None:
        self._policies = [one["spec"] for one in of_kind(overlay, "NetworkPolicy")]

    def policies_of(self, labels: Mapping[str, str]) -> list[Resource]:
        return [policy for policy in self._policies if selects(policy["podSelector"], labels)]

    def lets(self, source: Mapping[str, str], target: Mapping[str, str], port: int | str) -> bool:
        """Whether a pod may reach a port of another one, both being of our namespace."""
        return self._passes(source, "egress", "to", target, port) and self.lets_in(source, target, port)

    def lets_in(
        self, source: Mapping[str, str], target: Mapping[str, str], port: int | str, namespace: str | None = None
    ) -> bool:
        """Whether a pod takes what comes from one of our namespace, or else from one in another."""
        return self._passes(target, "ingress", "from", source, port, namespace)

    def lets_out(self, source: Mapping[str, str], port: int) -> list[Resource]:
        """The blocks of addresses outside that a pod may reach at a port."""
        rules = [rule for policy in self.policies_of(source) for rule in policy.get("egress", ())]
        opened = [rule for rule in rules if any(one["port"] == port for one in rule["ports"])]
        return [peer["ipBlock"] for rule in opened for peer in rule["to"] if "ipBlock" in peer]

    def _passes(
        self,
        at: Mapping[str, str],
        way: str,
        ends: str,
        other: Mapping[str, str],
        port: int | str,
        namespace: str | None = None,
    ) -> bool:
        rules = [rule for policy in self.policies_of(at) for rule in policy.get(way, ())]
        return any(
            any(one["port"] == port for one in rule["ports"])
            and any(_is_peer(peer, other, namespace) for peer in rule[ends])
            for rule in rules
        )


def _is_peer(peer: Resource, labels: Mapping[str, str], namespace: str | None) -> bool:
    if "ipBlock" in peer:
        return False
    if namespace is None:
        return "namespaceSelector" not in peer and selects(peer["podSelector"], labels)
    known = {"kubernetes.io/metadata.name": namespace}
    return "namespaceSelector" in peer and selects(peer["namespaceSelector"], known)


def ports(containers: Sequence[Resource]) -> set[str]:
    """The names of the ports that they open."""
    return {port["name"] for container in containers for port in container.get("ports", ())}
