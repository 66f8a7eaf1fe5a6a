"""What a test asks of the installed transformers."""

from __future__ import annotations

import pytest
import transformers
from packaging.version import Version
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

RELEASE = Version(transformers.__version__)


def since(release: str, why: str) -> pytest.MarkDecorator:
    """Skip the test under earlier releases; ``why``: what these do otherwise."""
    return pytest.mark.skipif(Version(release) > RELEASE, reason=f"transformers {RELEASE}: {why}")


def require_model_type(model_type: str) -> None:
    """Skip the test where this transformers does not have the model."""
    if model_type not in CONFIG_MAPPING_NAMES:
        pytest.skip(f"transformers {RELEASE} has no {model_type}")
