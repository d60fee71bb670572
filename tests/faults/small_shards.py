"""Shards of fifty tasks, predicted ten at a time, in whatever process imports this: 200 tasks then take several pushes,
between which a process can die. `python -m tests.faults.small_shards COMMAND …` runs a `tiebreak` command so."""

from __future__ import annotations

import sdk_scripts.prelabel

sdk_scripts.prelabel.PREDICTIONS_A_PUSH, sdk_scripts.prelabel.TASKS_A_PREDICTION = 50, 10

if __name__ == "__main__":
    from sdk_scripts.cli import main

    main()
