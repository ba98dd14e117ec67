"""JMESPath as policies use it: strict, with the paths that an expression reads known before it runs."""

from scanner.assertion.expression import (
    Expression,
    ExpressionError,
    Undecided,
    compile_expression,
)
from scanner.assertion.paths import EACH, Path, Step, first_missing, parse_path, path_text, read
from scanner.assertion.template import Template, compile_template

__all__ = [
    "EACH",
    "Expression",
    "ExpressionError",
    "Path",
    "Step",
    "Template",
    "Undecided",
    "compile_expression",
    "compile_template",
    "first_missing",
    "parse_path",
    "path_text",
    "read",
]
