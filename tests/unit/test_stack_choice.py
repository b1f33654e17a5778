from archi.public_services import MODEL_HUB, REGISTRY
from archi.stack_choice import choose


def test_the_stack_that_is_asked_for_wins() -> None:
    assert choose("gpu", "local").stack == "gpu"


def test_the_last_choice_is_remembered() -> None:
    assert choose(None, "offline").stack == "offline"


def test_public_images_are_taken_where_registry_and_hub_answer() -> None:
    assert choose(None, None, lambda _service: True).stack == "local"


def test_packages_are_taken_where_either_is_out_of_reach() -> None:
    for unreachable in (REGISTRY, MODEL_HUB):
        choice = choose(None, None, lambda service, gone=unreachable: service is not gone)
        assert choice.stack == "offline"
        assert unreachable.name in choice.why
