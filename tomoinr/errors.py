"""The one error a user sees: what is wrong, where, and what to do, in a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class TomoinrError(ValueError):
    """A mistake in the input, told in one plain sentence."""


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`" Did you mean 'siren'?"`, or nothing when no name is near."""
    near = get_close_matches(name, sorted(names), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""


def reason(error: BaseException) -> str:
    """What an error says, on one line."""
    text = " ".join(str(error).split())
    if isinstance(error, TomoinrError) or type(error) is ValueError:
        return text
    return getattr(error, "strerror", None) or f"{type(error).__name__}: {text}"


@contextmanager
def told_plainly(what: str) -> Iterator[None]:
    """A stranger's reader or writer may raise anything: one line of it."""
    try:
        yield
    except TomoinrError:
        raise
    except Exception as error:
        raise TomoinrError(f"{what}: {reason(error)}") from error
