"""What we ask of every pod of ours, whatever Kubernetes would take."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cli.__main__ import COMMANDS
from cli.common import HTTP_END_SECONDS
from cli.secrets import GROUPS
from services import NAMES, all_services
from services.gateway.http.limits import IMPORT_LIMIT
from services.gateway.orders.long_poll import LONGEST_SECONDS
from shared.broker import amqp, publisher
from shared.eventstore.engines import CONNECTING
from shared.runtime.cluster import broker_connection, leader_session
from shared.runtime.cluster.settings import ClusterSettings
from shared.runtime.settings import Settings
from tests.deploy.static.built import (
    OVERLAYS,
    ROOT,
    Network,
    Resource,
    built,
    containers,
    name_of,
    named,
    of_kind,
    ports,
    selects,
    strings,
    workloads,
)

PODS = [(overlay, name) for overlay in OVERLAYS for name in workloads(overlay)]
DEPLOYED = [(overlay, one["metadata"]["name"]) for overlay in OVERLAYS for one in of_kind(overlay, "Deployment")]
CALLING = {service.name for service in all_services() if service.effects}
each_pod = pytest.mark.parametrize(("overlay", "name"), PODS)
each_deployment = pytest.mark.parametrize(("overlay", "name"), DEPLOYED)
MONITORING, INGRESS = "monitoring", "ingress"


def pod_of(overlay: str, name: str) -> Resource:
    return workloads(overlay)[name]


def labels_of(overlay: str, name: str) -> dict[str, str]:
    return pod_of(overlay, name)["metadata"]["labels"]


@each_pod
def test_it_is_restricted(overlay: str, name: str) -> None:
    spec = pod_of(overlay, name)["spec"]

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert not [volume for volume in spec["volumes"] if "hostPath" in volume]
    for container in containers(pod_of(overlay, name)):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@each_pod
def test_it_has_requests_and_limits_also_of_what_it_writes(overlay: str, name: str) -> None:
    for container in containers(pod_of(overlay, name)):
        resources = container["resources"]
        assert {"cpu", "memory"} == resources["requests"].keys() == resources["limits"].keys()
    for volume in pod_of(overlay, name)["spec"]["volumes"]:
        assert "emptyDir" not in volume or "sizeLimit" in volume["emptyDir"]


@each_deployment
def test_it_has_probes_at_a_port_that_it_opens(overlay: str, name: str) -> None:
    (container,) = containers(pod_of(overlay, name))
    probes = {kind: container[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    assert {probe["port"] for probe in probes.values()} <= ports([container])


@each_deployment
def test_it_has_longer_to_end_than_its_slowest_handler(overlay: str, name: str) -> None:
    database = CONNECTING["tcp_user_timeout"] / 1000
    slowest = {
        "writer": leader_session.SETTLE_SECONDS + database + broker_connection.ANSWER_SECONDS,
        "publisher": publisher.SETTLE_SECONDS + database + amqp.CONNECT_SECONDS,
        "log-server": database + amqp.CONNECT_SECONDS,
        "webhooks": publisher.SETTLE_SECONDS + database + amqp.CONNECT_SECONDS,
        "gateway-http": HTTP_END_SECONDS + database + amqp.CONNECT_SECONDS,
    }
    spec = pod_of(overlay, name)["spec"]
    (container,) = spec["containers"]
    sleeps = int(container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", (0, 0))[1])
    needs = slowest[labels_of(overlay, name)["app.kubernetes.io/component"]]

    assert spec["terminationGracePeriodSeconds"] > sleeps + needs


@each_deployment
def test_it_spreads_and_may_be_disrupted_one_at_a_time(overlay: str, name: str) -> None:
    labels = labels_of(overlay, name)
    spread = pod_of(overlay, name)["spec"]["topologySpreadConstraints"]
    budgets = [one for one in of_kind(overlay, "PodDisruptionBudget") if selects(one["spec"]["selector"], labels)]
    deployment = named(overlay, "Deployment", name)

    assert {one["topologyKey"] for one in spread} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert all(selects(one["labelSelector"], labels) for one in spread)
    assert [name_of(one) for one in budgets] == [f"PodDisruptionBudget {name}"]
    assert budgets[0]["spec"]["maxUnavailable"] == 1
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    # In production one can go and another is left.
    assert overlay == "dev" or deployment["spec"].get("replicas", 2) >= 2


@each_deployment
def test_nothing_selects_the_pods_of_another(overlay: str, name: str) -> None:
    selector = named(overlay, "Deployment", name)["spec"]["selector"]
    taken = [other for other in workloads(overlay) if selects(selector, labels_of(overlay, other))]

    assert taken == [name]


@each_deployment
def test_prometheus_looks_at_it(overlay: str, name: str) -> None:
    network, labels = Network(overlay), labels_of(overlay, name)
    (port,) = ports(containers(pod_of(overlay, name)))
    monitors = [one["spec"] for one in of_kind(overlay, "PodMonitor") if selects(one["spec"]["selector"], labels)]

    assert network.lets_in({}, labels, port, MONITORING)
    if overlay == "production":
        (monitor,) = monitors
        assert port in {endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]}


@each_pod
def test_its_way_leads_to_its_database_and_the_broker_only(overlay: str, name: str) -> None:
    network, labels = Network(overlay), labels_of(overlay, name)
    databases = {
        one["metadata"]["name"]: one["spec"]["inheritedMetadata"]["labels"] for one in of_kind(overlay, "Cluster")
    }
    is_one_for_all = overlay == "dev" or name == "verify"
    own = set(databases) if is_one_for_all else {f"{labels['kameng/service']}-database"}
    broker = {"app.kubernetes.io/name": "kameng-rabbitmq"}
    others = [labels_of(overlay, other) for other in workloads(overlay) if other != name]

    assert {database for database, marks in databases.items() if network.lets(labels, marks, 5432)} == own
    speaks = labels["app.kubernetes.io/component"] != "migrate"
    assert network.lets(labels, broker, 5672) is speaks
    assert not [
        other for other in others for port in (8000, 8001, "http", "probes") if network.lets(labels, other, port)
    ]


@each_pod
def test_only_those_with_partners_outside_get_out(overlay: str, name: str) -> None:
    network, labels = Network(overlay), labels_of(overlay, name)
    opened = {port for port in (25, 80, 443, 465, 587, 6443) if network.lets_out(labels, port)}
    wanted = {443} if name == "gateway-webhooks" or name in {f"{service}-writer" for service in CALLING} else set()
    if name == "notification-writer":
        wanted |= {465, 587}  # mail

    assert opened == wanted, (
        f"services/{labels.get('kameng/service')}/__init__.py: a service has OUTSIDE_PORTS = (443,) if it has effects"
    )
    for block in network.lets_out(labels, 443):
        assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(block["except"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_everything_is_denied_but_what_is_named(overlay: str) -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind(overlay, "NetworkPolicy")}
    denied = policies.pop("deny-all")

    assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, policy in policies.items():
        assert policy["podSelector"] or name == "names"
        for way, ends in (("ingress", "from"), ("egress", "to")):
            for rule in policy.get(way, ()):
                assert rule.get(ends), f"{name} opens {way} for all"
                assert rule.get("ports"), f"{name} opens every port for {way}"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_names_are_asked_of_the_cluster_s_resolver_and_of_the_node_s(overlay: str) -> None:
    (names,) = (one["spec"] for one in of_kind(overlay, "NetworkPolicy") if one["metadata"]["name"] == "names")
    assert names["podSelector"] == {}
    asked = [tuple(sorted((port["protocol"], port["port"]) for port in rule["ports"])) for rule in names["egress"]]
    assert asked == [(("TCP", 53), ("UDP", 53))] * 2
    ends = [end for rule in names["egress"] for end in rule["to"]]
    assert [end["ipBlock"]["cidr"] for end in ends if "ipBlock" in end] == ["169.254.20.10/32"]
    assert [end["podSelector"]["matchLabels"] for end in ends if "podSelector" in end] == [{"k8s-app": "kube-dns"}]


def test_the_ingress_lets_imports_pass() -> None:
    (ingress,) = of_kind("production", "Ingress")
    annotations = {name.rpartition("/")[2]: value for name, value in ingress["metadata"]["annotations"].items()}
    assert int(annotations["proxy-body-size"].removesuffix("m")) * 1024 * 1024 > IMPORT_LIMIT
    assert int(annotations["proxy-read-timeout"]) > LONGEST_SECONDS
    assert (annotations["proxy-request-buffering"], annotations["proxy-next-upstream"]) == ("off", "off")


def test_the_outside_comes_in_at_the_gateway_only() -> None:
    network = Network("production")
    entered = {
        name
        for name in workloads("production")
        for port in ("http", "probes")
        if network.lets_in({}, labels_of("production", name), port, INGRESS)
    }
    (ingress,) = of_kind("production", "Ingress")
    paths = {path["path"] for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]}

    assert entered == {"gateway-http"}
    assert not [path for path in paths if "/metrics".startswith(path) and path != "/"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_image_has_an_exact_version(overlay: str) -> None:
    images = {container["image"] for pod in workloads(overlay).values() for container in containers(pod)}
    images |= {one["spec"]["imageName"] for one in of_kind(overlay, "Cluster")}
    images |= {one["spec"]["image"] for one in of_kind(overlay, "RabbitmqCluster")}

    assert not [image for image in images if not re.search(r"(:v?\d+\.\d+[\w.-]*|@sha256:[0-9a-f]{64})$", image)]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_secret_is_written_down(overlay: str) -> None:
    assert not of_kind(overlay, "Secret")
    for resource in built(overlay):
        assert not [text for text in strings(resource) if re.search(r"://[^/@\s]+:[^/@\s]+@", text)], name_of(resource)
    for pod in workloads(overlay).values():
        for container in containers(pod):
            names = {one["name"] for one in container.get("env", ()) if "value" in one}
            assert not [name for name in names if re.search("PASSWORD|SECRET|TOKEN|AMQP", name)]


def known_variables() -> set[str]:
    own = [service.settings for service in all_services() if service.settings]
    kinds = (Settings, ClusterSettings, *own)
    fields = [field for kind in kinds for field in kind.model_fields]
    return {f"KAMENG_{field.upper()}" for field in fields} | {"KAMENG_SERVICE", "PGPASSWORD"}


@each_pod
def test_its_command_and_variables_are_ours(overlay: str, name: str) -> None:
    (container,) = containers(pod_of(overlay, name))
    configured = [one["data"] for one in of_kind(overlay, "ConfigMap") if "KAMENG_DATABASE_URL" in one["data"]]
    variables = {one["name"] for one in container.get("env", ())} | {name for data in configured for name in data}
    component = labels_of(overlay, name)["app.kubernetes.io/component"]
    commands = {"writer": "run", "gateway-http": "gateway"}

    assert variables <= known_variables()
    assert container["args"][0] == commands.get(component, component)
    assert container["args"][0] in {entry.name for entry in COMMANDS}
    assert container["args"][1:] in ([], ["$(KAMENG_SERVICE)"], ["--cluster"])
    assert component == "verify" or labels_of(overlay, name)["kameng/service"] in NAMES


def groups_in_code(service: str) -> set[str]:
    """The groups of secrets that a service's code asks for."""
    code = "\n".join(path.read_text() for path in sorted((ROOT / "services" / service).rglob("*.py")))
    groups = {name: group for group, names in GROUPS.items() for name in names}
    asked = {re.sub(r"\{.*?\}", "{name}", name) for name in re.findall(r'secrets\.get\(f?"([^"]+)"', code)}
    assert asked <= groups.keys(), f"cli/secrets.py: GROUPS lacks {sorted(asked - groups.keys())}"
    return {group for name, group in groups.items() if name in asked or f'"{name}"' in code}


def mounted(pod: Resource) -> dict[str, bool]:
    """The groups of secrets that a pod sees, and whether it starts without."""
    sources: list[dict[str, Any]] = [
        source["secret"]
        for volume in pod["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", ())
    ]
    return {source["name"].removeprefix("kameng-"): source.get("optional", False) for source in sources}


@each_pod
def test_it_sees_the_secrets_that_its_code_asks_for_and_no_others(overlay: str, name: str) -> None:
    labels = labels_of(overlay, name)
    service, component = labels.get("kameng/service", ""), labels["app.kubernetes.io/component"]
    # The gateway's secrets are for its HTTP process, which also learns of partners from the name in a callback.
    asks = {
        "writer": groups_in_code(service) if service != "gateway" else set(),
        "webhooks": {"webhooks"},
        "verify": {f"{one}-database" for one in NAMES},
    }
    wanted = asks.get(component, set())
    if component == "gateway-http":
        wanted = groups_in_code("gateway") | {"channels", "suppliers"}

    seen = mounted(pod_of(overlay, name))
    assert seen.keys() == wanted, f"services/{service}/__init__.py: SECRETS must name what the code reads, of {wanted}"
    assert {group for group, optional in seen.items() if optional} == wanted & {"channels", "suppliers"}


def test_external_secrets_are_those_that_are_referred_to() -> None:
    made = {one["spec"]["target"]["name"]: one for one in of_kind("production", "ExternalSecret")}
    backups = {"kameng-backups"}

    assert made.keys() == {f"kameng-{group}" for group in GROUPS} | {f"{name}-database" for name in NAMES} | backups
    assert all(one["metadata"]["name"] == name for name, one in made.items())


def test_every_component_is_built_by_an_overlay() -> None:
    used = "".join((ROOT / "k8s/overlays" / overlay / "kustomization.yaml").read_text() for overlay in OVERLAYS)
    components = {path.name for path in (ROOT / "k8s/components").iterdir()}
    assert [name for name in components if f"components/{name}\n" not in used] == []
