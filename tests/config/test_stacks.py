"""The keys of a stack come from its description: their checks, messages, schema and place follow from it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from accumcheck.config.own_keys import own_keys, with_own_keys
from accumcheck.declare.keys import Section, keys_of
from accumcheck.stacks.registry import STACKS


def test_a_key_may_belong_to_several_stacks() -> None:
    owners = {name: owners for name, (_, owners) in own_keys().items()}
    assert owners["trl"] == ["trl-sft", "trl-dpo", "trl-reward"]
    assert owners["callable"] == owners["callable_arguments"] == ["callable"]


def test_the_keys_of_stacks_follow_the_key_stack() -> None:
    @dataclass(frozen=True)
    @with_own_keys
    class Root(Section):
        before: int
        stack: str = "trainer"
        after: int = 2

    names = list(keys_of(Root))
    assert names == ["before", "stack", *own_keys(), "after"]
    assert (Root(1).after, Root(1).script, Root(1).callable_arguments) == (2, None, {})  # type: ignore[attr-defined]


NEW_STACK = """
import dataclasses, sys
from pathlib import Path
from typing import Annotated
import accumcheck.stacks.registry as registry
from accumcheck.declare.keys import Required, Section, Text
from accumcheck.stacks.protocol import OwnKey, ProgramSpec

@dataclasses.dataclass(frozen=True, slots=True)
class NewConfig(Section):
    recipe: Annotated[str, Text("the path of a recipe", located="file"), Required("recipe: r.toml")]
    '''What is cooked.'''

own = OwnKey("new", NewConfig | None, "With stack: new, what to train.", "new: {recipe: r.toml}")
new = ProgramSpec(name="new", help="", package="new-package", own=(own,), start=print, title=str)
registry.STACKS = (*registry.STACKS, new)
registry._BY_NAME["new"] = new

from accumcheck.config.faults import Place
from accumcheck.config.load import read_config
from accumcheck.config.schema import config_schema
from accumcheck.errors import ConfigError

head = "global_batch_size: 8\\nsplits: [1x8x1]\\n"
for text in ("stack: new", "stack: new\\nnew: {recipes: x}", "new: {recipe: none.toml}", "stack: neww"):
    try:
        read_config(head + text, Place("c"), Path("/nowhere"))
    except ConfigError as error:
        print(error)
check = read_config(head + f"stack: new\\nnew: {{recipe: {sys.argv[1]}}}", Place("c"), Path("/"))
assert type(check).from_dict(check.to_dict()) == check and check.runs_program and check.new.recipe == sys.argv[1]
key = config_schema()["properties"]["new"]
print(key["description"], key["anyOf"][0]["properties"]["recipe"]["description"])
"""


def test_a_new_stack_needs_its_description_and_nothing_in_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text(NEW_STACK, encoding="utf-8")
    ran = subprocess.run([sys.executable, "new.py", __file__], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    names = ", ".join(stack.name for stack in STACKS)
    assert ran.stderr == ""
    assert ran.stdout == textwrap.dedent(
        f"""\
        c:3: stack: needs new; add for example new: {{recipe: r.toml}}
        c:4: new.recipe: missing; add for example recipe: r.toml
        c:4: new.recipes: unknown key; allowed here: recipe; did you mean 'recipe'?
        c:3: new.recipe: there is no file /nowhere/none.toml
        c:3: new: has no effect with stack: trainer; write stack: new, or remove it
        c: model: missing; add for example model: {{name_or_path: ./my-model}}
        c:3: stack: found 'neww' (text); expected {names} or new; did you mean 'new'?
        c: model: missing; add for example model: {{name_or_path: ./my-model}}
        With stack: new, what to train. What is cooked.
        """
    )


def test_workers_read_a_configuration_without_the_library_that_checks_it() -> None:
    code = """
    import sys
    sys.modules["pydantic"] = sys.modules["pydantic_core"] = None  # what imports them fails
    from accumcheck.config.model import CheckConfig, ModelConfig
    from accumcheck.config.splits import auto_splits
    check = CheckConfig(ModelConfig(config={"model_type": "llama"}), 8, auto_splits(8, 2))
    assert CheckConfig.from_dict(check.to_dict()) == check
    assert not {"torch", "transformers", "numpy"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=60)
