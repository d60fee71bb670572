"""The domain: label configs, answers, judgements and their statistics. No file, network or environment is read."""
