"""The course of a new annotator: practice, exam, and certificates."""
