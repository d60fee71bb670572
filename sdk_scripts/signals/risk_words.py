"""The text has a word that the policy calls risky."""

from __future__ import annotations

from sdk_scripts import wording
from sdk_scripts.risk_words import risk_words
from sdk_scripts.signals import Evidence, Findings, Suspicion, register

MOST_WORDS = 3
"""That are named."""


@register("risk_words")
class RiskWords:
    """Risk words of the standard (`hard_cases: risk_words:` of project.yaml) in the text, by the severity s of the most
    severe: s / (1 + s).

    0: none; 0.5 at a severity of 1, 0.75 at 3, 0.91 at 10. Words count as whole words, whatever their case, Unicode
    form and hidden characters.

    Why care: a word does not make a violation, but where one slips through, it is the expensive kind. A second pair of
    eyes costs less than the mistake.
    """

    weight = 0.3

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        found = Findings(evidence)
        for task, risk in risk_words(evidence.texts, evidence.standard.risk_words).items():
            words = ", ".join(wording.quoted(word, 40) for word in risk.words[:MOST_WORDS])
            more = f" and {len(risk.words) - MOST_WORDS} more" if len(risk.words) > MOST_WORDS else ""
            detail = f"the text has the risk word{'s' if len(risk.words) > 1 else ''} {words}{more}"
            found.add_item(task, risk.severity / (1 + risk.severity), detail)
        return found.strongest
