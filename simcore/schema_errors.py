"""Turns pydantic's account of a bad file into one `InputError` with file, key path and what would be valid."""

from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from simcore.errors import InputError, near_matches

_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
_TYPES = {
    "int_type": "a whole number",
    "string_type": "a string",
    "bool_type": "true or false",
    "list_type": "an array",
    "dict_type": "a table",
    "float_type": "a number",
    "tuple_type": "an array",
    "model_type": "a table",
}
KeyPath = tuple[int | str, ...]
Model = TypeVar("Model", bound=BaseModel)


def checked(model: type[Model], data: dict[str, Any], file: str) -> Model:
    """Return the data as a model, or raise an `InputError` for the first thing that is wrong with it."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _first_error(model, error, file) from None


def key_path(path: KeyPath) -> str:
    """Return a path of keys and indices as text, such as `cluster[1].cpus`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _first_error(model: type[BaseModel], error: ValidationError, file: str) -> InputError:
    rows = error.errors(include_url=False)
    row = next((row for row in rows if row["type"] == "extra_forbidden"), rows[0])
    path: KeyPath = tuple(row["loc"])
    where = f"{file}: {key_path(path)}"
    if row["type"] == "extra_forbidden":
        known = _keys_at(model, path[:-1])
        return InputError("unknown key", where=where, valid=near_matches(str(path[-1]), known))
    if row["type"] == "missing":
        return InputError("this key is missing", where=where)
    return InputError(_what(row), where=where, valid=_valid(row))


def _what(row: Any) -> str:
    if row["type"] in ("too_short", "string_too_short"):
        return "this is empty"
    if row["type"] == "too_long":
        return f"too many entries ({row['ctx']['actual_length']})"
    return f"{_shown(row['input'])} is not valid here"


def _valid(row: Any) -> str:
    ctx: dict[str, Any] = row.get("ctx", {})
    if "valid" in ctx:
        return str(ctx["valid"])
    if row["type"] in _TYPES:
        return _TYPES[row["type"]]
    bounds = [f"{word} {ctx[key]}" for key, word in _BOUNDS.items() if key in ctx]
    if bounds:
        return ", ".join(bounds)
    if "expected" in ctx:
        return str(ctx["expected"])
    if "pattern" in ctx:
        return "letters, digits and . _ + - only"
    return str(row["msg"])


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _keys_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the keys that the table at `path` may have."""
    here: Any = model
    for part in path:
        if isinstance(part, int):
            continue
        here = _model_within(here.model_fields[part].annotation) or here
    return list(here.model_fields)


def _model_within(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_within(part) for part in get_args(annotation))
    return next((model for model in found if model is not None), None)
