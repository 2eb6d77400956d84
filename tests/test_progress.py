import contextlib
import threading

import pytest

from assay.progress import announce, announcing, listening, tell

Heard = list[tuple[str, float, str]]


def test_what_is_told_reaches_the_listener() -> None:
    heard: Heard = []
    with listening(lambda *told: heard.append(told)):
        tell("train", 0.0, "small")
        tell("train", 1.0)
    assert heard == [("train", 0.0, "small"), ("train", 1.0, "")]


def test_without_a_listener_nothing_happens(capfd: pytest.CaptureFixture[str]) -> None:
    with listening(lambda *told: pytest.fail(f"heard {told}")):
        pass
    tell("train", 0.5, "nobody is there")
    announce("nobody is there")
    assert capfd.readouterr() == ("", "")


def test_the_inner_listener_hears_and_then_the_outer_one_again() -> None:
    outer: Heard = []
    inner: Heard = []
    with listening(lambda *told: outer.append(told)):
        with contextlib.suppress(ArithmeticError), listening(lambda *told: inner.append(told)):
            tell("a", 0.0)
            raise ArithmeticError
        tell("b", 1.0)
    assert (outer, inner) == ([("b", 1.0, "")], [("a", 0.0, "")])


def test_another_thread_has_no_listener() -> None:
    heard: Heard = []
    with listening(lambda *told: heard.append(told)):
        thread = threading.Thread(target=tell, args=("elsewhere", 0.0))
        thread.start()
        thread.join()
    assert heard == []


def test_what_is_announced_reaches_the_announcer() -> None:
    heard: list[object] = []
    with announcing(heard.append):
        announce({"url": "http://127.0.0.1:1"})
    announce("too late")
    assert heard == [{"url": "http://127.0.0.1:1"}]
