"""What the parent says when a run could not be started."""

from __future__ import annotations

from accumcheck.launch.launcher import last_words

TRACEBACK = """Traceback (most recent call last):
  File "conductor.py", line 12, in main
    raise KeyError("script")
KeyError: 'script'

Thread 0x1 (most recent call first):
  <no Python frame>
"""


def test_the_exception_is_named_even_where_a_dump_of_threads_follows() -> None:
    assert last_words(TRACEBACK) == "KeyError: 'script'"


def test_words_without_an_exception_are_passed_on() -> None:
    assert last_words("cannot allocate memory\n\n") == "cannot allocate memory"
    assert last_words("") == "no word of why"
