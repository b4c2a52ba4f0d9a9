"""What pytest loads (entry point `pytest11`): failing contracts show the values they compared."""

import pytest

SUITES = ("formats", "parts", "poses", "preparations", "priors", "projectors", "solvers", "volumes")

pytest.register_assert_rewrite(*(f"tomoinr.testing.{suite}" for suite in SUITES))
