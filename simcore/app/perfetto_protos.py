"""Perfetto's generated messages: the one module that knows the package `perfetto`, which it imports when it is used."""

from functools import cache
from typing import Any, Final

from simcore.errors import InputError

INSTALL: Final = "pip install 'hetpmu[trace]'"


@cache
def messages() -> Any:
    """Return the module of generated messages; raise InputError where the extra is not installed."""
    try:
        from perfetto.protos.perfetto.trace import perfetto_trace_pb2
    except ImportError as error:
        raise InputError("Perfetto's messages are not installed", why=str(error), valid=INSTALL) from None
    return perfetto_trace_pb2


@cache
def key(path: str) -> int:
    """Return the number of a field, named as in `TrackEvent.name_iid`."""
    message, _, field = path.rpartition(".")
    found: int = _named(message).DESCRIPTOR.fields_by_name[field].number
    return found


@cache
def code(path: str) -> int:
    """Return the number of an enum's value, named as in `TrackEvent.TYPE_INSTANT`."""
    message, _, value = path.rpartition(".")
    found: int = _named(message).DESCRIPTOR.enum_values_by_name[value].number
    return found


def packet(**fields: Any) -> bytes:
    """Return one packet of a trace, as bytes of the file."""
    trace = messages().Trace(packet=[messages().TracePacket(**fields)])
    data: bytes = trace.SerializeToString(deterministic=True)
    return data


def _named(path: str) -> Any:
    found = messages()
    for name in path.split("."):
        found = getattr(found, name)
    return found
