"""One comment on a pull request, kept up to date, with an API of GitHub's shape in the place of GitHub's."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sticky_comment import body_of, main, mark

TEXT = "**1 of 6 checks got worse**\n\n| a | b |\n"
HEAD = {"sha": "abc", "label": "stranger:fix"}


class Api:
    """Comments of pull request 7, and what was called."""

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.writes: list[tuple[str, str]] = []
        self.asked_heads: list[str] = []
        self.refuses = False

    def add(self, body: str, kind: str = "Bot") -> None:
        self.comments.append({"id": len(self.comments) + 1, "body": body, "user": {"type": kind}})

    def answer(self, method: str, url: str, body: dict[str, Any]) -> Any:
        parts = urlsplit(url)
        if method == "GET" and parts.path == "/repos/me/project/issues/7/comments":
            page = int(parse_qs(parts.query)["page"][0])
            return self.comments[100 * (page - 1) : 100 * page]
        if method == "GET" and parts.path == "/repos/me/project/pulls":
            (asked,) = parse_qs(parts.query)["head"]
            self.asked_heads.append(asked)
            return [{"number": 7, "head": HEAD}] if asked == HEAD["label"] else []
        self.writes.append((method, parts.path))
        if method == "POST" and parts.path == "/repos/me/project/issues/7/comments":
            self.add(body["body"])
            return self.comments[-1]
        number = int(parts.path.removeprefix("/repos/me/project/issues/comments/"))
        assert method == "PATCH"
        self.comments[number - 1]["body"] = body["body"]
        return self.comments[number - 1]


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    made = Api()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            assert self.headers["Authorization"] == "Bearer secret"
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if made.refuses and self.command != "GET":
                self.send_error(403)
                return
            found = json.dumps(made.answer(self.command, self.path, json.loads(body or "{}"))).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        do_GET = do_POST = do_PATCH = _any  # noqa: N815, the names that http.server looks for

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("GITHUB_REPOSITORY", "me/project")
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    for proxy in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    event({"pull_request": {"number": 7}})
    Path("comment.md").write_text(TEXT)
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def event(content: dict[str, Any]) -> None:
    Path("event.json").write_text(json.dumps(content))


def workflow_run(**changes: Any) -> dict[str, Any]:
    run = {
        "event": "pull_request",
        "head_branch": "fix",
        "head_sha": "abc",
        "head_repository": {"owner": {"login": "stranger"}},
        "conclusion": "failure",
    }
    return {"workflow_run": {**run, **changes}}


def test_a_first_comment_is_made_and_the_next_result_updates_it(api: Api) -> None:
    main(["comment.md"])
    assert [one["body"] for one in api.comments] == [f"{TEXT}\n{mark('accumcheck')}"]
    Path("comment.md").write_text(TEXT.replace("1 of 6", "2 of 6"))
    main(["comment.md"])
    assert len(api.comments) == 1
    assert api.comments[0]["body"].startswith("**2 of 6 checks got worse**")
    assert [method for method, _ in api.writes] == ["POST", "PATCH"]


def test_nothing_is_written_while_the_text_is_the_same(api: Api) -> None:
    main(["comment.md"])
    api.comments[0]["body"] = api.comments[0]["body"].replace("\n", "\r\n")  # as GitHub may give it back
    main(["comment.md"])
    assert [method for method, _ in api.writes] == ["POST"]


@pytest.mark.parametrize(
    ("cell", "writes"),
    [
        ("pass, 2.9e-07", 1),
        ("pass, 0", 1),
        ("pass, 3.1e-03", 2),
        ("**FAIL**, 3.1e-07", 2),
        ("pass, 3.1e-07, x 2.00", 2),
    ],
)
def test_rounding_that_differs_between_processors_is_no_change(api: Api, cell: str, writes: int) -> None:
    Path("comment.md").write_text(f"{TEXT}| pass, 3.1e-07 |\n")
    main(["comment.md"])
    Path("comment.md").write_text(f"{TEXT}| {cell} |\n")
    main(["comment.md"])
    assert len(api.writes) == writes


def test_a_good_first_result_makes_no_comment_and_a_later_one_updates_it(api: Api) -> None:
    main(["comment.md", "--good"])
    assert api.comments == []
    main(["comment.md"])
    Path("comment.md").write_text("**0 of 6 checks got worse**\n")
    main(["comment.md", "--good"])
    assert api.comments[0]["body"].startswith("**0 of 6 checks got worse**")


def test_it_is_found_behind_many_others_and_by_its_key(api: Api) -> None:
    for number in range(150):
        api.add(f"comment {number}", "User")
    main(["comment.md", "--key", "run a.yaml"])
    main(["comment.md", "--key", "run b.yaml"])
    main(["comment.md", "--key", "run a.yaml"])
    assert [method for method, _ in api.writes] == ["POST", "POST"]


def test_a_mark_that_a_person_has_copied_is_not_taken_for_ours(api: Api) -> None:
    api.add(f"mine\n\n{mark('accumcheck')}", "User")
    main(["comment.md"])
    assert api.comments[0]["body"].startswith("mine")
    assert [method for method, _ in api.writes] == ["POST"]


def test_of_another_workflows_run_github_says_which_pull_request_it_is(api: Api) -> None:
    event(workflow_run())
    main(["comment.md"])
    assert api.asked_heads == ["stranger:fix"]
    assert api.writes == [("POST", "/repos/me/project/issues/7/comments")]


@pytest.mark.parametrize(
    "content",
    [
        {"push": {}},
        workflow_run(event="push"),
        workflow_run(head_repository=None),
        workflow_run(head_sha="def"),  # the branch has moved on
        workflow_run(head_branch="other"),
    ],
)
def test_without_an_open_pull_request_nothing_is_posted(
    api: Api, content: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    event(content)
    assert main(["comment.md"]) == 0
    assert api.writes == []
    assert "no open pull request" in capsys.readouterr().out


def test_a_strangers_run_that_passed_makes_no_comment(api: Api) -> None:
    event(workflow_run(conclusion="success"))
    main(["comment.md"])
    assert api.writes == []


def test_a_strangers_text_mentions_and_links_nobody() -> None:
    text = (
        "@everyone [free](https://evil.example) <img src=x> ![a](b)\n<details><summary>x</summary>\n\ny\n\n</details>"
    )
    body = body_of(text, "a", from_fork=True)
    assert "@everyone" not in body
    assert "https://" not in body
    assert "<img" not in body
    assert "\\[free](" in body
    assert "<details><summary>x</summary>" in body
    assert body_of(text, "a", from_fork=False).startswith("@everyone [free](https://evil.example) <img")


@pytest.mark.parametrize(
    ("written", "link"),
    [
        ("&#64;everyone &commat;everyone &#x40;everyone", "&#64; &commat; &#x40;"),
        ("www.evil.example WWW.evil.example", "www. WWW."),
        ("see #12, me/project#12 and GH-12", "#12 t#12 GH-12"),
    ],
)
def test_a_strangers_text_refers_to_nothing_without_a_link_either(written: str, link: str) -> None:
    body = body_of(written, "a", from_fork=True)
    assert not [one for one in link.split() if one in body]
    assert body_of(written, "a", from_fork=False).startswith(written)


def test_what_accumcheck_writes_itself_stays_as_it_is() -> None:
    text = "x 2.00, `a` \\& b: loss &lt;1&gt; &amp; &quot;it&#x27;s&quot;\n\n## accumcheck: fail"
    assert body_of(text, "a", from_fork=True).startswith(text)


def test_a_text_that_is_too_long_keeps_its_mark(api: Api) -> None:
    Path("comment.md").write_text("x" * 90_000)
    main(["comment.md"])
    assert len(api.comments[0]["body"]) < 65_536
    assert api.comments[0]["body"].endswith(mark("accumcheck"))


def test_a_key_cannot_end_the_mark() -> None:
    assert mark("a --> <b>") == "<!-- accumcheck: a __ _b_ -->"


def test_what_github_refuses_is_a_warning(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.refuses = True
    assert main(["comment.md"]) == 0
    assert capsys.readouterr().out.startswith(
        "::warning title=accumcheck::the comment could not be written (HTTP Error 403"
    )


def test_without_a_comment_there_is_nothing_to_do(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["none.md"]) == 0
    assert "no comment was written" in capsys.readouterr().out
