"""``chainrule config`` prints what show_config prints."""

from __future__ import annotations

import chainrule as cr


def test_it_prints_the_configuration(shell, capsys) -> None:
    answer = shell("config")
    cr.show_config()
    assert (answer.code, answer.out) == (0, capsys.readouterr().out)
