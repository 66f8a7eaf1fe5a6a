"""Files and directories that a configuration names: found from where they were written, and there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from accumcheck.config.aliases import Keys, find
from accumcheck.config.kinds import name_of

if TYPE_CHECKING:
    from accumcheck.config.faults import Faults
    from accumcheck.config.yaml_positions import Item


def resolve_paths(tree: Item, values: dict[str, Any], folder: Path, faults: Faults) -> None:
    """Make the paths in ``values`` absolute, and note those where nothing is.

    A path in the file is relative to ``folder``, the config file's; one on the command line to the working directory.
    """
    _Paths(tree, folder, faults).resolve(values)


class _Paths:
    def __init__(self, tree: Item, folder: Path, faults: Faults) -> None:
        self.tree = tree
        self.folder = folder
        self.faults = faults

    def resolve(self, values: dict[str, Any]) -> None:
        model, data = values.get("model", {}), values.get("data", {})
        self._directory(model, ("model", "name_or_path"))
        self._directory(data.get("dataset", {}), ("data", "dataset", "name_or_path"))
        script = values.get("script", {})
        if "path" in script:
            script["path"] = str(self._existing(script["path"], ("script", "path"), directory=False))
        llamafactory = values.get("llamafactory", {})
        if "train" in llamafactory:
            llamafactory["train"] = str(
                self._existing(llamafactory["train"], ("llamafactory", "train"), directory=False)
            )
        file, _, function = values.get("callable", "").rpartition(":")
        if file.endswith(".py"):
            values["callable"] = f"{self._existing(file, ('callable',), directory=False)}:{function}"
        if "jsonl" in data:
            data["jsonl"] = str(self._existing(data["jsonl"], ("data", "jsonl"), directory=False))

    def _directory(self, values: dict[str, Any], keys: Keys) -> None:
        text = values.get("name_or_path")
        if text is not None and (text.startswith(("./", "../", "/", "~")) or text in (".", "..")):
            values["name_or_path"] = str(self._existing(text, keys, directory=True))

    def _existing(self, text: str, keys: Keys, *, directory: bool) -> Path:
        item = find(self.tree, keys)
        assert item is not None
        folder = Path.cwd() if item.place.on_command_line else self.folder
        what = "directory" if directory else "file"
        try:
            path = (folder / Path(text).expanduser()).resolve()
            there = path.is_dir() if directory else path.is_file()
        except (OSError, RuntimeError, ValueError) as error:
            self.faults.add(item.place, name_of(item, keys), f"found {text!r}, which is no path: {error}")
            return Path(text)
        if not there:
            found = f"{path} is not a {what}" if path.exists() else f"there is no {what} {path}"
            hint = "; a hub id is written without ./, ../, / or ~ in front" if directory else ""
            self.faults.add(item.place, name_of(item, keys), f"{found}{hint}")
        return path
