"""The host: run queues, placement, the pCPU loop, the VMM's sequences; simcore.app.running wires it."""
