"""The tables themselves: every rule can say what it has to say, and where it stands is right."""

import re

import pytest

from archi.diagnosis.causes import RULES
from archi.diagnosis.rules import Confidence, Rule, Text

NAMED = re.compile(r"\{([a-z]+)(?::[a-z]+)?\}")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.cause)
def test_what_a_sentence_repeats_stands_in_each_of_the_rules_texts(rule: Rule) -> None:
    for sentence in (rule.what, rule.mend):
        if isinstance(sentence, str):
            for text in rule.texts:
                assert set(NAMED.findall(sentence)) <= set(NAMED.findall(text.text)), text.text


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.cause)
def test_every_text_has_a_part_that_no_other_line_has_by_chance(rule: Rule) -> None:
    for text in rule.texts:
        assert len(text.literal.strip()) >= 6, text.text


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.cause)
def test_a_rule_is_made_of_sentences_for_people(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.cause)
    assert rule.confidence is not Confidence.UNKNOWN
    if isinstance(rule.what, str):
        # A last place is somebody else's sentence.
        assert rule.what[0] == "{" or rule.what[0].isupper() or rule.what.startswith(("--", "vLLM"))
        assert rule.what.endswith((".", "}"))
    if isinstance(rule.mend, str):
        assert rule.mend.endswith((".", "}"))


def test_no_text_stands_twice() -> None:
    texts = [text.text.lower() for rule in RULES for text in rule.texts]
    assert sorted(texts) == sorted(set(texts))


def test_places_give_what_stands_in_them() -> None:
    text = Text("asked for {wanted:int} of {all:num} GiB … by '{who}'")
    match = text.pattern.search("ERROR: ASKED FOR 12 of 23.5 GiB says the log by 'someone else'.")
    assert match is not None
    assert match.groupdict() == {"wanted": "12", "all": "23.5", "who": "someone else"}
    assert text.literal == "asked for "


def test_braces_of_the_text_itself_stay() -> None:
    assert Text("procs: {'{name}': -9}").pattern.search("Failed procs: {'EngineCore': -9}")
