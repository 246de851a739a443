"""The golden cases, through the real server: each row of `scenarios.toml` in its order."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.adversarial.scenario_deeds import Scene
from tests.adversarial.scenario_questions import ask
from tests.adversarial.stage import Stage, book

pytestmark = pytest.mark.asyncio(loop_scope="session")
SCENARIOS = book()["scenario"]


@pytest.mark.parametrize("said", SCENARIOS, ids=[each["id"].partition(" ")[0] for each in SCENARIOS])
async def test_scenario(stage: Stage, said: dict[str, Any]) -> None:
    await play(stage, said)


async def play(stage: Stage, said: Mapping[str, Any]) -> None:
    """The scenario comes to what it says."""
    async with AsyncExitStack() as ends:
        scene = Scene(stage, ends)
        for step in said.get("step", (said,)):
            await (scene.do(step) if "does" in step else ask(stage, step))


@pytest.mark.parametrize("name", ["outcome", "reason", "flag_state", "handling", "told", "nonsense"])
async def test_a_row_that_expects_something_else_of_a_question_is_seen(stage: Stage, name: str) -> None:
    """Positive control, as the next one."""
    said = next(each for each in SCENARIOS if each["id"].startswith("S01 "))
    with pytest.raises((AssertionError, ValueError)):
        await ask(stage, said | {"expect": said["expect"] | {name: {} if name == "told" else "UNDETERMINED"}})


@pytest.mark.parametrize("name", ["outcome", "entries", "told", "flags", "late", "nonsense"])
async def test_a_row_that_expects_something_else_of_a_deed_is_seen(stage: Stage, name: str) -> None:
    said = next(each for each in SCENARIOS if each["id"].startswith("S15 "))["step"][0]
    wrong = {"told": {"06037.cwa": ["LOCATED"]}}.get(name, "UNDETERMINED")
    async with AsyncExitStack() as ends:
        scene = Scene(stage, ends)
        await scene.do(said)
        with pytest.raises(AssertionError):
            await scene.do(said | {"expect": said["expect"] | {name: wrong}})
