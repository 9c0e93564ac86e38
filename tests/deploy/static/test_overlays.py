"""Each overlay builds, and is what Kubernetes and its operators take."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema.protocols
import jsonschema.validators
import pytest
import yaml
from kubernetes_validate import utils

from services import NAMES
from tests.deploy.composed import wanted
from tests.deploy.static.built import OVERLAYS, Resource, built, name_of, of_kind, workloads

# The oldest that is supported: what it takes, later ones take.
KUBERNETES = "1.32"
CUSTOM = yaml.safe_load((Path(__file__).parent / "schemas/custom.yaml").read_text())


read_once = cache(utils.schema_contents)


@pytest.fixture(autouse=True)
def _schemas_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "schema_contents", read_once)


@cache
def validator_of(kind: str) -> jsonschema.protocols.Validator:
    """Holds a specification of one of our operators' kinds against its schema."""
    schema = {**CUSTOM["kinds"][kind], "definitions": CUSTOM["definitions"]}
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    return validator(schema)


def fault_of(resource: Resource) -> str | None:
    """What is wrong with it, or None. Metadata is looked at for our own kinds only."""
    kind = f"{resource['apiVersion']}/{resource['kind']}"
    try:
        if kind in CUSTOM["kinds"]:
            validator_of(kind).validate(resource["spec"])
        else:
            utils.validate(resource, KUBERNETES, strict=True)
    except (jsonschema.ValidationError, utils.SchemaNotFoundError) as error:
        return f"{name_of(resource)}: {error.message}"
    return None


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_it_is_valid(overlay: str) -> None:
    assert [fault for resource in built(overlay) if (fault := fault_of(resource))] == []


@pytest.mark.parametrize("path", [("spec", "replica"), ("spec", "template", "spec", "containerz")])
def test_a_slip_of_the_pen_would_show(path: tuple[str, ...]) -> None:
    (deployment,) = [one for one in of_kind("production", "Deployment") if one["metadata"]["name"] == "order-writer"]
    wrong: Any = yaml.safe_load(yaml.safe_dump(deployment))
    place = wrong
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = 1

    assert path[-1] in (fault_of(wrong) or "")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_two_resources_have_one_name(overlay: str) -> None:
    names = [f"{one['apiVersion']} {name_of(one)}" for one in built(overlay)]

    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_process_of_the_cluster_is_deployed_and_every_database_migrated(overlay: str) -> None:
    assert set(workloads(overlay)) == wanted() | {f"{name}-migrate" for name in NAMES} | {"verify"}


def test_every_service_has_a_database_of_its_own() -> None:
    roles = {f"kameng_{name}" for name in NAMES}
    (shared,) = of_kind("dev", "Cluster")
    clusters = of_kind("production", "Cluster")

    assert {role["name"] for role in shared["spec"]["managed"]["roles"]} == roles
    assert {(one["spec"]["name"], one["spec"]["owner"]) for one in of_kind("dev", "Database")} == {
        (role, role) for role in roles
    }
    assert {one["metadata"]["name"]: one["spec"]["bootstrap"]["initdb"]["database"] for one in clusters} == {
        f"{name}-database": f"kameng_{name}" for name in NAMES
    }
    assert {one["spec"]["cluster"]["name"] for one in of_kind("production", "ScheduledBackup")} == {
        one["metadata"]["name"] for one in clusters
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_database_urls_lead_to_the_databases(overlay: str) -> None:
    (config,) = (
        of_kind(overlay, "ConfigMap")[:1]
        if overlay == "dev"
        else [one for one in of_kind(overlay, "ConfigMap") if one["metadata"]["name"].startswith("kameng-")]
    )
    url = config["data"]["KAMENG_DATABASE_URL"]
    services = {f"{one['metadata']['name']}-rw" for one in of_kind(overlay, "Cluster")}

    assert {url.replace("{service}", name).partition("@")[2].partition(":")[0] for name in NAMES} == services
    assert "sslmode=require" in url


def test_what_scales_is_there_and_scales_as_far_as_it_is_true() -> None:
    deployed = {one["metadata"]["name"] for one in of_kind("production", "Deployment")}
    scaled = {one["spec"]["scaleTargetRef"]["name"]: one["spec"] for one in of_kind("production", "ScaledObject")}
    readers = {name: spec for name, spec in scaled.items() if name.endswith("-writer")}

    assert scaled.keys() <= deployed
    assert readers.keys() == {f"{name}-writer" for name in NAMES}
    for name, spec in readers.items():
        service = name.removesuffix("-writer")
        assert f'service="{service}"' in spec["triggers"][0]["metadata"]["query"]
        # One partition a service, and one that stands by.
        assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 2)
    assert scaled["gateway-http"]["maxReplicaCount"] > scaled["gateway-http"]["minReplicaCount"] > 1
