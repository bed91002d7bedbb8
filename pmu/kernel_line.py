"""Sums written by whole cache lines: to the caches, or past them where more is written than they hold.

Plain Python runs the two functions as they stand. Compiled code has one vector in their place, as numba's loops
are vectorised half as wide, and cannot store past the caches.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from pmu.kernel import add_modulo

LANES = 8  # of 64 bits: a cache line


def add_line(base, events, source, k, record, at):
    """Set ``record.flat[at : at + 8]``, a cache line, to base plus ``events[source, k : k + 8]``, modulo 2**64.

    base: uint64; events: uint64 [stream, n]; record: uint64, C order.
    """
    for lane in range(LANES):
        record.flat[at + lane] = add_modulo(base, events[source, k + lane])


def add_line_past(base, events, source, k, record, at):
    """Do what ``add_line`` does, past the caches. Other threads see it once this one has passed any lock."""
    add_line(base, events, source, k, record, at)


def _vector(nontemporal):
    """Return the intrinsic of ``add_line`` or ``add_line_past``."""

    @intrinsic
    def add(_context, base, events, source, k, record, at):
        signature = types.void(types.uint64, events, types.intp, types.intp, record, types.intp)

        def generate(context, builder, signature, arguments):
            base, events, source, k, record, at = arguments
            number = ir.IntType(32)
            line, lanes = ir.VectorType(ir.IntType(64), LANES), ir.VectorType(number, LANES)
            events = context.make_array(signature.args[1])(context, builder, events)
            record = context.make_array(signature.args[4])(context, builder, record)
            width = cgutils.unpack_tuple(builder, events.shape)[1]
            here = builder.gep(events.data, [builder.add(builder.mul(source, width), k)])
            gained = builder.load(builder.bitcast(here, line.as_pointer()), align=8)
            nothing = ir.Constant(line, ir.Undefined)
            first = builder.insert_element(nothing, base, number(0))
            bases = builder.shuffle_vector(first, nothing, ir.Constant(lanes, [0] * LANES))
            there = builder.bitcast(builder.gep(record.data, [at]), line.as_pointer())
            stored = builder.store(builder.add(gained, bases), there, align=8 * LANES)
            if nontemporal:
                stored.set_metadata("nontemporal", builder.module.add_metadata([number(1)]))
            return context.get_dummy_value()

        return signature, generate

    return add


_add_line, _add_line_past = _vector(nontemporal=False), _vector(nontemporal=True)


@overload(add_line)
def _overload(base, events, source, k, record, at):
    return lambda base, events, source, k, record, at: _add_line(base, events, source, k, record, at)


@overload(add_line_past)
def _overload_past(base, events, source, k, record, at):
    return lambda base, events, source, k, record, at: _add_line_past(base, events, source, k, record, at)
