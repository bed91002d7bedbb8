"""Live migration of one VM's virtual PMU: saved on one host, restored on another, and compared register by register.

Answers are plain dicts (`Migration.as_json`); `simcore.app.migrate_text` makes text of them. VMs are made and driven
in `simcore.app.migrate_vm`, what is said of a register stands in `simcore.app.migrate_reasons`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from pmu.host import Host
from pmu.one_reg import hidden_names, one_reg_names, ordered
from pmu.policies import POLICIES, all_that_apply, parse
from simcore.app.migrate_calls import calls
from simcore.app.migrate_guest import Stretch, execute
from simcore.app.migrate_hazards import hazards
from simcore.app.migrate_reasons import Case, reasons
from simcore.app.migrate_vm import Machine, Pair, Seen, Side, make_side
from simcore.app.pairing import expand
from simcore.errors import InputError
from simcore.platform import Platform

SCHEMA: Final = "hetpmu-migrate/1"
RANDOM_ORDERS: Final = 6
ARRIVED, CHANGED, REFUSED, NOT_CARRIED = "arrived", "changed", "refused", "not carried"
INTERRUPT_LINE: Final = "interrupt line"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """One side as a user names it; ``counters``: SET_NR_COUNTERS, which no policy calls."""

    platform: Platform
    policy: str
    kernel: str | None = None
    cpu: int | None = None
    counters: int | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """What the source leaves: where its guest executed, its registers, and what the guest saw at the end."""

    stretches: Sequence[Stretch]
    registers: Mapping[str, int]
    seen: Seen


@dataclass(frozen=True, slots=True)
class Restored:
    """The destination after a restore: registers read back before the first run, refusals, and what the guest sees."""

    registers: Mapping[str, int]
    errors: Mapping[str, str]
    hidden: Sequence[str]
    seen: Seen
    counters_at_start: int


@dataclass(frozen=True, slots=True)
class Migration:
    """A migration that was done in one order, and restores of the same registers in other orders."""

    source: Side
    destination: Side
    order: str
    seed: int
    saved: Saved
    restored: Restored
    others: Mapping[str, Restored]

    def as_json(self) -> Row:
        """Return everything as plain dicts and lists, register values as hex."""
        rows = register_rows(self.saved, self.restored)
        return {
            "schema": SCHEMA,
            "source": _side_row(self.source, self.saved.seen),
            "destination": _side_row(self.destination, self.restored.seen),
            "order": self.order,
            "seed": self.seed,
            "stretches": [asdict(stretch) for stretch in self.saved.stretches],
            "registers": list(rows.values()),
            "interrupt_line": [int(self.saved.seen.irq_level), int(self.restored.seen.irq_level)],
            "calls": calls(self.source, self.destination),
            "hazards": hazards(pair_of(self.saved, self.restored)),
            "orders": list(self.others),
            "order_matters_for": _differences(self.saved, self.restored, self.others),
        }


def migrate(source: Side, destination: Side, order: str = "ascending", seed: int = 1) -> Migration:
    """Migrate a guest that has used every register, and restore in other orders too to see whether that matters."""
    saved = save(source)
    restored = restore(destination, saved, order, seed)
    tried = [("ascending", seed), ("descending", seed), *(("random", seed + n) for n in range(RANDOM_ORDERS))]
    others = {
        f"{name} {base}" if name == "random" else name: restore(destination, saved, name, base) for name, base in tried
    }
    return Migration(source, destination, order, seed, saved, restored, others)


def save(side: Side) -> Saved:
    """Let the guest run on the source and save every register after it has left KVM_RUN."""
    machine = Machine(side)
    stretches = execute(machine)
    look = machine.look()
    machine.step("exit")
    registers = machine.save()
    machine.enter()
    return Saved(stretches, registers, machine.seen(look))


def restore(side: Side, saved: Saved, order: str, seed: int) -> Restored:
    """Restore on a new VM in an order, read back, and run the guest."""
    machine = Machine(side)
    errors = machine.restore(saved.registers, ordered(one_reg_names(machine.vm), order, seed))
    registers = machine.save()
    machine.enter()
    seen = machine.seen(machine.look())
    return Restored(registers, errors, hidden_names(machine.vm), seen, machine.counters_at_start)


# Rows


def register_rows(saved: Saved, restored: Restored) -> dict[str, Row]:
    """Return a row for each register of the guest's PMU, ascending by id, those without ONE_REG last."""
    pair = pair_of(saved, restored)
    return {name: _register_row(case_of(name, saved, restored), pair) for name in (*saved.registers, *restored.hidden)}


def verdict(case: Case) -> str:
    """Return what became of a register."""
    if case.saved is None:
        return NOT_CARRIED
    if case.error:
        return REFUSED
    return ARRIVED if (case.saved, case.before) == (case.restored, case.after) else CHANGED


def pair_of(saved: Saved, restored: Restored) -> Pair:
    """Return both sides as reasons and hazards look at them."""
    return Pair(saved.seen, restored.seen, restored.counters_at_start, saved.registers)


def case_of(name: str, saved: Saved, restored: Restored) -> Case:
    """Return one register before and after."""
    return Case(
        name,
        saved.registers.get(name),
        restored.registers.get(name),
        restored.errors.get(name, ""),
        saved.seen.guest.get(name),
        restored.seen.guest.get(name),
    )


def _register_row(case: Case, pair: Pair) -> Row:
    return {
        "register": case.name,
        "saved": _hex(case.saved),
        "restored": _hex(case.restored),
        "error": case.error or None,
        "guest_before": case.before,
        "guest_after": case.after,
        "verdict": verdict(case),
        "reasons": reasons(case, pair),
    }


def _differences(saved: Saved, chosen: Restored, others: Mapping[str, Restored]) -> list[Row]:
    """Return what another order than the chosen one leaves in a register, or on the interrupt line, and why."""
    wanted = _outcome(saved, chosen)
    found = {label: _outcome(saved, restored) for label, restored in others.items()}
    rows = []
    for name, (value, said) in wanted.items():
        differing = {label: outcome[name] for label, outcome in found.items() if outcome[name][0] != value}
        if differing:
            why = {text for _, texts in differing.values() for text in texts} ^ set(said)
            values = {label: other for label, (other, _) in differing.items()}
            rows.append({"register": name, "value": value, "others": values, "reasons": sorted(why)})
    return rows


def _outcome(saved: Saved, restored: Restored) -> dict[str, tuple[str, list[str]]]:
    """Return by register what an order of restoring could change, ONE_REG or else the guest's view, and its reasons."""
    rows = register_rows(saved, restored)
    outcome = {name: (row["restored"] or row["guest_after"], row["reasons"]) for name, row in rows.items()}
    line = str(int(restored.seen.irq_level))
    return outcome | {INTERRUPT_LINE: (line, ["follows PMOVSSET_EL0 & PMINTENSET_EL1"] if line == "0" else [])}


def _side_row(side: Side, seen: Seen) -> Row:
    vm = seen.vm
    return {
        "platform": side.platform.id,
        "policy": side.policy.name,
        "kernel": side.policy.kernel,
        "init_cpu": side.init_cpu,
        "run_cpu": seen.cpu,
        "host_pmu": None if vm.pmu is None else vm.pmu.name,
        "fixed_counters_only": vm.fixed_only,
        "supported_cpus": sorted(vm.supported_cpus),
        "pinned_cpus": sorted(side.policy.pinned_cpus),
        "pmcr_n": vm.nr_counters,
        "pmcr_n_max": vm.max_counters(),
        "pmuver": vm.pmuver,
        "pmuver_limit": vm.host.pmuver_limit,
        "common_events": len(seen.common_events),
    }


def _hex(value: int | None) -> str | None:
    return None if value is None else hex(value)


# What the user names


def sides(source: Wish, destination: Wish, repeated: bool) -> tuple[Side, Side]:
    """Return both sides; ``repeated``: nobody named a policy for the destination, so that it is the source's."""
    return _side(source), _side(destination, repeated)


def _side(wish: Wish, repeated: bool = False) -> Side:
    host = Host.from_platform(wish.platform)
    if not host.usable_pmus:
        raise InputError(f"no virtual PMU on {wish.platform.id}", why=wish.platform.vpmu_reason())
    if repeated:
        _must_have_the_pmu(wish, host)
    kernel = wish.kernel or expand(wish.platform, (wish.policy,))[0][0].kernel
    policy = parse(wish.policy, host, kernel)
    if not policy.has_pmu:
        raise InputError(f"policy {policy.name!r} has no PMU to migrate", valid=", ".join(all_that_apply(host)))
    return make_side(wish.platform, policy, host, wish.cpu, wish.counters)


def _must_have_the_pmu(wish: Wish, host: Host) -> None:
    kind, _, name = wish.policy.partition("@")[0].partition(":")
    if kind not in POLICIES or not POLICIES[kind].takes_pmu or host.pmu_named(name) is not None:
        return
    raise InputError(
        f"{wish.platform.id} has no host PMU {name!r}: policy {wish.policy!r} cannot be repeated there",
        valid=" or ".join(f"--to-policy {kind}:{host_pmu.name}" for host_pmu in host.usable_pmus),
    )
