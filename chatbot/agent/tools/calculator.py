"""The tool ``calculator``."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from langchain_core.tools import StructuredTool, ToolException
from pydantic import BaseModel, Field
from simpleeval import DEFAULT_OPERATORS, InvalidExpression, SimpleEval  # type: ignore[import-untyped]

MAX_CHARS = 500
# Numbers of more bits are refused before they are computed.
_MAX_BITS = 4_096
_MAX_FACTORIAL = 450
_MAX_DIGITS = 300
_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Load, ast.operator, ast.unaryop
)  # fmt: skip


class Arguments(BaseModel):
    """What the calculator is given."""

    expression: str = Field(
        description="An arithmetic expression in Python's notation, such as (3 + 4) * 2 ** 8 or "
        "sqrt(2) * sin(pi / 4)."
    )


def calculate(expression: str) -> str:
    """Compute an expression.

    Raises:
        ToolException: it is no arithmetic, or its result would be too large.
    """
    if len(expression) > MAX_CHARS:
        raise ToolException(f"The expression has more than {MAX_CHARS} characters.")
    evaluator = SimpleEval(operators=_OPERATORS, functions=_FUNCTIONS, names=_NAMES)
    text = expression.strip().replace("^", "**")
    try:
        _refuse_other_than_numbers(text)
        return _shown(evaluator.eval(text))
    except ToolException:
        raise
    except InvalidExpression as error:
        raise ToolException(f"This cannot be computed: {error}") from None
    except (
        ArithmeticError,
        ValueError,
        TypeError,
        SyntaxError,
        RecursionError,
        MemoryError,
    ) as error:
        raise ToolException(f"This cannot be computed: {error or type(error).__name__}") from None


def calculator() -> StructuredTool:
    """Make the tool."""
    return StructuredTool.from_function(
        func=calculate,
        name="calculator",
        description="Compute an arithmetic expression exactly.",
        args_schema=Arguments,
    )


def _refuse_other_than_numbers(text: str) -> None:
    # Not only for clarity: simpleeval formats f-strings, to any width that they name.
    for node in ast.walk(ast.parse(text, mode="eval")):
        number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
        if not number and not isinstance(node, _NODES):
            raise ToolException(f"It holds more than arithmetic: {type(node).__name__}.")


def _shown(result: object) -> str:
    if isinstance(result, bool) or not isinstance(result, int | float):
        raise ToolException("The result is no number.")
    if isinstance(result, float) and result.is_integer() and abs(result) < 2**53:
        return str(int(result))
    return str(result)


def _bits(number: object) -> int:
    if not isinstance(number, int | float):
        raise ToolException("It may hold nothing but numbers.")
    return number.bit_length() if isinstance(number, int) else 64


def _power(base: Any, exponent: Any) -> Any:  # noqa: ANN401 - any kind of number
    if isinstance(base, int) and isinstance(exponent, int):
        _refuse_over(_bits(base) * abs(exponent))
    _bits(exponent)
    return base**exponent


def _times(left: Any, right: Any) -> Any:  # noqa: ANN401 - any kind of number
    _refuse_over(_bits(left) + _bits(right))
    return left * right


def _plus(left: Any, right: Any) -> Any:  # noqa: ANN401 - any kind of number
    _bits(left), _bits(right)
    return left + right


def _factorial(number: Any) -> int:  # noqa: ANN401 - any kind of number
    if _bits(number) and number > _MAX_FACTORIAL:
        raise ToolException(f"A factorial goes up to {_MAX_FACTORIAL}.")
    return math.factorial(int(number))


def _round(number: Any, digits: int = 0) -> Any:  # noqa: ANN401 - any kind of number
    if abs(digits) > _MAX_DIGITS:
        raise ToolException(f"Rounding goes to at most {_MAX_DIGITS} digits.")
    return round(number, digits)


def _refuse_over(bits: int) -> None:
    if bits > _MAX_BITS:
        raise ToolException(f"The result would have more than about {_MAX_BITS * 3 // 10} digits.")


_NUMERIC = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.USub, ast.UAdd)
_OPERATORS: dict[type, Callable[..., Any]] = {
    **{kind: DEFAULT_OPERATORS[kind] for kind in _NUMERIC},
    ast.Add: _plus,
    ast.Mult: _times,
    ast.Pow: _power,
}
_OPERATORS[ast.Mod] = lambda left, right: (_bits(left), _bits(right), operator.mod(left, right))[2]

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "round": _round,
    "min": min,
    "max": max,
    "factorial": _factorial,
    **{
        name: getattr(math, name)
        for name in (
            "sqrt", "exp", "log", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan",
            "atan2", "sinh", "cosh", "tanh", "degrees", "radians", "floor", "ceil", "hypot", "gcd",
        )
    },
}  # fmt: skip
_NAMES = {"pi": math.pi, "e": math.e, "tau": math.tau}
