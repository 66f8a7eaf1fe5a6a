"""The PyTorchJob, field by field as Kubeflow's v1 API declares them (pkg/apis/kubeflow.org/v1)."""

from __future__ import annotations

from typing import Any

import yaml

from accumcheck.cluster.job import ClusterJob
from accumcheck.cluster.kubernetes import mounted_path, pytorch_job
from accumcheck.cluster.machines import Machines

TEXT = "model: {config: {model_type: llama}}\nsplits: [8x1x1]  # all\n"


def documents(nodes: int, device: str = "cuda", text: str | None = TEXT, **more: Any) -> list[Any]:
    job = ClusterJob("accumcheck-check", Machines(nodes, 4, device), 3600, ("--set", "seed=$(RANK)", "--strict"))
    path = "/data/check.yaml" if text is None else mounted_path()
    written = pytorch_job(job, "registry/image:1", text=text, path=path, namespace=more.get("namespace"))
    return list(yaml.safe_load_all(written))


def container(replica: Any) -> Any:
    (one,) = replica["template"]["spec"]["containers"]
    return one


def test_the_configuration_is_mounted_as_it_is_written() -> None:
    config, job = documents(3, namespace="team")
    assert (config["apiVersion"], config["kind"]) == ("v1", "ConfigMap")
    assert config["data"] == {"check.yaml": TEXT}
    assert config["metadata"] == job["metadata"] == {"name": "accumcheck-check", "namespace": "team"}
    for replica in job["spec"]["pytorchReplicaSpecs"].values():
        spec = replica["template"]["spec"]
        assert {"name": "config", "configMap": {"name": "accumcheck-check"}} in spec["volumes"]
        assert {"name": "config", "mountPath": "/etc/accumcheck"} in container(replica)["volumeMounts"]
        assert "/etc/accumcheck/check.yaml" in container(replica)["args"]
        assert {mount["name"] for mount in container(replica)["volumeMounts"]} == {
            volume["name"] for volume in spec["volumes"]
        }


def test_a_job_of_three_machines() -> None:
    _, job = documents(3)
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "PyTorchJob")
    assert job["spec"]["runPolicy"] == {"cleanPodPolicy": "Running", "backoffLimit": 0, "activeDeadlineSeconds": 3600}
    replicas = job["spec"]["pytorchReplicaSpecs"]
    assert {name: replica["replicas"] for name, replica in replicas.items()} == {"Master": 1, "Worker": 2}
    for replica in replicas.values():
        one = container(replica)
        assert replica["restartPolicy"] == "Never"
        assert (one["name"], one["image"]) == ("pytorch", "registry/image:1")
        assert one["resources"] == {"limits": {"nvidia.com/gpu": 4}}
        # a dollar of the user's is none of Kubernetes'
        assert one["args"] == [
            *["run", "/etc/accumcheck/check.yaml", "--set", "seed=$$(RANK)", "--strict"],
            *["--set", "launcher.nnodes=3", "--set", "launcher.node_rank=$(RANK)"],
            *["--set", "launcher.rdzv_endpoint=$(MASTER_ADDR):$(MASTER_PORT)"],
        ]
    assert container(replicas["Master"])["command"] == ["accumcheck"]
    assert container(replicas["Worker"])["command"][:2] == ["sh", "-c"]


def test_one_machine_is_a_master_alone_and_needs_no_meeting() -> None:
    _, job = documents(1, device="cpu")
    (replica,) = job["spec"]["pytorchReplicaSpecs"].values()
    assert container(replica)["args"][-1] == "--strict"
    assert container(replica)["resources"] == {"limits": {"cpu": 4}}


def test_a_configuration_in_the_image_is_not_mounted() -> None:
    (job,) = documents(2, text=None)
    spec = job["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]
    assert [volume["name"] for volume in spec["volumes"]] == ["shared-memory"]
    assert container({"template": {"spec": spec}})["args"][1] == "/data/check.yaml"
    assert "namespace" not in job["metadata"]
