"""Gold questions: cases whose answer is settled, asked among an annotator's ordinary tasks."""
