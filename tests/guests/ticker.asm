; Prints a dot, waits a little, and again, for ever: for pausing.
%include "pvh.inc"
main:
    mov al, '.'
    call putc
    mov ecx, 20000
.wait:
    loop .wait
    jmp main
