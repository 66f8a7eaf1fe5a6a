"""What the fork server imports when it starts; see `accumcheck.launch.fork_server`."""

from __future__ import annotations

from accumcheck.work.end_with_parent import end_with_parent
from accumcheck.work.preload import preload_and_prepare

end_with_parent()
preload_and_prepare()
