"""A survey as JSON: written, described, and read back from a file that is not trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accumcheck.errors import ConfigError
from accumcheck.record.survey import Survey
from accumcheck.redaction import redacted
from accumcheck.saved.json_file import read_json
from accumcheck.saved.kinds import SURVEY
from accumcheck.saved.places import under
from accumcheck.saved.versions import check_version
from accumcheck.saved.write import to_json

if TYPE_CHECKING:
    from pathlib import Path


def survey_to_json(survey: Survey) -> str:
    """The survey as JSON text, ASCII only, ending in a line break."""
    return to_json(redacted(survey))


def survey_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) that every survey of this version satisfies."""
    from accumcheck.saved.schema import schema_of

    return schema_of(Survey, "accumcheck survey")


def read_survey(path: Path) -> Survey:
    """The survey in a JSON file that ``accumcheck survey -o survey.json`` has written.

    Raises:
        ConfigError: the file cannot be read, or holds no survey that this version knows; each line of the text begins
            with the file's path.
    """
    found = read_json(path, SURVEY)
    with under(str(path), ": "):
        return survey_from(found)


def survey_from(found: Any) -> Survey:
    """The survey in JSON that is not trusted.

    Raises:
        ConfigError: it is not a survey, or has an unknown schema version.
    """
    from accumcheck.saved.read import record_from

    if not isinstance(found, dict) or "classes" not in found:
        raise ConfigError("not a survey: a JSON object with classes was expected")
    check_version(found, "a survey")
    survey: Survey = redacted(record_from(Survey, found, SURVEY))
    return survey
