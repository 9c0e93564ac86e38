"""What k8s/ says of each service: `k8s/generated`. What all have in common is written by hand beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from textwrap import indent

from cli.secrets import GROUPS
from services import NAMES

FOLDER = Path("k8s/generated")
HTTPS = 443  # what k8s/outside opens
_KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
_COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"


def generated() -> dict[Path, str]:
    """Every file of the folder by its path under the root, and what must be in it."""
    listed = _KUSTOMIZATION + f"resources: [{', '.join(NAMES)}]\n"
    found = {f"{part}/kustomization.yaml": listed for part in ("processes", "databases", "scaling")}
    for name in NAMES:
        found[f"names/{name}/kustomization.yaml"] = _name(name)
        found[f"processes/{name}/kustomization.yaml"] = _processes(name)
        found[f"databases/{name}/kustomization.yaml"] = _database(name)
        found[f"scaling/{name}/kustomization.yaml"] = _scaling(name)
    found["database-shared/kustomization.yaml"] = _roles()
    found["database-shared/databases.yaml"] = "---\n".join(map(_shared_database, NAMES))
    found["external-secrets/kustomization.yaml"] = _KUSTOMIZATION + "resources: [secrets.yaml]\n"
    found["external-secrets/secrets.yaml"] = "---\n".join(_external_secrets())
    found["verify/kustomization.yaml"] = _verify()
    return {FOLDER / path: text for path, text in found.items()}


def _name(name: str) -> str:
    return f"""\
{_COMPONENT}\
namePrefix: {name}-
labels:
  - pairs: {{kameng/service: {name}}}
    includeSelectors: true
    includeTemplates: true
"""


def _processes(name: str) -> str:
    """The service's processes: what its writer sees and how it gets out is the service's own to say."""
    declared = import_module(f"services.{name}")
    secrets: Sequence[str] = getattr(declared, "SECRETS", ())
    ports: Sequence[int] = getattr(declared, "OUTSIDE_PORTS", ())
    patches = (_mounted(secrets) if secrets else "") + (_opened(name, ports) if set(ports) - {HTTPS} else "")
    return (
        _KUSTOMIZATION
        + f"resources: [../../../service{', ../../../outside' if ports else ''}]\n"
        + f"components: [../../names/{name}]\n"
        + (f"patches:\n{patches}" if patches else "")
    )


def _mounted(secrets: Sequence[str]) -> str:
    sources = "".join(f"- secret: {source}\n" for source in _sources(secrets))
    return f"""\
  - target: {{kind: Deployment, labelSelector: app.kubernetes.io/component=writer}}
    patch: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {{name: writer}}
      spec:
        template:
          spec:
            containers:
              - name: writer
                volumeMounts: [{{name: secrets, mountPath: /var/lib/kameng/secrets, readOnly: true}}]
            volumes:
              - name: secrets
                projected:
                  defaultMode: 0440
                  sources:
{indent(sources, " " * 20)}"""


def _sources(secrets: Sequence[str]) -> Iterator[str]:
    """The Secrets that hold these, by group; of a group of which only some are read, only these.

    Partners' secrets may be missing: there are as many as partners.
    """
    if unknown := set(secrets) - {secret for group in GROUPS.values() for secret in group}:
        raise LookupError(f"cli/secrets.py: GROUPS lacks {sorted(unknown)}")
    for group in dict.fromkeys(group for secret in secrets for group, held in GROUPS.items() if secret in held):
        read = [secret for secret in GROUPS[group] if secret in secrets]
        if any("{" in secret for secret in read):
            yield f"{{name: kameng-{group}, optional: true}}"
        elif len(read) == len(GROUPS[group]):
            yield f"{{name: kameng-{group}}}"
        else:
            items = ", ".join(f"{{key: {secret}, path: {secret}}}" for secret in read)
            yield f"{{name: kameng-{group}, items: [{items}]}}"


def _opened(name: str, ports: Sequence[int]) -> str:
    added = "".join(
        f"- {{op: add, path: /spec/egress/0/ports/-, value: {{protocol: TCP, port: {port}}}}}\n"
        for port in ports
        if port != HTTPS
    )
    return f"""\
  - target: {{kind: NetworkPolicy, name: {name}-outside}}
    patch: |
{indent(added, " " * 6)}"""


def _database(name: str) -> str:
    return f"""\
{_KUSTOMIZATION}\
resources: [../../../components/databases/service]
components: [../../names/{name}]
patches:
  - target: {{kind: Cluster}}
    patch: |
      apiVersion: postgresql.cnpg.io/v1
      kind: Cluster
      metadata: {{name: database}}
      spec:
        inheritedMetadata: {{labels: {{kameng/service: {name}}}}}
        bootstrap: {{initdb: {{database: kameng_{name}, owner: kameng_{name}, secret: {{name: {name}-database}}}}}}
  - target: {{kind: ScheduledBackup}}
    patch: |
      - {{op: add, path: /spec/cluster, value: {{name: {name}-database}}}}
"""


def _scaling(name: str) -> str:
    return f"""\
{_KUSTOMIZATION}\
resources: [../../../components/scaling/service]
components: [../../names/{name}]
patches:
  - target: {{kind: ScaledObject}}
    patch: |
      - {{op: replace, path: /spec/scaleTargetRef/name, value: {name}-writer}}
      - {{op: replace, path: /spec/triggers/0/metadata/query, value: 'max(kameng_log_lag{{service="{name}"}})'}}
"""


def _roles() -> str:
    roles = "".join(
        f"- {{name: kameng_{name}, ensure: present, login: true, passwordSecret: {{name: {name}-database}}}}\n"
        for name in NAMES
    )
    return f"""\
{_COMPONENT}\
resources: [databases.yaml]
patches:
  - target: {{kind: Cluster}}
    patch: |
      apiVersion: postgresql.cnpg.io/v1
      kind: Cluster
      metadata: {{name: database}}
      spec:
        managed:
          roles:
{indent(roles, " " * 12)}"""


def _shared_database(name: str) -> str:
    return f"""\
apiVersion: postgresql.cnpg.io/v1
kind: Database
metadata: {{name: {name}}}
spec: {{cluster: {{name: database}}, name: kameng_{name}, owner: kameng_{name}}}
"""


def _external_secrets() -> Iterator[str]:
    """A Secret a group, whose entries are bytes, and one a database."""
    for group in GROUPS:
        yield _external_secret(f"kameng-{group}", "", f"{{key: kameng/{group}, decodingStrategy: Base64}}")
    for name in NAMES:
        kind = ", template: {type: kubernetes.io/basic-auth}"
        yield _external_secret(f"{name}-database", kind, f"{{key: kameng/{name}-database}}")


def _external_secret(name: str, template: str, extract: str) -> str:
    return f"""\
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {{name: {name}}}
spec:
  refreshInterval: 1h
  secretStoreRef: {{kind: ClusterSecretStore, name: kameng}}
  target: {{name: {name}, creationPolicy: Owner{template}}}
  dataFrom: [{{extract: {extract}}}]
"""


def _verify() -> str:
    sources = "".join(
        f"- {{secret: {{name: {name}-database, items: [{{key: password, path: {name}}}]}}}}\n" for name in NAMES
    )
    return f"""\
{_COMPONENT}\
patches:
  - target: {{kind: CronJob, name: verify}}
    patch: |
      apiVersion: batch/v1
      kind: CronJob
      metadata: {{name: verify}}
      spec:
        jobTemplate:
          spec:
            template:
              spec:
                volumes:
                  # The password of each service's role, in a file of the service's name.
                  - name: databases
                    projected:
                      sources:
{indent(sources, " " * 24)}"""
