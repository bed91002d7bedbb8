"""The host: run queues, placement, the pCPU loop, the VMM's sequences; simcore.app.running wires it.

Importing it points numba at the cache directory of this state of the kernels, before any kernel is loaded.
"""

from simcore.kernelcache import key_cache_directory

key_cache_directory()
