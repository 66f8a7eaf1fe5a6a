"""Two hosts on this machine: network namespaces with a cable between them (a pair of virtual Ethernet devices)."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DEVICE = "eth0"
NETWORK = "10.77.0"
_LONGEST_SECONDS = "1800"


@dataclass(frozen=True)
class Host:
    """A network namespace, kept by a process that sleeps in it."""

    holder: int
    address: str

    def inside(self, command: Sequence[str]) -> list[str]:
        """The command line that runs a command on this host."""
        return [*_enter(self.holder), "--net", "--", *command]

    def unplug(self) -> None:
        """From now on nothing leaves this host, not even the end of its connections."""
        _check_run(self.inside(["ip", "link", "set", DEVICE, "down"]))


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """The hosts, in a user namespace of their own, so that this needs no rights where the system allows these.

    Raises:
        PermissionError: the system does not allow it here, or lacks a tool for it; the text says what.
    """
    if missing := [tool for tool in ("unshare", "nsenter", "ip") if shutil.which(tool) is None]:
        raise PermissionError(f"no {', '.join(missing)} here (util-linux, iproute2)")
    holders: list[subprocess.Popen[bytes]] = []
    try:
        sleep = ["sleep", _LONGEST_SECONDS]
        holders.append(_hold(["unshare", "--user", "--map-root-user", "--net", *sleep]))
        first = holders[0].pid
        holders.append(_hold([*_enter(first), "unshare", "--net", *sleep]))
        hosts = [Host(holder.pid, f"{NETWORK}.{number + 1}") for number, holder in enumerate(holders)]
        cable = ["ip", "link", "add", DEVICE, "type", "veth", "peer", "name", DEVICE, "netns", str(hosts[1].holder)]
        _check_run(hosts[0].inside(cable))
        for host in hosts:
            _check_run(host.inside(["ip", "address", "add", f"{host.address}/24", "dev", DEVICE]))
            for device in ("lo", DEVICE):
                _check_run(host.inside(["ip", "link", "set", device, "up"]))
        yield hosts[0], hosts[1]
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()


def _enter(holder: int) -> list[str]:
    return ["nsenter", "--target", str(holder), "--user", "--preserve-credentials"]


def _hold(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a process and wait until it sleeps in its namespace: the tools replace themselves by ``sleep``."""
    holder = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    name, deadline = Path(f"/proc/{holder.pid}/comm"), time.monotonic() + 20
    while holder.poll() is None and name.read_text(encoding="utf-8").strip() != "sleep":
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    if holder.poll() is not None or time.monotonic() > deadline:
        holder.kill()
        raise PermissionError(f"{' '.join(command)}: {holder.communicate()[1].decode().strip()}")
    assert holder.stderr is not None
    holder.stderr.close()
    return holder


def _check_run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(f"{' '.join(command)}: {done.stderr.strip()}")
