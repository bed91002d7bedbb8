#!/bin/sh
# Copies what sysfs says about this board into a tar file, from which hetpmu makes a platform file:
#
#     sh collect-sysfs.sh > board.tar                       # on the board; as root it finds more
#     hetpmu platforms --from-sysfs board.tar -o board.toml   # anywhere
#
# It reads files of /sys, /proc and the kernel's log and changes nothing. It copies the CPUs (MIDR, capacity, topology,
# caches, cpufreq, idle states), the PMUs, the energy model if debugfs is readable, and of the device tree the CPU
# nodes, the OPP tables, the model and the timer; no serial numbers, no names of the machine or of users.
# Needs a POSIX shell, cat, mkdir, mktemp, readlink and tar. SYSFS_ROOT=DIR: a root other than /.

set -u
LC_ALL=C
export LC_ALL

root=${SYSFS_ROOT:-}
root=${root%/}

if [ -t 1 ]; then
    echo "collect-sysfs.sh: stdout is a terminal; say: sh collect-sysfs.sh > board.tar" >&2
    exit 2
fi
if [ ! -d "$root/sys/devices/system/cpu" ]; then
    echo "collect-sysfs.sh: no $root/sys/devices/system/cpu here: is sysfs mounted?" >&2
    exit 2
fi

out=$(mktemp -d "${TMPDIR:-/tmp}/hetpmu-sysfs.XXXXXX") || exit 2
trap 'rm -rf "$out"' EXIT
trap 'exit 3' HUP INT TERM

# Copy one file by reading it: sysfs files tell a size that is not theirs. What cannot be read is left out.
copy() {
    if [ -f "$root/$1" ] && [ -r "$root/$1" ]; then
        [ -d "$out/${1%/*}" ] || mkdir -p "$out/${1%/*}"
        cat "$root/$1" > "$out/$1" 2>/dev/null || rm -f "$out/$1"
    fi
}

# Copy the files of these names in a directory.
copy_names() {
    folder=$1
    shift
    for name in "$@"; do
        copy "$folder/$name"
    done
}

# Make the list of directories that match a pattern below the root, as paths below it, in $found.
match() {
    found=
    for place in "$root"/$1; do
        [ -d "$place" ] && found="$found ${place#"$root"/}"
    done
}

cpus=sys/devices/system/cpu
copy_names $cpus possible present online offline isolated aarch32_el0

match "$cpus/cpu[0-9]*"
all_cpus=$found
for cpu in $all_cpus; do
    copy_names "$cpu" cpu_capacity online
    copy_names "$cpu/regs/identification" midr_el1 revidr_el1
    copy_names "$cpu/topology" cluster_cpus_list package_cpus_list core_siblings_list core_cpus_list cluster_id \
        physical_package_id
    match "$cpu/cache/index[0-9]*"
    for index in $found; do
        copy_names "$index" level type size shared_cpu_list
    done
    match "$cpu/cpuidle/state[0-9]*"
    for state in $found; do
        copy_names "$state" name desc latency residency disable default_status
    done
    if [ -h "$root/$cpu/of_node" ]; then
        mkdir -p "$out/$cpu"
        ln -s "$(readlink "$root/$cpu/of_node")" "$out/$cpu/of_node"
    fi
done

match "$cpus/cpufreq/policy[0-9]*"
for policy in $found; do
    copy_names "$policy" related_cpus affected_cpus scaling_available_frequencies scaling_boost_frequencies \
        cpuinfo_min_freq cpuinfo_max_freq scaling_driver scaling_governor
    copy "$policy/stats/time_in_state"
done

match "sys/bus/event_source/devices/*"
for pmu in $found; do
    copy_names "$pmu" type cpus cpumask
    for kind in caps format events; do
        for file in "$root/$pmu/$kind"/*; do
            copy "${file#"$root"/}"
        done
    done
done

match "sys/kernel/debug/energy_model/*"
for domain in $found; do
    copy "$domain/cpus"
    copy "$domain/flags"
    match "$domain/ps:*"
    for state in $found; do
        copy_names "$state" frequency power cost
    done
done

for base in sys/firmware/devicetree/base proc/device-tree; do
    [ -d "$root/$base/cpus" ] || continue
    copy_names "$base" model compatible
    copy "$base/timer/clock-frequency"
    match "$base/cpus/cpu@*"
    for node in $found; do
        copy_names "$node" reg compatible capacity-dmips-mhz dynamic-power-coefficient operating-points-v2 \
            cpu-idle-states
    done
    for place in idle-states cpus/idle-states cpus/domain-idle-states; do
        match "$base/$place/*"
        for node in $found; do
            copy_names "$node" phandle idle-state-name entry-latency-us exit-latency-us min-residency-us \
                wakeup-latency-us
        done
    done
    match "$base/*opp*"
    tables=$found
    match "$base/cpus/*opp*"
    for table in $tables $found; do
        copy_names "$table" phandle
        match "$table/opp*"
        for opp in $found; do
            copy_names "$opp" opp-hz opp-microvolt
        done
    done
    match "$base/pmu*"
    for node in $found; do
        copy_names "$node" compatible
    done
    break
done

# /proc/cpuinfo ends, on some kernels, with the serial number of the board
if [ -r "$root/proc/cpuinfo" ]; then
    mkdir -p "$out/proc"
    grep -v -i '^serial' "$root/proc/cpuinfo" > "$out/proc/cpuinfo"
fi

# the number of counters, and the frequency of the timer, are only in the kernel's log
if [ -n "$root" ]; then
    cat "$root/dmesg" 2>/dev/null
else
    dmesg 2>/dev/null || journalctl -k -b -o cat --no-pager 2>/dev/null
fi | grep -E 'hw perfevents: |arch_timer: cp15' > "$out/dmesg"
if ! [ -s "$out/dmesg" ]; then
    rm -f "$out/dmesg"
    echo "collect-sysfs.sh: the kernel's log says nothing of the PMUs, or may not be read; as root it may" >&2
fi

(cd "$out" && tar -cf - *)
