"""docs/configuration.md is what the declarations say today."""

from __future__ import annotations

from configuration_page import PAGE, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python scripts/configuration_page.py"


def test_a_row_says_what_is_allowed_the_default_the_meaning_and_the_other_names() -> None:
    rows = page().splitlines()
    assert "| `timeout` | a number of seconds from 1 to 2592000 | `600.0` | Seconds that one split may take. |" in rows
    assert (
        "| `global_batch_size` | a whole number from 1 to 1000000 | required | Samples of one optimizer step, "
        "B = n * b * k in every split. Other names: `train_batch_size`. |"
    ) in rows
    assert any(row.startswith("| `loss` | auto or a relative difference from 1e-16 to 1 | `auto` | ") for row in rows)
