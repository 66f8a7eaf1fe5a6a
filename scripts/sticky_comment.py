"""Keep one comment on a pull request up to date: python scripts/sticky_comment.py comment.md. Used by action.yml.

The comment is found by a mark in its last line, among the comments of bots. It is only written if its text changes, and
no comment is made if the first result is good. Environment variables: GITHUB_TOKEN (may write to pull requests),
GITHUB_REPOSITORY, GITHUB_API_URL, and GITHUB_EVENT_PATH, whose file names the pull request.

Only the standard library is used, because the step runs with any Python that a job has.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

LONGEST = 65_000
"""The largest number of characters. GitHub refuses a comment of more than 65,536."""
_PAGE = 100
_MOST_PAGES = 30


class GitHub:
    """The few calls of GitHub's REST API that a comment needs, for one repository."""

    def __init__(self, api: str, repository: str, token: str) -> None:
        self._base, self._token = f"{api}/repos/{repository}", token

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Make one call, and return the JSON of its answer.

        Raises:
            urllib.error.HTTPError: GitHub refuses the call.
        """
        request = urllib.request.Request(
            self._base + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Accept": "application/vnd.github+json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def comments(self, number: int) -> Iterator[dict[str, Any]]:
        """All comments of a pull request, the oldest first."""
        for page in range(1, _MOST_PAGES + 1):
            found = self.call("GET", f"/issues/{number}/comments?per_page={_PAGE}&page={page}")
            yield from found
            if len(found) < _PAGE:
                return


def pull_request(event: dict[str, Any], github: GitHub) -> int | None:
    """The number of the event's pull request; None if it has none.

    For a workflow_run, the event names the branch, and GitHub names the pull request of that branch. Nothing that the
    run itself has written is trusted.
    """
    if "pull_request" in event:
        return int(event["pull_request"]["number"])
    run = event.get("workflow_run")
    if not run or run.get("event") != "pull_request" or not run.get("head_repository"):
        return None
    head = urllib.parse.quote(f"{run['head_repository']['owner']['login']}:{run['head_branch']}", safe="")
    found = github.call("GET", f"/pulls?state=open&head={head}")
    numbers = [int(one["number"]) for one in found if one["head"]["sha"] == run["head_sha"]]
    return numbers[0] if len(numbers) == 1 else None


def mark(key: str) -> str:
    """The last line of a comment, which is not shown."""
    return f"<!-- accumcheck: {re.sub(r'[^A-Za-z0-9_./ -]|--+', '_', key)} -->"


_OWN_ENTITIES = "amp|lt|gt|quot|#x27"
"""The character references that accumcheck itself writes. Any other could spell a mention or a link."""
_NOTHING = "\N{ZERO WIDTH SPACE}"


def body_of(text: str, key: str, *, from_fork: bool) -> str:
    """The text of the comment with its mark.

    For a stranger's run, mentions, links, references to issues and raw HTML are removed.
    """
    if from_fork:
        text = re.sub(rf"&(?=#?\w+;)(?!(?:{_OWN_ENTITIES});)", "&amp;", text)
        text = re.sub(r"<(?!/?(?:details|summary|sub)>)", "&lt;", text)
        text = text.replace("@", f"@{_NOTHING}").replace("://", f":{_NOTHING}//")
        text = re.sub(r"(?i)www(?=\.)|#(?=\d)|\bGH-(?=\d)", rf"\g<0>{_NOTHING}", text)
        text = re.sub(r"(?<!\\)!?\[", r"\\[", text)
    return f"{text.rstrip()[:LONGEST]}\n\n{mark(key)}"


_ROUNDING = re.compile(r"(?<![\w.])(?:0|\d(?:\.\d+)?e-(?:0[6-9]|[1-9]\d))(?![\w.])")
"""Numbers below 1e-5. They differ between processors; what they mean is said by a verdict."""


def _without_rounding(body: str) -> str:
    return _ROUNDING.sub("~", body)


def keep(github: GitHub, number: int, body: str, key: str, *, good: bool) -> str:
    """Make or update the comment. Returns what was done.

    Args:
        github: the repository.
        number: the number of the pull request.
        body: the text of the comment.
        key: identifies the comment if there are several.
        good: the result needs no attention: no new comment is made, but an existing one is updated.
    """
    last = mark(key)
    mine = [one for one in github.comments(number) if (one["body"] or "").replace("\r\n", "\n").endswith(last)]
    mine = [one for one in mine if (one.get("user") or {}).get("type") == "Bot"]  # ignore a mark that a person copied
    if not mine:
        if good:
            return "nothing to say"
        github.call("POST", f"/issues/{number}/comments", {"body": body})
        return "made"
    if _without_rounding(mine[0]["body"].replace("\r\n", "\n")) == _without_rounding(body):
        return "unchanged"
    github.call("PATCH", f"/issues/comments/{mine[0]['id']}", {"body": body})
    return "updated"


def main(arguments: Sequence[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description="Keep one comment on a pull request up to date.")
    parser.add_argument("comment", type=Path, help="the text, as accumcheck -o comment.md writes it")
    parser.add_argument("--key", default="accumcheck", help="identifies the comment if a pull request has several")
    parser.add_argument("--good", action="store_true", help="make no first comment: the result needs no attention")
    given = parser.parse_args(arguments)
    if not given.comment.is_file():
        print(f"{given.comment}: no comment was written; nothing is posted")
        return 0
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    api = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    github = GitHub(api, os.environ["GITHUB_REPOSITORY"], os.environ["GITHUB_TOKEN"])
    try:
        number = pull_request(event, github)
        if number is None:
            print("this event has no open pull request; nothing is posted")
            return 0
        text = given.comment.read_text(encoding="utf-8", errors="replace")
        run = event.get("workflow_run") or {}  # another workflow, perhaps a stranger's, has written the text
        body = body_of(text, given.key, from_fork=bool(run))
        good = given.good or run.get("conclusion") == "success"
        print(f"comment on #{number}: {keep(github, number, body, given.key, good=good)}")
    except (urllib.error.URLError, TimeoutError) as error:  # a refusal is a URLError too
        print(
            f"::warning title=accumcheck::the comment could not be written ({error}); the job needs the permission "
            "pull-requests: write, which pull requests from forks never have (docs/ci.md)"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
