"""Calibration rounds: several people answer the same tasks alone, and what they differ about shows where the guidelines
are unclear.

A round has one satellite project for each of its people, in whose description the round's plan is kept: who takes part,
which tasks, and from which stratum each is. The guidelines are the satellites' instructions, as they were when the
round was made. So a round is whole with its first project, and what was cut short is completed from there.

A round's tasks are chosen (sure, unsure, hard, gold, rare labels more often than they come), so its alpha is that of a
test, and not of the project's ordinary work, for which there is `tiebreak agreement`.
"""
