; A panic told through pvpanic.
%include "pvh.inc"
main:
    mov dx, 0x505
    in al, dx
    test al, 1
    FAIL_IF z, "pvpanic does not offer the panic event"
    SAY "panicking"
    mov al, 1
    out dx, al
    hlt
    ret
