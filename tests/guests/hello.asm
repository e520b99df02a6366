; The smallest story: a line on the console, a POST code, and the power goes off.
%include "pvh.inc"
main:
    mov al, 0x42
    out POST_PORT, al
    SAY "hello from ring 0"
    ret
