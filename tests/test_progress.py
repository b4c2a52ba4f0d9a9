"""What is said while a run goes on: in words, at a pace, in a terminal and in a file."""

import io
import logging
import re
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from tomoinr import Record, builtin, reconstruct
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.doing import LOGGER, doing
from tomoinr.live import Progress
from tomoinr.live.moment import Moment
from tomoinr.live.pace import Pace
from tomoinr.live.words import duration, line
from tomoinr.plugins import Plugins


@pytest.fixture(scope="module")
def series():
    acquisition = Acquisition(tuple(range(-60, 61, 15)), dose=200)
    return simulate("nanoparticles", (6, 10, 10), acquisition, seed=0).series()


class Clock:
    """Goes when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


class Alarm:
    """Rings when it is cancelled too late."""

    def __init__(self, clock, seconds, ring, arguments):
        self._clock, self._ring, self._arguments = clock, ring, arguments
        self._at = clock.now + seconds

    @classmethod
    def by(cls, clock):
        return lambda *arguments: cls(clock, *arguments)

    def start(self):
        pass

    def cancel(self):
        if self._clock.now >= self._at:
            self._ring(*self._arguments)


class AtOnce:
    """Rings when it is set."""

    def __init__(self, seconds, ring, arguments):
        ring(*arguments)

    def start(self):
        pass

    def cancel(self):
        pass


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr("tomoinr.live.faces.Timer", Alarm.by(found))
    for name in ("faces", "moment"):
        monkeypatch.setattr(f"tomoinr.live.{name}.time", found)
    return found


def paced(*records):
    pace = Pace()
    for record in records:
        pace.take(record)
    return pace


def steady(n, of=100, seconds=1.0, begun=0.0, **more):
    """So many steps of the same length."""
    return [Record(i, 0.5, begun + i * seconds, of=of, **more) for i in range(1, n + 1)]


def test_a_steady_run_ends_when_it_is_said_to():
    for n in (5, 40, 99):
        pace = paced(*steady(n))
        assert pace.left == pytest.approx(100 - n) and pace.speed == pytest.approx(1)
    assert paced(*steady(100)).left == 0


def test_a_run_that_goes_on_is_timed_from_there():
    """Seconds go on where they were, though the program did nothing in between."""
    resumed = [Record(i, 0.5, 1000 + 2.0 * (i - 50), of=100) for i in range(51, 61)]
    assert paced(*resumed).left == pytest.approx(2 * 40)


def test_slow_stages_count_for_what_they_take():
    """By the part of the work; and where that was wrong, the later half of the time corrects it."""
    first = [Record(i, 0.5, i / 10, "a", 120, part=i / 1000) for i in range(1, 101)]
    assert paced(*first).left == pytest.approx(90, rel=0.05)
    slow = [Record(100 + i, 0.5, 10 + 9.0 * i, "b", 120, part=0.1 + 0.045 * i) for i in range(21)]
    pace = paced(*first, *slow[:11])
    assert pace.left == pytest.approx(90, rel=0.05)
    assert pace.speed == pytest.approx(1 / 9, rel=0.05)  # of this stage alone


@pytest.mark.parametrize("records", [[], steady(1), steady(9, of=0), steady(5, seconds=0.01)])
def test_what_nobody_knows_is_not_told(records):
    assert paced(*records).left is None


def test_another_run_is_another_pace():
    pace = paced(*steady(50, seconds=100.0), *steady(5, of=10))
    assert pace.left == pytest.approx(5) and pace.speed == pytest.approx(1)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (4 * 3600 + 290, "4 h 05 min")],
)
def test_durations_are_told_as_people_do(seconds, told):
    assert duration(seconds) == told


def test_a_record_in_words():
    plain = steady(5)[-1]
    assert line(plain, Pace()) == "reconstructing: step 5 of 100, loss 0.5"
    told = steady(20, validation=0.25, moved=0.0312, stage="volume and poses")
    assert line(told[-1], paced(*told)) == (
        "volume and poses: step 20 of 100, 1.0 steps/s, loss 0.5, validation 0.25, "
        "poses moved 0.031 px, at most 80 s left"
    )
    slow = steady(3, of=0, seconds=4.0)
    assert line(slow[-1], paced(*slow)) == "reconstructing: step 3, 4.0 s a step, loss 0.5"


def test_the_outermost_work_speaks(caplog):
    with caplog.at_level(logging.INFO, "tomoinr.doing"):
        with doing("one"), doing("within"):
            pass
        with pytest.raises(ZeroDivisionError), doing("two"):
            raise ZeroDivisionError
        with doing("three"):
            pass
    assert [record.getMessage() for record in caplog.records] == ["one", "two", "three"]


def in_a_file(work, **more):
    """What progress writes where there is no terminal."""
    text = io.StringIO()
    with Progress(console=Console(file=text, soft_wrap=True, width=40), **more) as progress:
        work(progress)
    return text.getvalue().splitlines()


def test_a_file_gets_a_line_at_each_change_and_every_ten_seconds(clock):
    def work(progress):
        with doing("reading"):
            clock.now += 60
        with doing("blinking"):
            clock.now += 0.5
        for record in steady(25, of=25, stage="first"):
            clock.now += 1
            progress(record, None)
        progress(Record(26, 0.5, 26, "second", 40), None)
        with doing("writing"):
            progress.tell("[bold]wrote[/] all")
            clock.now += 5

    lines = in_a_file(work)
    assert [told.split(",")[0] for told in lines] == [
        "reading",
        *(f"first: step {i} of 25" for i in (1, 12, 23)),
        "second: step 26 of 40",
        "[bold]wrote[/] all",
        "writing",
    ]
    assert not any(ord(letter) < 32 for told in lines for letter in told)


def test_a_rank_that_does_not_speak_says_nothing():
    def work(progress):
        progress(steady(1)[0], None)
        progress.tell("something")
        with doing("something else"):
            pass

    assert in_a_file(work, speaks=False) == []


def test_nothing_listens_afterwards():
    before = LOGGER.level, list(LOGGER.handlers)
    in_a_file(lambda progress: None)
    with pytest.raises(ZeroDivisionError):
        in_a_file(lambda progress: 1 / 0)
    assert (LOGGER.level, LOGGER.handlers) == before


def test_a_run_tells_of_all_it_does(series, monkeypatch):
    monkeypatch.setattr("tomoinr.live.faces.Timer", AtOnce)
    plugins = Plugins(builtin, installed=False)

    def work(progress):
        reconstruct(series, solver="sirt", steps=3, plugins=plugins, observers=[progress])

    assert [told.split(",")[0] for told in in_a_file(work)] == [
        "setting up the solver sirt",
        "reconstructing: step 1 of 3",
        "rendering the volume",
    ]


def terminal(width):
    return Console(file=io.StringIO(), force_terminal=True, width=width, legacy_windows=False)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_gets_two_lines_that_fit(width, clock):
    console = terminal(width)
    face = Progress(console=console)._face
    told = steady(50, stage="a stage with quite a long name, if you ask", moved=0.5)
    with console.capture() as captured:
        face.show(Moment("", told[-1], paced(*told)))
        console.print(face._drawn())
    colourless = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", captured.get())
    plain = [part for part in colourless.splitlines() if part.strip()]
    assert len(plain) == 2 and all(len(part) <= width for part in plain)
    assert "━" in plain[0] and "50%" in plain[0] and plain[1].startswith("step 50 of 100")
    assert width < 80 or "50 s left" in plain[0]


def test_a_terminal_is_left_as_it_was():
    """Lines that stay are there; the cursor, hidden meanwhile, is shown again."""
    console = terminal(60)
    with Progress(console=console) as progress:
        progress(steady(1)[0], None)
        progress.tell("this stays")
    text = console.file.getvalue()
    assert "this stays" in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") > -1


def test_without_with_the_last_step_planned_is_the_end():
    console = terminal(60)
    progress = Progress(console=console)
    for record in steady(4, of=4):
        progress(record, None)
    text = console.file.getvalue()
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") > -1


def test_a_notebook_gets_one_output_that_changes(clock, monkeypatch):
    shown = []

    class Handle:
        def update(self, data, raw):
            shown.append(data)

    def display(data, raw, display_id):
        shown.append(data | {"new": True})
        return Handle()

    ipython = SimpleNamespace(display=SimpleNamespace(display=display))
    for name, module in (("IPython", ipython), ("IPython.display", ipython.display)):
        monkeypatch.setitem(sys.modules, name, module)
    with Progress(console=Console(force_jupyter=True, file=io.StringIO())) as progress:
        for record in steady(6, stage="<one>"):
            clock.now += 0.2
            progress(record, None)
    assert [data.get("new", False) for data in shown] == [True, False, False]
    middle, last = (data["text/html"] for data in shown[1:])
    assert "<b>&lt;one&gt;</b>" in middle and 'value="0.0400"' in middle
    assert "<b>finished</b>" in last and 'value="0.0600"' in last and "step 6 of 100" in last
