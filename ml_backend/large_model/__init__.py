"""A large language model as a pre-labeler: any OpenAI-compatible endpoint, asked where the local model is unsure.

    model = LargeModel(settings, policy.large_model, ledger=RedisLedger(redis, project_key),
                       cache=AnswerCache(ModelFiles(f"{settings.models}/answers")))
    replies = model.ask(config, controls, guidelines, questions)

    questions           what is asked, and what comes back
    forms, schema       the label config as the schema of one JSON object
    delimiting, prompt  the question in words; what others wrote is data between delimiters
    requests, endpoint  one request, and what an endpoint turns out not to take
    reading             what was said -> answers; what is not as asked is none
    token_confidence    how sure: by the probabilities of the tokens, …
    self_consistency    … or by asking several times
    ledger              budget and costs of a day: in memory or, `redis_ledger`, shared by all workers
    answer_cache        nothing is paid for twice
    asking              all of this together

Whatever goes wrong, a task keeps the local model's answer, and its reply says why the large model gave none.
"""

from __future__ import annotations

from ml_backend.large_model.answer_cache import AnswerCache
from ml_backend.large_model.asking import LargeModel
from ml_backend.large_model.ledger import Day, Ledger, LedgerInMemory
from ml_backend.large_model.questions import Cost, Question, Reply, Shot, Terms
from ml_backend.large_model.redis_ledger import RedisLedger

__all__ = [
    "AnswerCache",
    "Cost",
    "Day",
    "LargeModel",
    "Ledger",
    "LedgerInMemory",
    "Question",
    "RedisLedger",
    "Reply",
    "Shot",
    "Terms",
]
