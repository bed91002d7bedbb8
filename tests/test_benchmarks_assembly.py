"""The machine code of the kernels has the vector instructions that their speed rests on."""

import platform

import pytest
from llvmlite import binding

from benchmarks import assembly, hot
from tests.scenes import PLAIN

X86 = """
	vpmuludq	%ymm2, %ymm1, %ymm3
	vpmuludq	%ymm2, %ymm1, %ymm4
	vmovntdq	%zmm1, (%rsi,%r8)
	vpaddq	(%rdx), %xmm0, %xmm1
	addq	%rax, %rbx
"""
ARM = """
	umull	v0.2d, v1.2s, v2.2s
	add	v0.2d, v0.2d, v3.2d
	stnp	q0, q1, [x0]
	add	x0, x0, x1
"""


def test_wide_vectors_are_counted_by_instruction_and_width():
    assert assembly.vector_instructions(X86, "x86_64") == {"vpmuludq 256": 2, "vmovntdq 512": 1}
    assert assembly.vector_instructions(ARM, "aarch64") == {"umull 128": 1, "add 128": 1, "stnp 128": 1}


def vector_unit():
    """Return which vector instructions there are that the project knows."""
    machine = platform.machine()
    if machine in ("aarch64", "arm64"):
        return "neon"
    features = binding.get_host_cpu_features()
    return next((name for name in ("avx512f", "avx2") if machine == "x86_64" and features.get(name)), None)


@pytest.fixture(scope="module")
def found():
    return hot.vectors()


@pytest.mark.skipif(PLAIN, reason="nothing is compiled")
@pytest.mark.skipif(vector_unit() not in ("avx2", "avx512f"), reason="no AVX2")
def test_records_are_multiplied_by_32_bits_and_stored_past_the_caches(found):
    wide = "512" if vector_unit() == "avx512f" else "256"
    names = found["record_ticks"]
    assert names[f"vmovntdq {wide}"]
    assert names[f"vpaddq {wide}"]
    assert any(name.startswith("vpmuludq") for name in names)


@pytest.mark.skipif(PLAIN, reason="nothing is compiled")
@pytest.mark.skipif(vector_unit() != "neon", reason="no NEON")
def test_records_are_multiplied_and_stored_by_vectors(found):
    names = found["record_ticks"]
    assert any(name.startswith(("umull", "umlal")) for name in names)
    assert any(name.startswith("st") for name in names)
