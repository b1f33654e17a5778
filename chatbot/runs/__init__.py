"""Answers in progress: how they run, stream, stop and are taken up again."""
