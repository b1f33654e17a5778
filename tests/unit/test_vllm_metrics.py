"""vLLM's metrics. vllm_metrics.txt is part of what vLLM 0.32.0 answered on a CPU."""

from __future__ import annotations

from pathlib import Path

from archi.vllm_metrics import Load, load, parse

SAMPLE = (Path(__file__).parent / "vllm_metrics.txt").read_text()


def test_metrics_are_read_with_and_without_labels() -> None:
    found = parse(SAMPLE + "process_start_time_seconds 1.5e+09\n")
    assert found["vllm:num_requests_running"] == [0.0]
    assert found["vllm:generation_tokens_total"] == [1.0]
    assert found["vllm:prompt_tokens_total"] == [176.0]
    assert found["process_start_time_seconds"] == [1.5e9]
    assert "# HELP" not in "".join(found)


def test_a_label_may_hold_braces_and_spaces() -> None:
    found = parse('vllm:num_requests_running{model_name="a} b",engine="0"} 3.0\n')
    assert found == {"vllm:num_requests_running": [3.0]}


def test_the_load_is_that_of_all_engines_together() -> None:
    first = parse(
        'vllm:generation_tokens_total{engine="0"} 10\nvllm:generation_tokens_total{engine="1"} 20\n'
    )
    second = parse(
        'vllm:generation_tokens_total{engine="0"} 40\nvllm:generation_tokens_total{engine="1"} 70\n'
        'vllm:num_requests_running{engine="0"} 2\nvllm:num_requests_running{engine="1"} 3\n'
        'vllm:num_requests_waiting{engine="0"} 1\n'
        'vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 1\n'
        'vllm:kv_cache_usage_perc{engine="0"} 0.25\nvllm:kv_cache_usage_perc{engine="1"} 0.5\n'
    )
    assert load(first, second, 2.0) == Load(
        running=5,
        waiting=1,
        tokens_per_second=40.0,
        prompt_tokens_per_second=0.0,
        kv_cache_use=0.5,
        generated_tokens=110,
    )


def test_a_server_that_started_anew_between_the_samples_has_no_negative_rate() -> None:
    first = parse("vllm:generation_tokens_total 1000\n")
    second = parse("vllm:generation_tokens_total 5\n")
    assert load(first, second, 1.0).tokens_per_second == 0.0


def test_a_value_that_is_no_number_counts_for_nothing() -> None:
    assert load({}, parse("vllm:num_requests_running NaN\n"), 1.0).running == 0


def test_no_metrics_are_no_load() -> None:
    assert load({}, {}, 0.0) == Load(0, 0, 0.0, 0.0, 0.0, 0)
