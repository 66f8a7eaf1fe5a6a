"""A PyTorchJob for Kubeflow's training operator: https://www.kubeflow.org/docs/components/trainer/legacy-v1/."""

from __future__ import annotations

import re
from typing import Any

import yaml

from accumcheck import __version__
from accumcheck.cluster.job import ClusterJob, joining
from accumcheck.errors import ConfigError

_FOLDER = "/etc/accumcheck"
_FILE = "check.yaml"
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""A label of RFC 1123."""
_OF_WORKERS = ["sh", "-c", 'accumcheck "$@" || [ $? -eq 3 ]', "accumcheck"]
"""Only the master has a verdict: a worker that ends with 3, since a split did not run, must not end the job before the
master has reported it. Whatever else a worker ends with does end the job: it could not take part."""


def check_options(image: str, namespace: str | None, config_path: str | None) -> None:
    """Check what the job would be refused for, or fail by, only on the cluster.

    Raises:
        ConfigError: one line for each that is wrong.
    """
    errors = []
    if not re.fullmatch(r"\S+", image):
        errors.append(f"--image {image!r}: expected the name of an image without spaces, for example registry/train:1")
    if namespace is not None and not _NAMESPACE.fullmatch(namespace):
        errors.append(f"--namespace {namespace!r}: expected at most 63 small letters, digits and dashes between them")
    if config_path is not None and not config_path.startswith("/"):
        errors.append(f"--config-path {config_path!r}: expected an absolute path in the container: /data/a.yaml")
    if errors:
        raise ConfigError("\n".join(errors))


def pytorch_job(job: ClusterJob, image: str, *, text: str | None, path: str, namespace: str | None) -> str:
    """The job, behind the ConfigMap with the configuration unless the image has it.

    The operator gives every container ``RANK``, ``MASTER_ADDR`` and ``MASTER_PORT``, and Kubernetes puts their values
    for ``$(NAME)`` in a command.

    Args:
        job: what it runs.
        image: has accumcheck and the stack.
        text: the configuration, to be mounted at ``path``; None: the image has it there.
        path: of the configuration in the container.
        namespace: of everything; None: the one that kubectl uses.
    """
    place = {"namespace": namespace} if namespace else {}
    documents: list[dict[str, Any]] = []
    if text is not None:
        metadata = {"name": job.name, **place}
        documents.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {_FILE: text}})
    mounted = text is not None
    replicas = {"Master": _replica(job, 1, ["accumcheck"], image, path, mounted=mounted)}
    if job.machines.nodes > 1:
        replicas["Worker"] = _replica(job, job.machines.nodes - 1, _OF_WORKERS, image, path, mounted=mounted)
    documents.append(
        {
            "apiVersion": "kubeflow.org/v1",
            "kind": "PyTorchJob",
            "metadata": {"name": job.name, **place},
            "spec": {
                "runPolicy": {"cleanPodPolicy": "Running", "backoffLimit": 0, "activeDeadlineSeconds": job.seconds},
                "pytorchReplicaSpecs": replicas,
            },
        }
    )
    head = [
        f"# Written by accumcheck {__version__}: accumcheck launch kubernetes. Start it: kubectl apply -f FILE",
        f"# The report: kubectl logs -f {job.name}-master-0; again: kubectl delete -f FILE first",
    ]
    return "\n".join([*head, yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=1000)])


def mounted_path() -> str:
    """Where the configuration lies in a container if it is mounted from the ConfigMap."""
    return f"{_FOLDER}/{_FILE}"


def _replica(
    job: ClusterJob, number: int, command: list[str], image: str, path: str, *, mounted: bool
) -> dict[str, Any]:
    machines = job.machines
    own = joining(machines.nodes, "$(RANK)", "$(MASTER_ADDR):$(MASTER_PORT)")
    words = ["run", path, *job.options]
    resource = "cpu" if machines.device == "cpu" else "nvidia.com/gpu"
    mounts = [{"name": "shared-memory", "mountPath": "/dev/shm"}]
    volumes: list[dict[str, Any]] = [{"name": "shared-memory", "emptyDir": {"medium": "Memory"}}]
    if mounted:
        mounts.append({"name": "config", "mountPath": _FOLDER})
        volumes.append({"name": "config", "configMap": {"name": job.name}})
    container = {
        "name": "pytorch",  # the name that the operator looks for
        "image": image,
        "command": list(command),
        "args": [*(word.replace("$", "$$") for word in words), *own],
        "resources": {"limits": {resource: machines.per_node}},
        "volumeMounts": mounts,
    }
    template = {"spec": {"containers": [container], "volumes": volumes}}
    return {"replicas": number, "restartPolicy": "Never", "template": template}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
