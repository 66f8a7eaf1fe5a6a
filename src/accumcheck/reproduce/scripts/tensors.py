"""The middle of a script whose rows are a model's inputs. The right value is computed with one row at a time."""

from __future__ import annotations

MIDDLE = """
def collate(rows):
    batch = {{}}
    for name in rows[0]:
        values = [torch.as_tensor(row[name]) for row in rows]
{joined}        fill = {fill}
        batch[name] = torch.stack(values) if values[0].ndim - 1 else torch.nn.utils.rnn.pad_sequence(values, True, fill)
    return batch

def count(row):  # the number of labels that the row's loss is a mean of
    return {count}
{gradient}model = {model_class}(AutoConfig.for_model("{model_type}", **CONFIG)).train()
right = sum(model(**collate([row])).loss * count(row) for row in ROWS) / sum(map(count, ROWS))  # each row alone
right.backward()
right_loss, right_gradient = right.item(), gradient(model)
model.zero_grad()

seen = []
optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
optimizer.register_step_pre_hook(lambda *_: seen.append(gradient(model)))
{loop}"""

COUNTS = {
    "shifted": 'sum(label != -100 for label in row["labels"][1:])',
    "tokens": 'sum(label != -100 for label in row["labels"])',
    "rows": "1",
}
"""The number of terms in a row's mean loss, by the kind of loss: labels after a shift, labels, or one per row."""
