"""Which classes compute a loss from their labels."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import BertForMaskedLM, DPTForDepthEstimation, SuperPointForKeypointDetection

from accumcheck.survey.losses import computes_loss


class Uses:
    def forward(self, labels: Any = None) -> Any:
        loss = None
        if labels is not None:
            loss = sum(labels)
        return loss


class Refuses:
    def forward(self, labels: Any = None) -> Any:
        loss = None
        if labels is not None:
            raise NotImplementedError("not trained")
        return loss


class RefusesSomeLabels:
    def forward(self, labels: Any = None) -> Any:
        loss = None
        if labels is not None:
            loss = sum(labels)
            if loss < 0:
                raise ValueError("negative")
        return loss


class RefusesAnotherInput:
    def forward(self, labels: Any = None, inputs_embeds: Any = None) -> Any:
        if inputs_embeds is not None:
            raise NotImplementedError("no embeddings")
        return {"loss": sum(labels)}, self.loss_function

    loss_function = None


class NeverUses:
    def forward(self, labels: Any = None) -> Any:
        return 1


class HandsOn:
    def forward(self, labels: Any = None) -> Any:
        return self.model(labels=labels)

    model: Any = None


class HandsOnAndReturnsAnotherOutput:
    def forward(self, labels: Any = None) -> Any:
        outputs = self.model(labels=labels)
        return Output(logits=outputs.logits)

    model: Any = None


class HandsOnAndReturnsEverything:
    def forward(self, labels: Any = None) -> Any:
        outputs = self.model(labels=labels)
        return Output(**outputs, logits=None)

    model: Any = None


class HandsOnAndReturnsTheResult:
    def forward(self, labels: Any = None) -> Any:
        outputs = self.model(labels=labels)
        outputs.attentions = None
        return outputs

    model: Any = None


Output: Any = dict


@pytest.mark.parametrize(
    ("cls", "does"),
    [
        (Uses, True),
        (RefusesSomeLabels, True),
        (RefusesAnotherInput, True),
        (HandsOn, True),
        (HandsOnAndReturnsTheResult, True),
        (HandsOnAndReturnsEverything, True),
        (HandsOnAndReturnsAnotherOutput, False),
        (Refuses, False),
        (NeverUses, False),
        (BertForMaskedLM, True),
        (DPTForDepthEstimation, False),
        (SuperPointForKeypointDetection, False),
    ],
)
def test_labels_that_are_used_and_not_refused(cls: Any, does: bool) -> None:
    assert computes_loss(cls, ["labels"]) is does


def test_a_class_without_source_counts_as_a_head() -> None:
    made: Any = type("Made", (), {"forward": eval("lambda self, labels: None")})
    assert computes_loss(made, ["labels"])
