"""A package index on this machine (PEP 503 and 691), with wheels made on the spot: real uv, no network."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TRAINER = "class Trainer: pass\n"


@dataclass(frozen=True)
class Release:
    """One release of a package: when it was uploaded, whether it was yanked, and what is in its wheel."""

    version: str
    uploaded: str | None = "2025-01-01T12:00:00Z"
    yanked: bool = False
    requires: tuple[str, ...] = ()
    python: str = ">=3.8"
    modules: Mapping[str, str] = field(default_factory=dict)


class LocalIndex:
    """Serves releases by package name; ``stall`` holds every download until it is set free."""

    def __init__(self, packages: Mapping[str, list[Release]]) -> None:
        self.wheels: dict[str, tuple[str, Release, bytes]] = {}
        for name, releases in packages.items():
            self.add(name, releases)
        self.downloads: list[str] = []
        self.free = threading.Event()
        self.free.set()
        self.downloading = threading.Event()
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/simple"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def add(self, name: str, releases: list[Release]) -> None:
        for release in releases:
            self.wheels[f"{name}-{release.version}-py3-none-any.whl"] = (name, release, _wheel(name, release))

    def close(self) -> None:
        self.free.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = request.path.strip("/").split("/")
        if parts[0] == "simple" and (page := self._page(parts[-1])) is not None:
            _reply(request, json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json")
        elif parts[0] == "files" and parts[-1].endswith(".metadata"):
            name, release, _ = self.wheels[parts[-1].removesuffix(".metadata")]
            _reply(request, _metadata(name, release).encode(), "text/plain")
        elif parts[0] == "files":
            self.downloads.append(parts[-1])
            self.downloading.set()
            self.free.wait(60)
            _reply(request, self.wheels[parts[-1]][2], "application/zip")
        else:
            request.send_error(404)

    def _page(self, name: str) -> dict[str, object] | None:
        files = [
            {
                "filename": filename,
                "url": f"../../files/{filename}",
                "hashes": {"sha256": hashlib.sha256(wheel).hexdigest()},
                "requires-python": release.python,
                "yanked": release.yanked,
                "core-metadata": {"sha256": hashlib.sha256(_metadata(name, release).encode()).hexdigest()},
                **({"upload-time": release.uploaded} if release.uploaded else {}),
            }
            for filename, (owner, release, wheel) in self.wheels.items()
            if owner == name
        ]
        return {"meta": {"api-version": "1.1"}, "name": name, "files": files} if files else None


def _metadata(name: str, release: Release) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {release.version}"]
    lines += [f"Requires-Python: {release.python}", *(f"Requires-Dist: {line}" for line in release.requires)]
    return "\n".join(lines) + "\n"


def _wheel(name: str, release: Release) -> bytes:
    info = f"{name}-{release.version}.dist-info"
    files = {
        **release.modules,
        f"{info}/METADATA": _metadata(name, release),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2025, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


def _reply(request: BaseHTTPRequestHandler, body: bytes, kind: str) -> None:
    request.send_response(200)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
