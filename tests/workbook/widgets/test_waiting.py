"""Work that waits for a pause: only the last of several pieces is done, and steps leave room for clicks."""

from __future__ import annotations

import asyncio

from scenelens.workbook.widgets.waiting import Waiting


def test_without_an_event_loop_work_is_done_at_once():
    done = []
    Waiting().wait(lambda: done.append(1))
    Waiting().wait_in_steps(iter(done.append, 2))
    assert done == [1]


def test_only_the_last_piece_of_work_is_done():
    async def click() -> list[int]:
        waiting, done = Waiting(), []
        for number in range(10):
            waiting.wait(lambda number=number: done.append(number))
            await asyncio.sleep(0)
        assert done == []  # nothing is done before the pause
        await asyncio.sleep(0.3)
        return done

    assert asyncio.run(click()) == [9]


def test_what_was_cancelled_is_not_done():
    async def click() -> list[int]:
        waiting, done = Waiting(), []
        waiting.wait(lambda: done.append(1))
        waiting.cancel()
        await asyncio.sleep(0.2)
        return done

    assert asyncio.run(click()) == []


def test_between_two_steps_other_things_happen():
    async def look() -> list[str]:
        happened: list[str] = []

        def steps():
            for number in range(3):
                happened.append(f"step {number}")
                asyncio.get_running_loop().call_soon(happened.append, f"click {number}")
                yield

        Waiting().wait_in_steps(steps())
        await asyncio.sleep(0.4)
        return happened

    assert asyncio.run(look()) == ["step 0", "click 0", "step 1", "click 1", "step 2", "click 2"]
