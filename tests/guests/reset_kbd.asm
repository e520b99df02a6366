; The keyboard controller's reset pulse.
%include "pvh.inc"
main:
    SAY "resetting by 0x64"
    mov al, 0xfe
    out 0x64, al
    SAY "still here"
    hlt
    ret
