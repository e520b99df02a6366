; The reset register of the FADT.
%include "pvh.inc"
main:
    SAY "resetting by 0xcf9"
    mov dx, RESET_PORT
    mov al, 0x06
    out dx, al
    SAY "still here"
    hlt
    ret
