; A guest that waits for nothing, with interrupts off: only the host can end it.
%include "pvh.inc"
main:
    SAY "idle"
.forever:
    hlt
    jmp .forever
