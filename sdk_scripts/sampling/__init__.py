"""Acceptance sampling: is a lot of labels good enough, from a sample of it that reviewers decide?

`tables`, `plans`, `curve`, `switching` and `estimate` are arithmetic alone; `strata`, `lots`, `verdict` and
`certificate` apply it to the labels of a project.
"""
